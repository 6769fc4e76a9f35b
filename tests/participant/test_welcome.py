"""The way in and out: what install asks, checks and tells, and what uninstall leaves."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from aggregator import app as aggregator
from participant.app import ledger_path
from participant.full_history import full_history_files
from participant.install import install_participant, uninstall_participant
from participant.ledger import read_ledger
from participant.settings import read_settings
from participant.welcome import Wishes, ask_what_is_missing, checks
from shared.errors import SettingsError
from shared.settings import write_settings
from shared.workspace import DEVICE_FILE, PARTICIPANT_APP, RELEASE_FILE, Workspace
from tests.conftest import COORDINATOR, EXPORT, TUESDAY, Neighbourhood

ANN = "ann@example.org"
ACTIVITY = (
    "Profile Name,Start Time,Duration,Attributes,Title,Supplemental Video Type,Device Type,Bookmark,Latest Bookmark,"
    "Country\n"
    "Ann,2024-11-21 20:00:00,00:43:00,,Dark: Season 1: Secrets (Episode 1),,TV,00:43:00,00:43:00,GB (UK)\n"
    "Bob,2024-11-20 20:00:00,00:43:00,,Dark: Season 1: Lies (Episode 2),,TV,00:43:00,00:43:00,GB (UK)\n"
)
OPEN_ORDER = 'Title,Date\n"Dark: Season 1: Secrets","05/11/2024"\n"Dark: Season 1: Lies","04/11/2024"\n'


class Person:
    """Answers what is asked, and remembers it."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def text(self, question: str, default: str | None, check: Callable[[str], str]) -> str:
        self.asked.append(f"{question} [{default}]")
        return check(self.answers.pop(0))

    def choice(self, question: str, choices: Sequence[str]) -> str:
        self.asked.append(f"{question} {list(choices)}")
        answer = self.answers.pop(0)
        assert answer in choices
        return answer


@pytest.fixture
def box(neighbourhood: Neighbourhood) -> Workspace:
    """Return the workspace of someone who has an export and has not installed the app; the study is there."""
    aggregator.run(neighbourhood.coordinator(), TUESDAY)
    box = neighbourhood.box(ANN)
    neighbourhood.download(ANN, EXPORT)
    return box


def test_it_asks_for_the_coordinator_alone_and_proposes_the_one_that_is_here(
    neighbourhood: Neighbourhood, box: Workspace
) -> None:
    person = Person(COORDINATOR.upper())
    wishes = ask_what_is_missing(box, Wishes(), neighbourhood.home(ANN), person)
    assert (wishes, person.asked) == (Wishes(COORDINATOR), [f"The coordinator's e-mail address [{COORDINATOR}]"])
    told = Person()
    assert ask_what_is_missing(box, Wishes(COORDINATOR), neighbourhood.home(ANN), told).aggregator == COORDINATOR
    assert told.asked == []
    with pytest.raises(SettingsError):
        ask_what_is_missing(box, Wishes(), neighbourhood.home(ANN), Person("nobody"))


def test_what_was_installed_is_not_asked_again(neighbourhood: Neighbourhood, box: Workspace) -> None:
    install_participant(box, COORDINATOR, [], TUESDAY, take_over=False)
    person = Person()
    assert ask_what_is_missing(box, Wishes(), neighbourhood.home(ANN), person) == Wishes()
    assert person.asked == []


def test_it_asks_which_profile_is_mine_and_the_newest_export_stays_found_by_itself(
    neighbourhood: Neighbourhood, box: Workspace
) -> None:
    neighbourhood.download(ANN, ACTIVITY)
    person = Person("Ann")
    wishes = ask_what_is_missing(box, Wishes(COORDINATOR), neighbourhood.home(ANN), person)
    assert person.asked == ["Which profile is yours? ['Ann', 'Bob']"]
    install_participant(box, COORDINATOR, [], TUESDAY, take_over=False, profile=wishes.profile)
    settings = read_settings(box.app(PARTICIPANT_APP) / "settings.toml")
    assert (settings.profile, settings.history) == ("Ann", ())
    assert len(neighbourhood.run(ANN).released) == 5
    neighbourhood.download(ANN, EXPORT)  # of one profile: the name is not needed
    neighbourhood.run(ANN)


def test_a_profile_that_is_not_there_is_asked_for_again(neighbourhood: Neighbourhood, box: Workspace) -> None:
    neighbourhood.download(ANN, ACTIVITY)
    person = Person("Bob")
    wishes = ask_what_is_missing(box, Wishes(COORDINATOR, profile="Carl"), neighbourhood.home(ANN), person)
    assert wishes.profile == "Bob"


