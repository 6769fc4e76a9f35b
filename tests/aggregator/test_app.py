"""The coordinator's app, pass by pass, on real files; what it publishes is compared with the schemas."""

import csv
import itertools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from aggregator import app as aggregator
from aggregator.cli import cli
from aggregator.terms import publish_study, read_terms
from participant.install import install_participant, withdraw_participant
from shared.errors import NotYet, SettingsError, StudyError
from shared.glance import state
from shared.settings import write_settings
from shared.workspace import AGGREGATOR_APP, RELEASE_FILE, Workspace
from tests.conftest import COORDINATOR, EXPORT, SHOWS, TUESDAY, Neighbourhood

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
MEMBERS = [f"member{number}@example.org" for number in range(6)]


@pytest.fixture
def coordinator(neighbourhood: Neighbourhood) -> Workspace:
    """Return the coordinator's workspace; six members have released five weeks."""
    box = neighbourhood.coordinator()
    aggregator.run(box, TUESDAY)
    for email in MEMBERS:
        neighbourhood.join(email, EXPORT)
        neighbourhood.run(email)
    return box


def published(box: Workspace, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((box.results(COORDINATOR) / name).read_bytes())
    return found


def test_the_first_run_publishes_study_and_catalogue_for_everyone(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.coordinator()
    line = aggregator.run(box, TUESDAY)
    folder = box.results(COORDINATOR)
    study = published(box, "study.json")
    assert (folder / "studies" / f"{study['id']}.json").read_bytes() == (folder / "study.json").read_bytes()
    assert study["catalogue_rows"] == len(SHOWS)
    assert '"*"' in (folder / "syftperm.yaml").read_text()
    assert '"*"' in (folder / "syft.pub.yaml").read_text()
    assert "withheld: 0 of at least 5 participants" in line


def test_what_a_killed_pass_left_half_written_is_removed_by_the_next(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.coordinator()
    aggregator.run(box, TUESDAY)
    written = {path.parent for path in box.results(COORDINATOR).rglob("*") if path.is_file()}
    written |= {box.private(AGGREGATOR_APP), box.app(AGGREGATOR_APP)}
    left = [folder / ".index.html.0123abcd.tmp" for folder in written]
    for path in left:
        path.write_bytes(b"<html")
    kept = box.results(COORDINATOR) / ".index.html.swp"
    kept.touch()
    aggregator.run(box, TUESDAY)
    assert len(left) == 5
    assert not any(path.exists() for path in left)
    assert kept.exists()


def test_the_published_figures_are_the_sums_of_what_was_released(coordinator: Workspace) -> None:
    aggregator.run(coordinator, TUESDAY)
    releases = [np.load(coordinator.api_data(email) / RELEASE_FILE) for email in MEMBERS]
    q = 1 / (1 + np.exp(2))
    for number, week in enumerate(["2024-W43", "2024-W44", "2024-W45", "2024-W46", "2024-W47"]):
        sums = sum(release["count"][number].astype(int) for release in releases)
        document = published(coordinator, f"weeks/{week}.json")
        assert document["participants"] == 6
        ranking = {entry["show"]: entry for entry in document["ranking"]}
        for row, show in enumerate(SHOWS):
            expected = (sums[row] - 6 * q) / (1 - 2 * q)
            assert ranking[show.name]["estimate"] == pytest.approx(expected, abs=0.006)
            low, high = ranking[show.name]["interval95"]
            assert low <= expected <= high
            assert 4 <= high - low < 9  # exact with so few participants: a normal curve says 4.1


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("study.json", "study-1.schema.json"),
        ("most_common_show.json", "most-common-show-1.schema.json"),
        ("weeks/2024-W47.json", "most-common-show-1.schema.json"),
        ("trends.json", "trends-1.schema.json"),
    ],
)
def test_every_json_follows_its_schema(coordinator: Workspace, name: str, schema: str) -> None:
    aggregator.run(coordinator, TUESDAY)
    rules = json.loads((SCHEMAS / schema).read_text())
    document = published(coordinator, name)
    jsonschema.Draft202012Validator.check_schema(rules)
    jsonschema.validate(document, rules)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "surprise": 1}, rules)


