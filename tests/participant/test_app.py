"""One member's app, pass by pass, on real files."""

import dataclasses
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from aggregator import app as aggregator
from aggregator.terms import publish_study
from participant.app import affordable_weeks, ledger_path, watched_files
from participant.app import run as run_app
from participant.install import install_participant, withdraw_participant
from participant.ledger import Draw, open_ledger
from participant.settings import read_settings
from shared.errors import (
    CatalogueError,
    DeviceElsewhere,
    FilesError,
    HistoryError,
    LimitReached,
    NotYet,
    SettingsError,
    StillArriving,
    StudyError,
    WorkspaceError,
)
from shared.files import only_instance, write_atomically
from shared.mechanism import NoisedCounts, RandomizedResponse
from shared.release import Release, encode_releases
from shared.settings import write_settings
from shared.study import Coordinator, Study, parse_study
from shared.week import IsoWeek
from shared.workspace import PARTICIPANT_APP, RELEASE_FILE, Workspace, load_workspace
from tests.conftest import COORDINATOR, EXPORT, SHOWS, TUESDAY, Neighbourhood

ANN = "ann@example.org"


@pytest.fixture
def ann(neighbourhood: Neighbourhood) -> Workspace:
    """Return the workspace of a member; the coordinator's study is there."""
    aggregator.run(neighbourhood.coordinator(), TUESDAY)
    return neighbourhood.join(ANN, EXPORT)


def release(box: Workspace) -> Path:
    return box.api_data(box.email) / RELEASE_FILE


def weeks(box: Workspace) -> list[int]:
    return [int(week) for week in np.load(release(box))["week"]]