def test_it_asks_for_the_date_order_where_the_export_leaves_it_open(
    neighbourhood: Neighbourhood, box: Workspace
) -> None:
    neighbourhood.download(ANN, OPEN_ORDER)
    person = Person("day-first")
    wishes = ask_what_is_missing(box, Wishes(COORDINATOR), neighbourhood.home(ANN), person)
    assert wishes.date_order == "day-first"
    assert "['day-first', 'month-first']" in person.asked[0]
    install_participant(box, COORDINATOR, [], TUESDAY, take_over=False, date_order=wishes.date_order)
    assert len(neighbourhood.run(ANN).released) == 5


def test_asking_writes_nothing(neighbourhood: Neighbourhood, box: Workspace) -> None:
    before = set(box.box.rglob("*"))
    ask_what_is_missing(box, Wishes(), neighbourhood.home(ANN), Person(COORDINATOR))
    assert set(box.box.rglob("*")) == before


def told(neighbourhood: Neighbourhood, box: Workspace) -> str:
    return "\n".join(checks(box, TUESDAY, neighbourhood.home(ANN)))


def test_it_ends_with_what_happens_next_and_when(neighbourhood: Neighbourhood, box: Workspace) -> None:
    install_participant(box, COORDINATOR, [], TUESDAY, take_over=False)
    said = told(neighbourhood, box)
    assert f"of {COORDINATOR} is here and within your limits: epsilon 2 per show and week over 6 shows" in said
    assert "by at most 7.4 times" in said
    assert "releases the weeks 2024-W43 to 2024-W47, for epsilon 10 of your limit 52" in said
    assert "a history downloaded on Monday, 02 December or later" in said
    neighbourhood.run(ANN)
    assert "nothing new to release now" in told(neighbourhood, box)


def test_it_says_what_is_missing_or_beyond_the_limits(neighbourhood: Neighbourhood, box: Workspace) -> None:
    install_participant(box, COORDINATOR, [], TUESDAY, take_over=False)
    write_settings(box.app(PARTICIPANT_APP) / "settings.toml", "", {"max_epsilon_per_week": 1.0})
    assert told(neighbourhood, box).count("beyond your limit max_epsilon_per_week = 1") == 1
    assert "nothing is released before" in told(neighbourhood, box)
    (box.results(COORDINATOR) / "study.json").unlink()
    assert "is not here yet; SyftBox brings it, and the app waits" in told(neighbourhood, box)


def test_an_address_that_no_datasite_has_is_asked_about(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.box(ANN)
    install_participant(box, "nobody@example.org", [], TUESDAY, take_over=False)
    assert "check the address" in told(neighbourhood, box)


def test_uninstall_takes_back_removes_the_app_and_keeps_the_ledger(
    neighbourhood: Neighbourhood, box: Workspace
) -> None:
    neighbourhood.join(ANN, EXPORT)
    neighbourhood.run(ANN)
    said = uninstall_participant(box, TUESDAY)
    history, link = full_history_files(box)
    for path in (box.app(PARTICIPANT_APP), history.parent, link.parent, box.api_data(ANN) / RELEASE_FILE):
        assert not path.exists()
    assert "withdrawn" in said
    assert f"kept {ledger_path(box)}" in said
    with read_ledger(ledger_path(box)) as ledger:
        assert len(ledger.weeks()) == 5
    install_participant(box, COORDINATOR, [], TUESDAY, take_over=False)
    assert neighbourhood.run(ANN).released == ()


def test_uninstall_where_another_device_publishes_leaves_that_alone(
    neighbourhood: Neighbourhood, box: Workspace
) -> None:
    neighbourhood.join(ANN, EXPORT)
    neighbourhood.run(ANN)
    device = box.api_data(ANN) / DEVICE_FILE
    device.write_text("another\n")
    release = (box.api_data(ANN) / RELEASE_FILE).read_bytes()
    assert "withdrawn" not in uninstall_participant(box, TUESDAY)
    assert (box.api_data(ANN) / RELEASE_FILE).read_bytes() == release
    assert device.read_text() == "another\n"


def test_uninstall_where_nothing_is_writes_nothing(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.box(ANN)
    before = set(box.box.rglob("*"))
    assert "nothing is installed" in uninstall_participant(box, TUESDAY)
    assert set(box.box.rglob("*")) == before


def test_of_an_app_folder_that_is_a_link_the_link_alone_is_removed(
    neighbourhood: Neighbourhood, box: Workspace, tmp_path: Path
) -> None:
    neighbourhood.join(ANN, EXPORT)
    elsewhere = tmp_path / "elsewhere"
    box.app(PARTICIPANT_APP).rename(elsewhere)
    box.app(PARTICIPANT_APP).symlink_to(elsewhere)
    uninstall_participant(box, TUESDAY)
    assert not box.app(PARTICIPANT_APP).is_symlink()
    assert (elsewhere / "run.sh").exists()