def test_with_too_few_participants_the_week_is_withheld_and_follows_the_schema(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.coordinator()
    aggregator.run(box, TUESDAY)
    for email in MEMBERS[:4]:
        neighbourhood.join(email, EXPORT)
        neighbourhood.run(email)
    aggregator.run(box, TUESDAY)
    top = published(box, "most_common_show.json")
    jsonschema.validate(top, json.loads((SCHEMAS / "most-common-show-1.schema.json").read_text()))
    assert top["withheld"]
    assert top["reason"] == "4 of at least 5 participants"
    assert [top[name] for name in ("show", "estimate", "interval95", "share", "confidence", "conclusive")] == [None] * 6
    assert top["ranking"] == top["candidates"] == []
    assert published(box, "trends.json")["shows"] == []
    assert "Withheld" in (box.results(COORDINATOR) / "index.html").read_text()


def test_no_address_of_a_member_is_published(coordinator: Workspace) -> None:
    aggregator.run(coordinator, TUESDAY)
    for path in coordinator.results(COORDINATOR).rglob("*"):
        assert b"@example.org" not in (path.read_bytes() if path.is_file() else str(path.name).encode()), path


def test_a_pass_without_news_touches_no_file(coordinator: Workspace) -> None:
    aggregator.run(coordinator, TUESDAY)
    files = [path for path in coordinator.results(COORDINATOR).rglob("*") if path.is_file()]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    assert "nothing new" in aggregator.run(coordinator, TUESDAY + timedelta(hours=1))
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files} == before


def test_a_withdrawal_counts_while_the_week_is_open_and_not_afterwards(
    neighbourhood: Neighbourhood, coordinator: Workspace
) -> None:
    aggregator.run(coordinator, TUESDAY)
    withdraw_participant(neighbourhood.box(MEMBERS[0]), TUESDAY)
    aggregator.run(coordinator, TUESDAY)
    assert published(coordinator, "most_common_show.json")["participants"] == 5
    later = TUESDAY + timedelta(weeks=5)
    aggregator.run(coordinator, later)
    for email in MEMBERS[1:]:
        withdraw_participant(neighbourhood.box(email), later)
    aggregator.run(coordinator, later + timedelta(weeks=1))
    document = published(coordinator, "weeks/2024-W47.json")
    assert document["final"]
    assert document["participants"] == 5


def test_a_stranger_who_claims_old_weeks_makes_no_week(coordinator: Workspace) -> None:
    path = coordinator.api_data(MEMBERS[0]) / RELEASE_FILE
    records = np.load(path)
    records["week"] = [200701, 200702, 201001, 201501, 202001]
    np.save(path, records)
    aggregator.run(coordinator, TUESDAY)
    weeks = [week["week"] for week in published(coordinator, "trends.json")["weeks"]]
    assert weeks == ["2024-W43", "2024-W44", "2024-W45", "2024-W46", "2024-W47"]


def test_the_same_figures_are_in_json_csv_and_page(coordinator: Workspace) -> None:
    aggregator.run(coordinator, TUESDAY)
    top = published(coordinator, "most_common_show.json")
    folder = coordinator.results(COORDINATOR)
    rows = list(csv.DictReader((folder / "trends.csv").read_text().splitlines()))
    (row,) = [row for row in rows if row["week"] == top["week"] and row["show"] == top["show"]]
    assert float(row["estimate"]) == top["estimate"]
    page = (folder / "index.html").read_text()
    assert f"{top['estimate']:,.1f}" in page
    assert f"<b>{top['shrunken']:.1f}</b> viewers" in page


