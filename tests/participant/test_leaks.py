"""Nothing of a history is to be seen but its noised release: not in files, names, times, lines or errors."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator import app as aggregator
from participant import app
from participant.cli import ParticipantApp, call
from participant.exports import History
from participant.full_history import full_history_files
from participant.install import install_participant
from shared.errors import HistoryError
from shared.files import write_atomically
from shared.runner import run_once
from shared.settings import write_settings
from shared.week import IsoWeek
from shared.workspace import DEVICE_FILE, PARTICIPANT_APP, RELEASE_FILE, Workspace
from tests.conftest import COORDINATOR, EXPORT, SHOWS, TUESDAY
from tests.participant.killing import ANN, Place, passing, result_of, state_of, traced

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # NumPy's threads, idle

View = tuple[str, date]
EARLIEST = date(2024, 9, 1)
SUNDAY = datetime(2024, 11, 17, 23, tzinfo=UTC)
PASSES = [  # when the app runs, and when the newest export was made
    (SUNDAY, SUNDAY),
    (SUNDAY + timedelta(hours=3), SUNDAY),
    (TUESDAY, SUNDAY),
    (TUESDAY, TUESDAY),
    (TUESDAY + timedelta(weeks=1), TUESDAY),
    (TUESDAY + timedelta(weeks=1), TUESDAY + timedelta(weeks=1)),
]
TITLES = st.one_of(
    st.sampled_from([show.name for show in SHOWS]).map(lambda name: f"{name}: Season 1: Pilot"),
    st.text("abcdefghijklmnopqrstuvwxyzÄéñ :", min_size=1, max_size=40).map(lambda text: f"x{text}"),
)
HISTORIES = st.lists(st.tuples(TITLES, st.dates(EARLIEST, TUESDAY.date())), max_size=30)


def install(place: Place) -> None:
    """Let the coordinator publish a study, and Ann install the app."""
    aggregator.run(place.neighbourhood.coordinator(), TUESDAY)
    place.neighbourhood.box(ANN)
    install_participant(place.ann, COORDINATOR, [], SUNDAY, take_over=False)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place where Ann has installed the app and downloaded nothing."""
    found = Place(tmp_path / "now", tmp_path / "kept")
    install(found)
    return found


