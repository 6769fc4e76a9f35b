"""What a member sees before and after anything is spent."""

from datetime import timedelta
from pathlib import Path

import pytest

from aggregator import app as aggregator
from aggregator.terms import publish_study
from participant.app import ledger_path
from participant.install import withdraw_participant
from participant.ledger import read_ledger
from participant.preview import preview
from participant.settings import Settings, read_settings
from participant.status import export_note, standing
from shared.errors import NotYet
from shared.settings import write_settings
from shared.week import IsoWeek
from shared.workspace import PARTICIPANT_APP, Workspace
from tests.conftest import COORDINATOR, EXPORT, TUESDAY, Neighbourhood

ANN = "ann@example.org"
MORE = EXPORT + '"Dark: Season 1: Lies","20/11/2024"\n"Dark: Season 1: Truths","19/11/2024"\n"Who Knows","18/11/2024"\n'
SETTINGS = Settings(COORDINATOR)


@pytest.fixture
def box(neighbourhood: Neighbourhood) -> Workspace:
    """Return the workspace of someone who has not installed the app yet; the coordinator's study is there."""
    aggregator.run(neighbourhood.coordinator(), TUESDAY)
    box = neighbourhood.box(ANN)
    neighbourhood.download(ANN, MORE)
    return box


def files(box: Workspace) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in box.box.rglob("*") if path.is_file()}


def test_before_install_it_shows_weeks_cost_and_the_exact_counts_and_writes_nothing(
    neighbourhood: Neighbourhood, box: Workspace
) -> None:
    before = files(box)
    found = preview(box, SETTINGS, TUESDAY, neighbourhood.home(ANN))
    assert list(map(str, found.weeks)) == ["2024-W43", "2024-W44", "2024-W45", "2024-W46", "2024-W47"]
    assert (found.cost, found.spent, found.obstacle, found.outside) == (10.0, 0.0, None, 1)
    counts = [(show.show, show.views, show.count) for show in found.weeks[IsoWeek.parse("2024-W47")]]
    assert counts == [("Dark", 2, 1), ("The Blacklist", 1, 1)]
    assert found.weeks[IsoWeek.parse("2024-W45")] == []
    assert files(box) == before
    text = "\n".join(found.lines())
    assert "5 weeks, 2024-W43 to 2024-W47, each over all 6 shows" in text
    assert "It costs epsilon 10 (5 x 2); 0 are spent so far, 10 of your limit 52 afterwards." in text
    assert "one show in one of these weeks 7.4 times, in all 5 of them e^10" in text
    assert "2024-W47  Dark: 2 views, counted 1" in text


def test_what_it_shows_is_what_the_next_pass_does(neighbourhood: Neighbourhood, box: Workspace) -> None:
    neighbourhood.join(ANN, MORE)
    settings = read_settings(box.app(PARTICIPANT_APP) / "settings.toml")
    foreseen = preview(box, settings, TUESDAY, neighbourhood.home(ANN))
    assert neighbourhood.run(ANN).released == tuple(foreseen.weeks)
    with read_ledger(ledger_path(box)) as ledger:
        assert ledger.spent() == foreseen.cost
    after = preview(box, settings, TUESDAY, neighbourhood.home(ANN))
    assert (after.weeks, after.spent) == ({}, 10.0)
    assert "nothing new; 10 of your limit 52 are spent" in "\n".join(after.lines())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"max_epsilon_per_week": 1.0}, "beyond your limit max_epsilon_per_week"),
        ({"units": ["week"]}, "beyond your limit units"),
        ({"max_epsilon_total": 4.0}, "only 2 of these weeks are within your limit"),
    ],
)
def test_it_says_what_stands_in_the_way(
    neighbourhood: Neighbourhood, box: Workspace, changes: dict[str, object], says: str
) -> None:
    neighbourhood.join(ANN, MORE)
    path = box.app(PARTICIPANT_APP) / "settings.toml"
    write_settings(path, "", changes)
    found = preview(box, read_settings(path), TUESDAY, neighbourhood.home(ANN))
    assert says in (found.obstacle or "")
    assert f"But: {found.obstacle}" in list(found.lines())


def test_after_a_withdrawal_it_says_so_and_removes_nothing(neighbourhood: Neighbourhood, box: Workspace) -> None:
    neighbourhood.join(ANN, MORE)
    neighbourhood.run(ANN)
    withdraw_participant(box, TUESDAY)
    before = files(box)
    assert "withdrawn" in (preview(box, SETTINGS, TUESDAY, neighbourhood.home(ANN)).obstacle or "")
    assert files(box) == before