def test_a_title_with_markup_stays_text(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.coordinator()
    catalogue = box.results(COORDINATOR) / "catalogue.csv"
    catalogue.write_bytes(catalogue.read_bytes() + b"6,<script>alert(1)</script>,series,\n7,=cmd(),film,\n")
    aggregator.run(box, TUESDAY)
    for email in MEMBERS:
        neighbourhood.join(email, 'Title,Date\n"<script>alert(1)</script>: Season 1: X","21/11/2024"\n')
        neighbourhood.run(email)
    aggregator.run(box, TUESDAY)
    page = (box.results(COORDINATOR) / "index.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert ",=cmd()" not in (box.results(COORDINATOR) / "trends.csv").read_text()


def test_a_new_study_names_its_predecessor_and_both_stay_summable(
    neighbourhood: Neighbourhood, coordinator: Workspace
) -> None:
    folder = coordinator.results(COORDINATOR)
    first = published(coordinator, "study.json")["id"]
    study = publish_study(folder, {"epsilon": 1.0})
    assert study.predecessor == first
    assert publish_study(folder, {"epsilon": 1.0}) == study
    later = TUESDAY + timedelta(weeks=1)
    for email in MEMBERS:
        neighbourhood.download(email, EXPORT, made=later)
        neighbourhood.run(email, later)
    aggregator.run(coordinator, later)
    weeks = {week["week"]: week["participants"] for week in published(coordinator, "trends.json")["weeks"]}
    assert weeks["2024-W47"] == weeks["2024-W48"] == 6


def test_an_altered_catalogue_or_study_stops_the_pass_and_leaves_the_results(coordinator: Workspace) -> None:
    aggregator.run(coordinator, TUESDAY)
    folder = coordinator.results(COORDINATOR)
    before = (folder / "trends.json").read_bytes()
    study = (folder / "study.json").read_bytes()
    (folder / "study.json").write_bytes(study.replace(b"2.0", b"9.0"))
    with pytest.raises(StudyError, match="altered"):
        aggregator.run(coordinator, TUESDAY)
    assert (folder / "trends.json").read_bytes() == before


def test_the_settings_say_whose_releases_count(coordinator: Workspace) -> None:
    path = coordinator.app(AGGREGATOR_APP) / "settings.toml"
    write_settings(path, "", {"blocked": [MEMBERS[0].upper()]})
    assert "5 datasites accepted, 1 rejected" in aggregator.run(coordinator, TUESDAY)
    write_settings(path, "", {"members": ["*@elsewhere.org"], "blocked": []})
    assert "0 datasites accepted, 6 rejected" in aggregator.run(coordinator, TUESDAY)
    write_settings(path, "", {"members": "everyone"})
    with pytest.raises(SettingsError, match="members"):
        aggregator.run(coordinator, TUESDAY)


def test_a_week_that_fell_below_the_minimum_is_withheld_and_stays_so_once_final(
    neighbourhood: Neighbourhood, coordinator: Workspace
) -> None:
    aggregator.run(coordinator, TUESDAY)
    for email in MEMBERS[:3]:
        withdraw_participant(neighbourhood.box(email), TUESDAY)
    aggregator.run(coordinator, TUESDAY)
    assert published(coordinator, "weeks/2024-W47.json")["withheld"]
    aggregator.run(coordinator, TUESDAY + timedelta(weeks=6))
    for email in MEMBERS[:3]:
        install_participant(neighbourhood.box(email), COORDINATOR, [], TUESDAY, take_over=False)
        neighbourhood.run(email)
    aggregator.run(coordinator, TUESDAY + timedelta(weeks=7))
    document = published(coordinator, "weeks/2024-W47.json")
    assert (document["withheld"], document["participants"], document["final"]) == (True, 3, True)


def test_a_week_keeps_the_terms_that_it_was_released_under(coordinator: Workspace) -> None:
    aggregator.run(coordinator, TUESDAY)
    before = published(coordinator, "weeks/2024-W47.json")
    publish_study(coordinator.results(COORDINATOR), {"epsilon": 0.5, "min_participants": 2})
    aggregator.run(coordinator, TUESDAY)
    after = published(coordinator, "weeks/2024-W47.json")
    assert {**after, "generated_at": None} == {**before, "generated_at": None}


def test_a_study_that_opens_final_weeks_again_is_refused(coordinator: Workspace) -> None:
    with pytest.raises(StudyError, match="open_weeks"):
        publish_study(coordinator.results(COORDINATOR), {"open_weeks": 10})


def test_shows_that_nobody_counted_yet_are_in_no_chart(coordinator: Workspace) -> None:
    catalogue = coordinator.results(COORDINATOR) / "catalogue.csv"
    catalogue.write_bytes(catalogue.read_bytes() + b"".join(b"%d,New %d,series,\n" % (n, n) for n in range(6, 20)))
    publish_study(coordinator.results(COORDINATOR), {})
    aggregator.run(coordinator, TUESDAY)
    shows = [entry["show"] for entry in published(coordinator, "most_common_show.json")["ranking"]]
    assert len(shows) == len(SHOWS)
    assert not any(show.startswith("New") for show in shows)


def test_a_stray_file_among_the_studies_stops_nothing(coordinator: Workspace) -> None:
    (coordinator.results(COORDINATOR) / "studies" / "x.conflict.json").write_text("{")
    assert "6 datasites accepted" in aggregator.run(coordinator, TUESDAY)


def test_looking_publishes_nothing(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.coordinator()
    with pytest.raises(NotYet, match="no study is published yet"):
        read_terms(box.results(COORDINATOR))
    assert not (box.results(COORDINATOR) / "study.json").exists()


def test_a_flagged_member_counts_and_is_named_to_the_coordinator_alone(
    neighbourhood: Neighbourhood, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = neighbourhood.coordinator()
    shows = "".join(f"{row},Invented Show {row},series,\n" for row in range(2_000))
    (box.results(COORDINATOR) / "catalogue.csv").write_text(f"row,show,kind,also\n{shows}")
    aggregator.run(box, TUESDAY)
    for email in MEMBERS:
        neighbourhood.join(email, EXPORT)
        neighbourhood.run(email)
    path = box.api_data(MEMBERS[0]) / RELEASE_FILE
    records = np.load(path)
    records["count"][4, :1_000] = 1
    np.save(path, records)
    assert "6 datasites accepted (1 flagged), 0 rejected" in aggregator.run(box, TUESDAY)
    trends = published(box, "trends.json")
    jsonschema.validate(trends, json.loads((SCHEMAS / "trends-1.schema.json").read_text()))
    assert trends["flagged"] == 1
    assert published(box, "most_common_show.json")["participants"] == 6
    page = (box.results(COORDINATOR) / "index.html").read_text()
    assert "They count." in page
    assert MEMBERS[0] not in page
    monkeypatch.setattr("aggregator.cli.local_now", lambda: TUESDAY)
    status = json.loads(called(box, "status", "--json"))
    assert [entry["datasite"] for entry in status["accepted"] if entry["flagged"]] == [MEMBERS[0]]
    assert "6 accepted (1 flagged), 0 rejected" in called(box, "status")


def called(box: Workspace, *arguments: str) -> str:
    """Return what a command prints."""
    done = CliRunner().invoke(cli, arguments, env={"SYFTBOX_CLIENT_CONFIG_PATH": str(box.config)})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("name", ["a\nb", "\u202egro.elpmaxe@nna", "<script>alert(1)</script>", "a\x1b[2J", "\udcff"])
def test_the_name_of_a_datasite_is_printed_as_one_harmless_line_and_published_nowhere(
    coordinator: Workspace, name: str
) -> None:
    folder = coordinator.datasites / name.replace("/", "") / "api_data" / "netflix_trend_participant"
    folder.mkdir(parents=True)
    (folder / RELEASE_FILE).write_bytes(b"garbage")
    assert "6 datasites accepted, 1 rejected" in aggregator.run(coordinator, TUESDAY)
    lines = called(coordinator, "status").splitlines()
    (line,) = [line for line in lines if line.startswith("  rejected")]
    assert line.isprintable()
    assert len(lines) == 9
    assert json.loads(called(coordinator, "status", "--json"))["rejected"][0]["datasite"] == name.replace("/", "")
    for path in coordinator.results(COORDINATOR).rglob("*.*"):
        assert name.encode(errors="surrogateescape") not in path.read_bytes()
    page = (coordinator.results(COORDINATOR) / "index.html").read_text()
    assert "1 (not a release file)" in page


def test_status_is_what_the_files_are_now_and_publishes_nothing(coordinator: Workspace) -> None:
    aggregator.run(coordinator, TUESDAY)
    (coordinator.api_data(MEMBERS[0]) / RELEASE_FILE).write_bytes(b"garbage")
    folder = coordinator.results(COORDINATOR)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    status = json.loads(called(coordinator, "status", "--json"))
    assert status["rejected"] == [{"datasite": MEMBERS[0], "reason": "not a release file"}]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert "5 datasites accepted, 1 rejected" in aggregator.run(coordinator, TUESDAY)


def test_a_late_release_is_added_while_its_week_is_open(neighbourhood: Neighbourhood, coordinator: Workspace) -> None:
    aggregator.run(coordinator, TUESDAY)
    late = TUESDAY + timedelta(weeks=2)
    neighbourhood.join("late@example.org", EXPORT, made=late)
    neighbourhood.run("late@example.org", late)
    aggregator.run(coordinator, late)
    weeks = {week["week"]: week["participants"] for week in published(coordinator, "trends.json")["weeks"]}
    assert (weeks["2024-W44"], weeks["2024-W45"], weeks["2024-W47"]) == (6, 7, 7)


def test_the_glance_sees_every_release_that_comes_changes_or_goes(coordinator: Workspace) -> None:
    def look() -> list[str]:
        return [state(path) for path in aggregator.watched_files(coordinator)]

    aggregator.run(coordinator, TUESDAY)
    seen = [look()]
    path = coordinator.api_data(MEMBERS[0]) / RELEASE_FILE
    data = path.read_bytes()
    path.unlink()
    seen.append(look())
    path.write_bytes(data)
    seen.append(look())
    new = coordinator.datasites / "new@example.org" / "api_data" / "netflix_trend_participant"
    new.mkdir(parents=True)
    (new / RELEASE_FILE).write_bytes(data)
    seen.append(look())
    assert all(before != after for before, after in itertools.pairwise(seen))
    assert look() == seen[-1]