def test_every_open_week_is_released_over_the_whole_catalogue(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    done = neighbourhood.run(ANN)
    assert weeks(ann) == [202443, 202444, 202445, 202446, 202447]
    assert [week.key for week in done.released] == weeks(ann)
    assert np.load(release(ann))["count"].shape == (5, len(SHOWS))
    assert "epsilon 10 of your limit 52" in done.line


def test_running_again_changes_no_byte_and_touches_no_file(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files_below(ann.my_datasite)}
    for _ in range(20):
        neighbourhood.run(ANN)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files_below(ann.my_datasite)} == before


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_views_that_arrive_later_do_not_draw_a_week_again(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    neighbourhood.download(ANN, EXPORT + '"Star Trek: Season 1: The Cage","20/11/2024"\n')
    neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before


def test_a_week_waits_for_an_export_made_after_its_end(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    sunday = datetime(2024, 11, 24, 23, 30, tzinfo=UTC)
    neighbourhood.download(ANN, EXPORT, made=sunday)
    assert "download your history anew" in neighbourhood.run(ANN).line
    assert weeks(ann)[-1] == 202446
    neighbourhood.download(ANN, EXPORT, made=sunday + timedelta(hours=12))
    neighbourhood.run(ANN)
    assert weeks(ann)[-1] == 202447


def test_which_weeks_are_released_does_not_depend_on_what_was_watched(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    bob = neighbourhood.join("bob@example.org", 'Title,Date\n"Nothing Known","25/12/2019"\n')
    neighbourhood.run("bob@example.org")
    assert weeks(bob) == weeks(ann)
    assert release(bob).stat().st_size == release(ann).stat().st_size


def test_a_week_is_released_once_it_is_over_and_not_after_it_is_final(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    later = TUESDAY + timedelta(weeks=7)
    neighbourhood.download(ANN, EXPORT, made=later)
    neighbourhood.run(ANN, later)
    assert weeks(ann) == [202443, 202444, 202445, 202446, 202447, 202450, 202451, 202452, 202501, 202502]


def test_before_the_study_has_arrived_the_app_says_what_it_waits_for(neighbourhood: Neighbourhood) -> None:
    neighbourhood.join(ANN, EXPORT)
    with pytest.raises(NotYet, match=f"waiting for study.json of {COORDINATOR}"):
        neighbourhood.run(ANN)


def test_the_catalogue_has_to_be_the_one_of_the_study(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    catalogue = ann.results(COORDINATOR) / "catalogue.csv"
    catalogue.write_bytes(catalogue.read_bytes().replace(b"Dark", b"Bark"))
    with pytest.raises(CatalogueError, match="not the one of study"):
        neighbourhood.run(ANN)
    assert not release(ann).exists()
    catalogue.unlink()
    with pytest.raises(NotYet, match=r"waiting for catalogue\.csv"):
        neighbourhood.run(ANN)


def test_a_study_beyond_the_limits_is_not_joined_and_the_line_says_which(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    publish_study(neighbourhood.coordinator().results(COORDINATOR), {"epsilon": 4.0})
    later = TUESDAY + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=later)
    with pytest.raises(LimitReached, match="max_epsilon_per_week = 2: it asks for 4"):
        neighbourhood.run(ANN, later)
    assert release(ann).read_bytes() == before


def test_two_coordinators_are_joined_by_no_one_who_has_not_compared_their_fingerprint(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    settings = ann.app(PARTICIPANT_APP) / "settings.toml"
    current = ann.results(COORDINATOR) / "study.json"
    study = dataclasses.replace(
        parse_study(current.read_bytes()),
        trust="two-coordinators",
        mechanism="laplace",
        leader=Coordinator(COORDINATOR, "1" * 64, "2" * 64),
        helper=Coordinator("helper@example.org", "3" * 64, "4" * 64),
    )
    current.write_bytes(study.to_json())
    with pytest.raises(LimitReached, match="beyond your limit trust"):
        neighbourhood.run(ANN)
    write_settings(settings, "", {"trust": ["one-coordinator", "two-coordinators"]})
    with pytest.raises(LimitReached, match="none is there now"):
        neighbourhood.run(ANN)
    write_settings(settings, "", {"fingerprint": "0000 " * 10})
    with pytest.raises(LimitReached, match="another one is there now"):
        neighbourhood.run(ANN)
    write_settings(settings, "", {"fingerprint": study.fingerprint.upper()})
    with pytest.raises(NotYet, match=r"waiting for study.json of helper@example.org"):
        neighbourhood.run(ANN)
    theirs = ann.results("helper@example.org") / "study.json"
    write_atomically(theirs, dataclasses.replace(study, min_participants=6).to_json())
    with pytest.raises(NotYet, match="the second coordinator, to publish the same study"):
        neighbourhood.run(ANN)
    assert not release(ann).exists()


def test_nothing_is_drawn_beyond_the_total(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    write_settings(ann.app(PARTICIPANT_APP) / "settings.toml", "", {"max_epsilon_total": 6.0})
    with pytest.raises(LimitReached, match="max_epsilon_total = 6 is reached"):
        neighbourhood.run(ANN)
    with pytest.raises(LimitReached):
        neighbourhood.run(ANN)
    with open_ledger(ledger_path(ann)) as ledger:
        assert ledger.spent() == 6


def test_what_was_drawn_before_the_total_was_reached_is_published(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    write_settings(ann.app(PARTICIPANT_APP) / "settings.toml", "", {"max_epsilon_total": 6.0})
    with pytest.raises(LimitReached):
        neighbourhood.run(ANN)
    assert weeks(ann) == [202443, 202444, 202445]


def test_a_new_study_of_the_coordinator_draws_no_week_again(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    before = np.load(release(ann))
    publish_study(neighbourhood.coordinator().results(COORDINATOR), {"epsilon": 1.0})
    later = TUESDAY + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=later)
    neighbourhood.run(ANN, later)
    after = np.load(release(ann))
    assert after["week"].tolist() == [*before["week"].tolist(), 202448]
    assert (after["count"][:-1] == before["count"]).all()
    assert after["study"][-1] != before["study"][-1]


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_or_missing_release_is_restored_from_the_ledger(
    neighbourhood: Neighbourhood, ann: Workspace, damage: bytes | None
) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    if damage is None:
        release(ann).unlink()
    else:
        release(ann).write_bytes(damage)
    neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before


def test_a_release_is_restored_even_when_the_export_is_gone(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    release(ann).unlink()
    neighbourhood.download(ANN, "").unlink()
    with pytest.raises(HistoryError, match="download yours"):
        neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before


def test_after_a_lost_ledger_what_was_published_is_kept_and_charged(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    ledger_path(ann).unlink()
    with pytest.raises(DeviceElsewhere, match="--take-over"):
        neighbourhood.run(ANN)
    assert "kept and charged 5 weeks" in install_participant(ann, COORDINATOR, [], TUESDAY, take_over=True)
    neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before
    with open_ledger(ledger_path(ann)) as ledger:
        assert ledger.spent() == 10
        assert {draw.origin for draw in ledger.draws()} == {"adopted"}


def test_another_device_steps_aside(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    (release(ann).parent / "device").write_text("0" * 32 + "\n")
    with pytest.raises(DeviceElsewhere) as caught:
        neighbourhood.run(ANN)
    assert caught.value.exit_code == 0


def test_another_device_that_begins_to_publish_during_a_pass_is_left_alone(
    neighbourhood: Neighbourhood, ann: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SyftBox may bring its identifier at any moment: here just after the pass has looked for one."""

    def arrives(*_: object) -> None:
        write_atomically(release(ann).parent / "device", b"0" * 32 + b"\n")

    monkeypatch.setattr("participant.app.check_part", arrives)
    with pytest.raises(DeviceElsewhere, match="has begun to publish"):
        neighbourhood.run(ANN)
    assert not release(ann).exists()


def test_a_withdrawn_member_publishes_nothing_until_they_return_and_nothing_is_drawn_again(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    withdraw_participant(ann, TUESDAY)
    assert not release(ann).exists()
    with pytest.raises((NotYet, SettingsError)):
        neighbourhood.run(ANN)
    install_participant(ann, COORDINATOR, [], TUESDAY, take_over=False)
    neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before


def test_a_member_who_has_withdrawn_and_returned_goes_on_with_the_weeks_since(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    withdraw_participant(ann, TUESDAY)
    later = TUESDAY + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=later)
    install_participant(ann, COORDINATOR, [], later, take_over=False)
    assert [str(week) for week in neighbourhood.run(ANN, later).released] == ["2024-W48"]


def test_the_coordinator_alone_may_read_the_release_and_nothing_else_there(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    folder = release(ann).parent
    assert COORDINATOR in (folder / "syftperm.yaml").read_text()
    assert COORDINATOR in (folder / "syft.pub.yaml").read_text()
    assert '"*"' not in (folder / "syftperm.yaml").read_text() + (folder / "syft.pub.yaml").read_text()


def test_the_history_is_nowhere_below_datasites(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    link = ann.my_datasite / "private" / "netflix_data" / "netflix_full.npy"
    assert link.is_symlink()
    assert np.load(link).tolist() == [
        ["The Blacklist: Season 1: Wujing (No. 84)", "2024-11-21"],
        ["Dark: Season 1: Secrets", "2024-11-13"],
    ]
    assert link.resolve().stat().st_mode & 0o777 == 0o600
    datasites = neighbourhood.root / "datasites"
    real = [path for path in datasites.rglob("*") if path.is_file() and not path.is_symlink()]
    assert real
    for path in real:
        for secret in ("Wujing", "Secrets"):
            for encoding in ("utf-8", "utf-32-le", "utf-16-le"):
                assert secret.encode(encoding) not in path.read_bytes()


def test_a_real_file_at_the_links_place_is_replaced_by_the_link(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    link = ann.my_datasite / "private" / "netflix_data" / "netflix_full.npy"
    link.parent.mkdir(parents=True)
    link.write_bytes(b"an older program's copy")
    neighbourhood.run(ANN)
    assert link.is_symlink()


def test_private_files_are_their_owners_alone(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    for path in files_below(ann.box / "private"):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_a_broken_study_stops_new_releases_and_leaves_the_last_good_one(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    (ann.results(COORDINATOR) / "study.json").write_text("{")
    with pytest.raises(StudyError, match="not JSON"):
        neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before


def second_device(neighbourhood: Neighbourhood, first: Workspace) -> Workspace:
    """Return another machine of the same member: the synced tree is the same, the private folder is its own."""
    box = neighbourhood.root / "boxes" / "second device"
    (box / "apis").mkdir(parents=True)
    (box / "datasites").symlink_to(neighbourhood.root / "datasites")
    config = json.loads(first.config.read_text())
    (box / "config.json").write_text(json.dumps({**config, "data_dir": str(box)}))
    second = load_workspace(box / "config.json")
    install_participant(second, COORDINATOR, [], TUESDAY, take_over=False)
    return second


@pytest.mark.parametrize("way", ["withdraw and return", "take over", "take over before the file is here"])
def test_a_second_device_never_draws_what_the_first_has_drawn(
    neighbourhood: Neighbourhood, ann: Workspace, way: str
) -> None:
    neighbourhood.run(ANN)
    before = {int(record["week"]): record["count"].tolist() for record in np.load(release(ann))}
    second = second_device(neighbourhood, ann)
    home = neighbourhood.home(ANN)
    with pytest.raises(DeviceElsewhere):
        run_app(second, TUESDAY, home)
    if way == "withdraw and return":
        withdraw_participant(second, TUESDAY)
        assert not release(ann).exists()
        with pytest.raises(DeviceElsewhere):
            neighbourhood.run(ANN)  # the first device does not publish again what was taken back
    if way == "take over before the file is here":
        release(ann).unlink()
    install_participant(second, COORDINATOR, [], TUESDAY, take_over=way.startswith("take over"))
    run_app(second, TUESDAY, home)
    if way == "take over before the file is here":
        assert not release(ann).exists()
    else:
        assert {int(record["week"]): record["count"].tolist() for record in np.load(release(ann))} == before
    later = TUESDAY + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=later)
    run_app(second, later, home)
    after = {int(record["week"]): record["count"].tolist() for record in np.load(release(ann))}
    assert 202448 in after
    assert all(after[week] == before[week] for week in after if week in before)


def test_the_first_device_takes_over_again_without_the_weeks_that_the_second_may_have_drawn(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    """Its own ledger is there, and knows nothing of the week that the second device released meanwhile."""
    neighbourhood.run(ANN)
    second, later = second_device(neighbourhood, ann), TUESDAY + timedelta(weeks=1)
    install_participant(second, COORDINATOR, [], TUESDAY, take_over=True)
    neighbourhood.download(ANN, EXPORT, made=later)
    assert [str(week) for week in run_app(second, later, neighbourhood.home(ANN)).released] == ["2024-W48"]
    release(ann).unlink()  # the second device's file has not arrived
    said = install_participant(ann, COORDINATOR, [], later, take_over=True)
    assert "nothing is drawn up to 2024-W48" in said
    assert neighbourhood.run(ANN, later).released == ()


def test_taking_over_from_oneself_and_withdrawing_before_the_first_release_block_nothing(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    withdraw_participant(ann, TUESDAY)
    install_participant(ann, COORDINATOR, [], TUESDAY, take_over=False)
    assert len(neighbourhood.run(ANN).released) == 5
    release(ann).unlink()
    later = TUESDAY + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=later)
    assert "nothing is drawn" not in install_participant(ann, COORDINATOR, [], TUESDAY, take_over=True)


@pytest.mark.parametrize("synced", [None, "", "{}", '{"states": {}}', '{"states": {"a file": {}}}'])
def test_a_new_device_draws_nothing_while_its_client_may_be_bringing_what_another_has_published(
    neighbourhood: Neighbourhood, ann: Workspace, synced: str | None
) -> None:
    study = ann.results(COORDINATOR) / "study.json"
    if synced is None:  # the Go client
        (ann.box / ".data").mkdir()
    else:
        (ann.box / ".metadata.json").write_text('{"version": "0.4.0"}')
        (ann.box / "plugins").mkdir()
        (ann.box / "plugins" / "local_syncstate.json").write_text(synced)
    with pytest.raises(StillArriving, match="first sync"):
        neighbourhood.run(ANN)
    assert not release(ann).parent.exists()
    os.utime(study, (study.stat().st_mtime - 60,) * 2)
    if synced is None or "file" in synced:
        assert len(neighbourhood.run(ANN).released) == 5
    else:
        with pytest.raises(StillArriving):  # its first download has not ended
            neighbourhood.run(ANN)


def test_a_new_device_does_not_take_over_before_it_can_know_what_it_takes_over(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    (ann.box / ".data").mkdir()
    study = ann.results(COORDINATOR) / "study.json"
    away = study.rename(study.with_name("study.json.away"))
    with pytest.raises(NotYet, match=r"waiting for study\.json"):
        neighbourhood.run(ANN)
    away.rename(study)
    with pytest.raises(WorkspaceError, match="again in half a minute"):
        install_participant(ann, COORDINATOR, [], TUESDAY, take_over=True)
    os.utime(study, (study.stat().st_mtime - 60,) * 2)
    install_participant(ann, COORDINATOR, [], TUESDAY, take_over=True)
    assert neighbourhood.run(ANN).released == ()  # it took over from a device whose file is not here
    later = TUESDAY + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=later)
    assert [str(week) for week in neighbourhood.run(ANN, later).released] == ["2024-W48"]


def test_what_arrives_without_the_identifier_of_its_device_claims_nothing_for_this_one(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    device = release(ann).parent / "device"
    away = device.rename(ann.box / "device")
    second = second_device(neighbourhood, ann)
    (second.box / ".data").mkdir()
    with pytest.raises(StillArriving):
        run_app(second, TUESDAY, neighbourhood.home(ANN))
    assert not device.exists()
    away.rename(device)
    with pytest.raises(DeviceElsewhere):
        run_app(second, TUESDAY, neighbourhood.home(ANN))
    assert release(ann).read_bytes() == before


def test_nothing_is_drawn_while_a_published_week_names_a_study_that_has_not_arrived(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    results = ann.results(COORDINATOR)
    publish_study(neighbourhood.coordinator().results(COORDINATOR), {"epsilon": 1.0})
    (old,) = [
        path
        for path in (results / "studies").iterdir()
        if path.stem != json.loads((results / "study.json").read_text())["id"]
    ]
    kept = old.read_bytes()
    old.unlink()
    ledger_path(ann).unlink()
    (release(ann).parent / "device").unlink()
    with pytest.raises(NotYet, match="waiting for the studies"):
        neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before
    old.write_bytes(kept)
    neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before


def test_weeks_that_are_not_drawn_any_more_let_no_later_one_of_an_unknown_study_pass(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    with open_ledger(ledger_path(ann)) as ledger:
        ledger.block(IsoWeek(2024, 46))
    unknown = Release(IsoWeek(2024, 47), "0" * 64, NoisedCounts(np.zeros(6, dtype=np.int16)))
    write_atomically(release(ann), encode_releases([unknown]))
    with pytest.raises(NotYet, match="waiting for the studies"):
        neighbourhood.run(ANN)
    with open_ledger(ledger_path(ann)) as ledger:
        ledger.block(IsoWeek(2024, 47))
    assert neighbourhood.run(ANN).released == ()


def test_taking_over_goes_on_without_weeks_whose_study_never_arrives(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    publish_study(neighbourhood.coordinator().results(COORDINATOR), {"epsilon": 1.0})
    results = ann.results(COORDINATOR)
    shutil.rmtree(results / "studies")
    ledger_path(ann).unlink()
    assert "nothing is drawn up to 2024-W47" in install_participant(ann, COORDINATOR, [], TUESDAY, take_over=True)
    assert neighbourhood.run(ANN).released == ()
    later = TUESDAY + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=later)
    neighbourhood.run(ANN, later)
    assert weeks(ann) == [202448]


def test_with_an_empty_ledger_a_damaged_release_is_not_drawn_again(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    ledger_path(ann).unlink()
    (release(ann).parent / "device").unlink()
    release(ann).write_bytes(release(ann).read_bytes()[:-1])
    assert neighbourhood.run(ANN).released == ()


def test_forged_weeks_of_the_future_are_not_adopted(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    records = np.load(release(ann))
    records["week"] = [203001, 203002, 203003, 203004, 203005]
    np.save(release(ann), records)
    neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before
    with open_ledger(ledger_path(ann)) as ledger:
        assert ledger.spent() == 10


def test_a_withdrawal_that_was_undone_is_finished(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    data = release(ann).read_bytes()
    withdraw_participant(ann, TUESDAY)
    release(ann).write_bytes(data)
    with pytest.raises(NotYet, match="withdrawn"):
        neighbourhood.run(ANN)
    assert not release(ann).exists()


def test_a_coordinator_changed_by_hand_is_refused(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    write_settings(ann.app(PARTICIPANT_APP) / "settings.toml", "", {"aggregator": "other@example.org"})
    with pytest.raises(SettingsError, match="by hand"):
        neighbourhood.run(ANN)


def test_a_command_waits_for_a_pass_and_says_if_it_takes_too_long(
    ann: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("participant.install.PATIENCE", 0.2)
    with only_instance(ann.private(PARTICIPANT_APP)), pytest.raises(FilesError, match="nothing was changed"):
        withdraw_participant(ann, TUESDAY)


def restored(private: Path, copy: Path) -> None:
    """Put an older copy of the private folder back."""
    shutil.rmtree(private)
    shutil.copytree(copy, private)


@pytest.mark.parametrize("file", ["missing", "damaged"])
def test_with_an_older_copy_of_the_ledger_and_no_sound_file_nothing_more_is_drawn(
    neighbourhood: Neighbourhood, ann: Workspace, tmp_path: Path, file: str
) -> None:
    neighbourhood.run(ANN)
    shutil.copytree(ann.box / "private", tmp_path / "copy")
    later = TUESDAY + timedelta(weeks=2)
    neighbourhood.download(ANN, EXPORT, made=later)
    assert len(neighbourhood.run(ANN, later).released) == 2
    restored(ann.box / "private", tmp_path / "copy")
    if file == "missing":
        release(ann).unlink()
    else:
        release(ann).write_bytes(b"damaged")
    assert neighbourhood.run(ANN, later).released == ()
    after = later + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=after)
    assert [str(week) for week in neighbourhood.run(ANN, after).released] == ["2024-W50"]


def test_taking_over_with_an_empty_ledger_and_no_file_draws_nothing_that_is_over(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    shutil.rmtree(ann.box / "private")
    shutil.rmtree(release(ann).parent)
    install_participant(ann, COORDINATOR, [], TUESDAY, take_over=True)
    assert neighbourhood.run(ANN).released == ()


def test_spoiled_cells_of_a_week_that_the_lost_ledger_drew_do_not_draw_it_again(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    shutil.rmtree(ann.box / "private")
    records = np.load(release(ann))
    records["count"][:, 0] = 2
    np.save(release(ann), records)
    install_participant(ann, COORDINATOR, [], TUESDAY, take_over=True)
    assert neighbourhood.run(ANN).released == ()


def test_a_study_that_keeps_weeks_open_longer_opens_none_again(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    """The coordinator's own app refuses to publish one; a coordinator can write it by hand."""
    neighbourhood.run(ANN)
    current = ann.results(COORDINATOR) / "study.json"
    greedy = dataclasses.replace(parse_study(current.read_bytes()), open_weeks=52, weeks=52)
    current.write_bytes(greedy.to_json())
    assert neighbourhood.run(ANN).released == ()
    with open_ledger(ledger_path(ann)) as ledger:
        assert ledger.spent() == 10


def test_removing_the_app_does_not_loosen_the_limits(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    settings = ann.app(PARTICIPANT_APP) / "settings.toml"
    write_settings(settings, "", {"max_epsilon_total": 6.0, "units": ["week"], "max_epsilon_per_week": 0.5})
    with pytest.raises(LimitReached):
        neighbourhood.run(ANN)
    shutil.rmtree(ann.app(PARTICIPANT_APP))
    install_participant(ann, COORDINATOR, [], TUESDAY, take_over=False)
    kept = read_settings(settings)
    assert (kept.max_epsilon_total, kept.units, kept.max_epsilon_per_week) == (6.0, ("week",), 0.5)


@pytest.mark.usefixtures("ann")
def test_the_first_week_under_a_new_study_is_told(neighbourhood: Neighbourhood) -> None:
    neighbourhood.run(ANN)
    study = publish_study(neighbourhood.coordinator().results(COORDINATOR), {"epsilon": 1.0})
    later = TUESDAY + timedelta(weeks=1)
    neighbourhood.download(ANN, EXPORT, made=later)
    assert f"under study {study.id[:8]}, new: epsilon 1 per show" in neighbourhood.run(ANN, later).line


@pytest.mark.parametrize(("limit", "weeks_within"), [(9.9999999999, 4), (10.0, 5), (1.9, 0)])
def test_the_total_is_never_passed_by_a_rounding(
    neighbourhood: Neighbourhood, ann: Workspace, limit: float, weeks_within: int
) -> None:
    write_settings(ann.app(PARTICIPANT_APP) / "settings.toml", "", {"max_epsilon_total": limit})
    if weeks_within < 5:
        with pytest.raises(LimitReached):
            neighbourhood.run(ANN)
    else:
        neighbourhood.run(ANN)
    with open_ledger(ledger_path(ann)) as ledger:
        assert ledger.spent() == 2 * weeks_within


@pytest.mark.parametrize(
    ("total", "left"), [(30, None), (28, None), (27.9, "8 more weeks"), (12, "1 more week"), (10, "0 more weeks")]
)
def test_the_log_says_for_how_many_weeks_the_total_is_enough_when_they_are_few(
    neighbourhood: Neighbourhood, ann: Workspace, total: float, left: str | None
) -> None:
    write_settings(ann.app(PARTICIPANT_APP) / "settings.toml", "", {"max_epsilon_total": float(total)})
    line = neighbourhood.run(ANN).line  # five weeks of epsilon 2 are spent
    assert "5 weeks in all, epsilon 10 of your limit" in line
    assert (f"(enough for {left}; " in line) if left else ("enough" not in line)


def test_the_date_order_of_the_first_export_is_kept_for_later_ones_that_leave_it_open(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    later = TUESDAY + timedelta(weeks=2)
    neighbourhood.download(ANN, 'Title,Date\n"Dark: Season 1: Secrets","2/12/2024"\n', made=later)
    assert neighbourhood.run(ANN, later).released
    kept = np.load(ann.my_datasite / "private" / "netflix_data" / "netflix_full.npy").tolist()
    assert kept == [["Dark: Season 1: Secrets", "2024-12-02"]]


def test_every_file_that_a_pass_depends_on_is_watched(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    """A pass is skipped while none of these changes: a file that were missing here would be noticed on no day."""
    neighbourhood.run(ANN)
    watched = set(watched_files(ann, neighbourhood.home(ANN)))
    results, published, shares = ann.results(COORDINATOR), release(ann).parent, ann.shares(ANN)
    assert watched >= {
        str(path)
        for path in (
            ann.config,
            ann.app(PARTICIPANT_APP) / "settings.toml",
            ledger_path(ann),
            *(published / name for name in ("netflix_reduced.npy", "device", "syftperm.yaml", "syft.pub.yaml")),
            *(shares / name for name in ("", "syftperm.yaml", "syft.pub.yaml")),
            *(results / name for name in ("study.json", "catalogue.csv", "studies")),
            ann.my_datasite / "private" / "netflix_data" / "netflix_full.npy",
            neighbourhood.home(ANN) / "Downloads" / "NetflixViewingHistory.csv",
        )
    }


def test_the_views_of_every_day_of_the_open_weeks_count_and_of_no_other_day(
    neighbourhood: Neighbourhood, ann: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RandomizedResponse, "noise", lambda _, counts: NoisedCounts(counts.astype("i2")))
    first, last = IsoWeek(2024, 43).first_day, IsoWeek(2024, 47).last_day
    days = {"Dark": last, "The Blacklist": first, "Élite": first - timedelta(days=1)}
    rows = "".join(f'"{show}: Season 1: One","{day}"\n' for show, day in days.items())
    neighbourhood.download(ANN, f"Title,Date\n{rows}")
    neighbourhood.run(ANN)
    records = np.load(release(ann))
    names = [show.name for show in SHOWS]
    seen = {(int(record["week"]), names[row]) for record in records for row in np.flatnonzero(record["count"])}
    assert seen == {(202443, "The Blacklist"), (202447, "Dark")}


@pytest.mark.parametrize(
    ("left", "epsilon", "weeks_within"),
    [(0.3, 0.1, 3), (0.29999, 0.1, 2), (4.35, 1.45, 3), (1.0, 0.3, 3), (0.5, 1.0, 0)],
)
def test_as_many_weeks_are_affordable_as_their_losses_add_up_to(
    ann: Workspace, left: float, epsilon: float, weeks_within: int
) -> None:
    settings = ann.app(PARTICIPANT_APP) / "settings.toml"
    write_settings(settings, "", {"max_epsilon_total": left})
    study = Study(catalogue_rows=1, catalogue_sha256="0" * 64, epsilon=epsilon)
    with open_ledger(ledger_path(ann)) as ledger:
        assert affordable_weeks(ledger, read_settings(settings), study) == weeks_within
        for number in range(weeks_within):
            week = IsoWeek(2024, 1).plus(number)
            ledger.record(Draw(week, study.id, "netflix_reduced", b"", "drawn", COORDINATOR), study, TUESDAY)
            assert affordable_weeks(ledger, read_settings(settings), study) == weeks_within - number - 1
        assert ledger.spent() <= left