def test_status_adds_up_each_studys_weeks_by_themselves(neighbourhood: Neighbourhood, box: Workspace) -> None:
    neighbourhood.join(ANN, MORE)
    neighbourhood.run(ANN)
    publish_study(neighbourhood.coordinator().results(COORDINATOR), {"epsilon": 1.0})
    later = TUESDAY.replace(month=12, day=3)
    neighbourhood.download(ANN, MORE, made=later)
    neighbourhood.run(ANN, later)
    settings = read_settings(box.app(PARTICIPANT_APP) / "settings.toml")
    with read_ledger(ledger_path(box)) as ledger:
        text = "\n".join(standing(box, settings, ledger).lines())
    assert "epsilon 11 of your limit 52 is spent" in text
    assert "one show in one week at epsilon 1, 2.8 times; five shows of one week, 150 times" in text
    assert (
        "one show in one week at epsilon 2, 7.4 times; in all 5 of these weeks, e^10 times; five shows of one week, "
        "e^10 times" in text
    )


def test_status_says_when_the_export_is_old_or_gone(neighbourhood: Neighbourhood, box: Workspace) -> None:
    neighbourhood.join(ANN, MORE)
    settings, home = read_settings(box.app(PARTICIPANT_APP) / "settings.toml"), neighbourhood.home(ANN)
    with read_ledger(ledger_path(box)) as ledger:
        assert export_note(settings, ledger, TUESDAY + timedelta(days=13), home) is None
        note = export_note(settings, ledger, TUESDAY + timedelta(days=14), home)
        assert "of 2024-11-26, and 2 weeks since are over" in (note or "")
        assert list(standing(box, settings, ledger, note).lines())[-1] == note
        neighbourhood.download(ANN, "").unlink()
        assert "https://www.netflix.com/viewingactivity" in (export_note(settings, ledger, TUESDAY, home) or "")


def test_a_copy_of_the_ledger_keeps_nothing(neighbourhood: Neighbourhood, box: Workspace) -> None:
    neighbourhood.join(ANN, MORE)
    with read_ledger(ledger_path(box)) as copy:
        copy.note("anything", "written")
        device = copy.device
    with read_ledger(ledger_path(box)) as copy:
        assert (copy.fact("anything"), copy.device) == ("", device)


def test_an_old_export_is_why_nothing_would_be_released(neighbourhood: Neighbourhood) -> None:
    neighbourhood.coordinator()
    box = neighbourhood.join("olga@example.org", 'Title,Date\n"Dark","2024-07-01"\n', TUESDAY - timedelta(weeks=12))
    publish_study(box.results(COORDINATOR), {})
    settings = read_settings(box.app(PARTICIPANT_APP) / "settings.toml")
    found = preview(box, settings, TUESDAY, neighbourhood.home("olga@example.org"))
    assert found.weeks == {}
    assert "download your history anew" in (found.obstacle or "")


def test_an_old_export_with_a_new_date_is_doubted_before_its_weeks_are_released_as_empty(
    neighbourhood: Neighbourhood, box: Workspace
) -> None:
    later = TUESDAY + timedelta(days=21)
    neighbourhood.download(ANN, MORE, made=later)
    found = preview(box, SETTINGS, later, neighbourhood.home(ANN))
    assert "the last 3 weeks of your export have no view" in "\n".join(found.lines())
    neighbourhood.download(ANN, MORE, made=later - timedelta(days=7))
    sooner = preview(box, SETTINGS, later - timedelta(days=7), neighbourhood.home(ANN))
    assert sooner.weeks
    assert sooner.doubt is None


def test_one_week_is_told_as_one_and_after_a_withdrawal_it_tells_how_to_come_back(
    neighbourhood: Neighbourhood, box: Workspace
) -> None:
    neighbourhood.join(ANN, MORE)
    neighbourhood.run(ANN)
    settings, later = read_settings(box.app(PARTICIPANT_APP) / "settings.toml"), TUESDAY + timedelta(days=7)
    neighbourhood.download(ANN, MORE, made=later)
    text = "\n".join(preview(box, settings, later, neighbourhood.home(ANN)).lines())
    assert "would release 1 week, 2024-W48, over all 6 shows" in text
    withdraw_participant(box, later)
    with pytest.raises(NotYet, match="install --aggregator EMAIL"):
        preview(box, read_settings(box.app(PARTICIPANT_APP) / "settings.toml"), later, neighbourhood.home(ANN))