@pytest.fixture(scope="module")
def unused(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place that is kept as it is before anything was watched."""
    root = tmp_path_factory.mktemp("leaks")
    found = Place(root / "now", root / "kept")
    install(found)
    found.keep()
    return found


def public(box: Workspace) -> dict[str, object]:
    """Return what the coordinator or a server may see of a datasite, but for the noised cells and the identifier."""
    seen: dict[str, object] = {}
    for path in sorted(box.my_datasite.rglob("*")):
        status, content = path.lstat(), b""
        if path.is_symlink():
            content = str(path.readlink()).encode()
        elif path.name == RELEASE_FILE:
            records = np.load(path)
            content = repr((records.dtype, records.shape, records["week"].tolist(), records["study"].tolist())).encode()
        elif path.is_file() and path.name != DEVICE_FILE:
            content = path.read_bytes()
        size = 0 if path.is_dir() else status.st_size
        seen[str(path.relative_to(box.my_datasite))] = (status.st_mode, size, content)
    return seen


def touched(box: Workspace) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in box.my_datasite.rglob("*")}


def watched_by_others(place: Place, views: list[View]) -> list[object]:
    """Return all that a history shows to others, pass by pass: public files, which were written, lines, exit codes."""
    place.bring_back()
    seen: list[object] = []
    for now, made in PASSES:
        rows = "".join(f'"{title}","{day.isoformat()}"\n' for title, day in views if day <= made.date())
        place.neighbourhood.download(ANN, f"Title,Date\n{rows}", made)
        before = touched(place.ann)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            answer = run_once(lambda now=now: ParticipantApp(place.ann, lambda: now, place.neighbourhood.home(ANN)))  # type: ignore[misc]
        after = touched(place.ann)
        written = {path for path in after if after[path] != before.get(path)}
        seen.append((public(place.ann), written, answer, out.getvalue(), err.getvalue()))
    return seen


@given(HISTORIES, HISTORIES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_two_histories_look_the_same_to_others_but_for_the_noised_cells(
    unused: Place, one: list[View], other: list[View]
) -> None:
    seen = watched_by_others(unused, one)
    assert seen == watched_by_others(unused, other)
    assert "released 2024-W48; 8 weeks in all" in str(seen)


def release_if_something_was_watched(*what: Any) -> tuple[IsoWeek, ...]:
    history = next(each for each in what if isinstance(each, History))
    return release_due(*what) if len(history.views) else ()


release_due = app._release_due
LEAKS: dict[str, tuple[str, Callable[..., object]]] = {
    "the line tells how many views there are": (
        "participant.app._summary",
        lambda _ledger, _settings, _study, history, *_: f"released 2024-W47 of {len(history.views)} views",
    ),
    "only who watched something releases": ("participant.app._release_due", release_if_something_was_watched),
    "the file tells how much was watched": (
        "participant.app.keep_full_history",
        lambda workspace, views: write_atomically(workspace.my_datasite / "size", b"x" * len(views)),
    ),
    "a file's name tells how much was watched": (
        "participant.app.keep_full_history",
        lambda workspace, views: write_atomically(workspace.my_datasite / str(len(views)), b""),
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_difference_between_two_histories_is_seen(
    unused: Place, monkeypatch: pytest.MonkeyPatch, leak: str
) -> None:
    """The twin: each of these leaks fails the test above."""
    monkeypatch.setattr(*LEAKS[leak])
    many = [("Dark: Season 1: Secrets", TUESDAY.date())]
    assert watched_by_others(unused, many) != watched_by_others(unused, [])


# -- canaries: titles, a date and a count that occur nowhere else --

CANARY = "Zyxxyz Quuxfrob"
DAY = date(2023, 5, 17)
ROWS = 1_873
TRACES = re.compile(r"Zyxxyz|Quuxfrob|2023-05-17|17/05/2023|5/17/23|1[,.]?873", re.IGNORECASE)
ACTIVITY = (
    "Profile Name,Start Time,Duration,Attributes,Title,Supplemental Video Type,Device Type,Bookmark,Latest Bookmark,"
    "Country\n"
)


def canaries(write: Callable[[int], str] = lambda number: f'"{CANARY} {number}: Season 1: Ep","{DAY}"\n') -> str:
    return "Title,Date\n" + "".join(map(write, range(ROWS)))


def locked_zip(text: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{CANARY}/NetflixViewingHistory.csv", text)
        archive.writestr(f"{CANARY} 2/NetflixViewingHistory.csv", text)
    return data.getvalue()


EXPORTS: dict[str, bytes] = {
    "good": canaries().encode(),
    "cut off": canaries().encode()[:-8],
    "cut off in a title": (canaries() + f'"{CANARY}').encode(),
    "of no known form": canaries().replace("Title,Date", CANARY).encode(),
    "with a damaged middle": canaries().encode()[:30_000] + b"\xff\xfe\x00\x81" * 40 + canaries().encode()[30_000:],
    "with NUL bytes": canaries().replace("Season", "\0").encode(),
    "with dates that are none": canaries().replace(str(DAY), CANARY).encode(),
    "with dates of two orders": canaries(
        lambda number: f'"{CANARY} {number}","{"17/05/2023" if number % 2 else "5/17/2023"}"\n'
    ).encode(),
    "with dates that leave the order open": canaries(lambda number: f'"{CANARY} {number}","5/5/23"\n').encode(),
    "with dates after its own time": canaries().replace("2023", "2031").encode(),
    "with one line": (f"Title,Date\n{CANARY}" * 40_000).encode(),
    "of several profiles": (
        ACTIVITY + "".join(f"{CANARY} {n % 3},{DAY} 20:00:00,00:40:00,,{CANARY},,TV,,,GB\n" for n in range(ROWS))
    ).encode(),
    "in a zip that holds two": locked_zip(canaries()),
    "in a damaged zip": locked_zip(canaries())[:-40],
    "that is a web page": f"<html><title>{CANARY}</title>".encode(),
    "that is empty": b"",
}


def break_study(box: Workspace) -> None:
    (box.results(COORDINATOR) / "study.json").write_text("{")


def break_catalogue(box: Workspace) -> None:
    (box.results(COORDINATOR) / "catalogue.csv").write_text("row")


def break_ledger(box: Workspace) -> None:
    app.ledger_path(box).write_bytes(b"none" * 1000)


def break_settings(box: Workspace) -> None:
    (box.app(PARTICIPANT_APP) / "settings.toml").write_text("a = [")


def lower_the_limit(box: Workspace) -> None:
    write_settings(box.app(PARTICIPANT_APP) / "settings.toml", "", {"max_epsilon_total": 3.0})


def take_the_history_s_place(box: Workspace) -> None:
    full_history_files(box)[0].mkdir(parents=True)


def take_the_links_place(box: Workspace) -> None:
    full_history_files(box)[1].mkdir(parents=True)


def do_nothing(_box: Workspace) -> None:
    pass


BROKEN = [
    do_nothing,
    break_study,
    break_catalogue,
    break_ledger,
    break_settings,
    lower_the_limit,
    take_the_history_s_place,
    take_the_links_place,
]
DEFECTS = [
    "participant.app.keep_full_history",
    "participant.app.count_views",
    "participant.app.bound_counts",
    "participant.app.release_file",
    "participant.app._summary",
    "participant.exports.read_history",
    "participant.exports.merge_exports",
]


def logged(place: Place, *arguments: str) -> str:
    """Run the app as SyftBox does, and return what it said, which SyftBox keeps in the app's logs folder."""
    log = place.ann.app(PARTICIPANT_APP) / "logs" / "app.log"
    log.parent.mkdir(exist_ok=True)

    def run() -> None:
        os.environ["SYFTBOX_CLIENT_CONFIG_PATH"] = str(place.ann.config)
        os.environ["HOME"] = str(place.neighbourhood.home(ANN))
        with log.open("a", encoding="utf-8") as file:
            sys.stdout = sys.stderr = file
            call(list(arguments) or ["run"])

    result_of(run)
    return log.read_text(encoding="utf-8")


def check_for_traces(place: Place, said: str) -> None:
    """Check that one line was said at least, and that neither it nor anything that is not private has a trace."""
    assert said.strip()
    assert "Traceback" not in said
    assert not TRACES.search(said), said
    assert not TRACES.search(everything_but_private(place))


def everything_but_private(place: Place) -> str:
    """Return names and contents of all files in the app's folder, its logs among them, and below datasites/."""
    found = []
    for top in (place.ann.apps, place.root / "datasites"):
        for path in top.rglob("*"):
            found.append(str(path.relative_to(place.root)))
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                found += [data.decode(encoding, "ignore") for encoding in ("utf-8", "utf-16-le", "utf-32-le")]
    return "\n".join(found)


def download_now(place: Place, data: bytes, name: str = "NetflixViewingHistory.csv") -> None:
    """Put an export into Downloads that was made just now: the command's clock is the machine's."""
    place.neighbourhood.download(ANN, "").unlink()
    path = place.neighbourhood.home(ANN) / "Downloads" / name
    path.write_bytes(data)
    write_settings(place.ann.app(PARTICIPANT_APP) / "settings.toml", "", {"history": [str(path)]})


@pytest.mark.parametrize("form", EXPORTS)
def test_no_title_date_or_count_of_an_export_reaches_what_others_see(place: Place, form: str) -> None:
    download_now(place, EXPORTS[form])
    said = logged(place)
    check_for_traces(place, said)
    if form == "good":
        assert "released" in said
        link = full_history_files(place.ann)[1]
        assert CANARY in str(np.load(link)[0])


@pytest.mark.parametrize("harm", BROKEN)
def test_no_title_date_or_count_is_seen_when_something_is_broken(
    place: Place, harm: Callable[[Workspace], None]
) -> None:
    download_now(place, EXPORTS["good"])
    harm(place.ann)
    check_for_traces(place, logged(place))


COMMANDS = (
    ["install"],
    ["run"],
    ["status"],
    ["status", "--json"],
    ["report"],
    ["install", "--take-over"],
    ["withdraw"],
)


def test_no_command_about_taking_part_cites_a_title_or_a_date(place: Place) -> None:
    download_now(place, EXPORTS["good"])
    for arguments in COMMANDS:
        said = logged(place, *arguments).replace(
            f"{ROWS:,}", ""
        )  # how many rows were read, install says: on a terminal
        assert said.strip()
        assert not TRACES.search(said)


def test_uninstall_cites_neither_title_nor_date_and_leaves_none(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    download_now(place, EXPORTS["good"])
    assert "released" in logged(place)
    monkeypatch.setenv("SYFTBOX_CLIENT_CONFIG_PATH", str(place.ann.config))
    assert call(["uninstall"]) == 0
    check_for_traces(place, "".join(capsys.readouterr()))


@pytest.mark.parametrize("where", DEFECTS)
def test_a_defect_of_ours_keeps_its_text_to_itself(place: Place, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError(f"{CANARY} on {DAY}, one of {ROWS}")

    download_now(place, EXPORTS["good"])
    monkeypatch.setattr(where, fail)
    said = logged(place)
    check_for_traces(place, said)
    assert "unexpected KeyError" in said
    error = app.ledger_path(place.ann).parent / "last_error.txt"
    assert CANARY in error.read_text()
    assert error.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("trace", [f"{CANARY}: Season 1", str(DAY), f"{ROWS:,} rows"])
def test_a_canary_in_an_error_is_seen(place: Place, monkeypatch: pytest.MonkeyPatch, trace: str) -> None:
    """The twin: an error that cites a title, a date or a count fails the tests above."""

    def cite(*_: object, **__: object) -> None:
        raise HistoryError(f"cannot read {trace}")

    download_now(place, EXPORTS["good"])
    monkeypatch.setattr("participant.exports.read_history", cite)
    with pytest.raises(AssertionError):
        check_for_traces(place, logged(place))


# -- where is written, from the first byte on --

ALLOWED = re.compile(
    r"ann@example\.org/(api_data(/netflix_trend_participant(/"
    r"(\.?(netflix_reduced\.npy|device|syftperm\.yaml|syft\.pub\.yaml)(\.[0-9a-f]{8}\.tmp)?))?)?"
    r"|private(/netflix_data)?)"
)
LINK = "symlink ann@example.org/private/netflix_data/netflix_full.npy"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def written_in_the_synced_tree(place: Place, work: Callable[[], object]) -> list[str]:
    """Return everything that is made, opened for writing, or put anywhere below datasites/ by a pass."""
    top = (place.root / "datasites").resolve()

    def record() -> list[str]:
        found: list[str] = []

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            paths: list[object] = []
            if event == "open" and (arguments[2] or 0) & _WRITING:
                paths = [arguments[0]]
            elif event in {"os.rename", "os.link"}:
                paths = list(arguments[:2])
            elif event == "os.symlink":
                paths = [arguments[1]]
            elif event in {"os.mkdir", "sqlite3.connect", "os.truncate"}:
                paths = [arguments[0]]
            for path in paths:
                if isinstance(path, str | bytes | os.PathLike):
                    absolute = Path(os.fsdecode(path))
                    real = absolute.parent.resolve() / absolute.name
                    if real.is_relative_to(top):
                        prefix = "symlink " if event == "os.symlink" else ""
                        found.append(prefix + str(real.relative_to(top)))

        sys.addaudithook(hook)
        work()
        return found

    found: list[str] = result_of(record)
    return found


def test_only_the_release_and_its_permissions_are_ever_written_in_the_synced_tree(place: Place) -> None:
    place.neighbourhood.download(ANN, EXPORT)
    written = written_in_the_synced_tree(place, lambda: passing()(place.neighbourhood))
    assert LINK in written
    assert any(name.endswith(f"/{RELEASE_FILE}") for name in written)
    assert [name for name in written if name != LINK and not ALLOWED.fullmatch(name)] == []


def test_a_history_that_is_in_the_synced_tree_for_a_moment_is_seen(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: moving the full history out of the datasite again fails the test above."""

    def through_the_datasite(workspace: Workspace, _views: pd.DataFrame) -> None:
        target, link = full_history_files(workspace)
        write_atomically(link, b"history")
        target.parent.mkdir(parents=True, exist_ok=True)
        link.rename(target)

    monkeypatch.setattr("participant.app.keep_full_history", through_the_datasite)
    place.neighbourhood.download(ANN, EXPORT)
    written = written_in_the_synced_tree(place, lambda: passing()(place.neighbourhood))
    assert [name for name in written if name != LINK and not ALLOWED.fullmatch(name)]


def ever_open_to_others(place: Place, work: Callable[[], object]) -> tuple[set[str], set[str]]:
    """Return the private files and folders there were at any moment, and which of them others could have opened."""
    private = place.ann.box / "private"

    def look() -> tuple[set[str], set[str]]:
        os.umask(0)
        there: set[str] = set()
        open_to_others: set[str] = set()

        def at_each(_number: int) -> None:
            if not private.exists():
                return
            found = [(str(private), private.stat().st_mode)]
            found += [(path, mode) for path, *_, mode in state_of(private)]
            for path, mode in found:
                name = re.sub(r"\.[0-9a-f]{8}\.tmp", ".tmp", Path(path).name)
                there.add(name)
                if mode & 0o077:
                    open_to_others.add(name)

        traced(work, at_each, "line")
        return there, open_to_others

    found: tuple[set[str], set[str]] = result_of(look)
    return found


PRIVATE = {"private", "netflix_data", PARTICIPANT_APP, "ledger.sqlite", "ledger.sqlite-journal", "lock", "stamp.json"}
PRIVATE |= {"netflix_full.npy", ".netflix_full.npy.tmp", "last_error.txt", ".last_error.txt.tmp"}


@pytest.fixture
def fresh(tmp_path: Path) -> Place:
    """Return a place with a study, where Ann has installed nothing: there is no private folder."""
    found = Place(tmp_path / "now", tmp_path / "kept")
    aggregator.run(found.neighbourhood.coordinator(), TUESDAY)
    found.neighbourhood.box(ANN)
    found.neighbourhood.download(ANN, EXPORT)
    return found


def whole_life(place: Place) -> Callable[[], None]:
    """Return an install, a pass, and one that meets a defect."""

    def work() -> None:
        install_participant(place.ann, COORDINATOR, [], TUESDAY, take_over=False)
        passing()(place.neighbourhood)
        later = TUESDAY + timedelta(weeks=1)
        place.neighbourhood.download(ANN, EXPORT, made=later)
        with mock.patch("participant.app.bound_counts", side_effect=ZeroDivisionError):
            passing(later)(place.neighbourhood)

    return work


def test_private_files_and_folders_are_their_owners_alone_from_their_first_moment(fresh: Place) -> None:
    there, open_to_others = ever_open_to_others(fresh, whole_life(fresh))
    assert there >= PRIVATE
    assert open_to_others == set()


def test_a_private_folder_that_others_may_enter_is_seen(fresh: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: folders and files with the modes that a careless program gives them fail the test above."""
    monkeypatch.setattr(
        "participant.full_history.write_atomically", lambda path, data, **_: write_atomically(path, data)
    )
    assert ever_open_to_others(fresh, whole_life(fresh))[1] >= {"netflix_data", "netflix_full.npy"}
