"""Draw, record, publish: whatever ends a pass, and whenever, each week is drawn once and nothing seen is unsaid."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import participant
from aggregator import app as aggregator
from participant import ledger as ledgers
from participant.app import ledger_path
from participant.install import install_participant, withdraw_participant
from participant.ledger import Draw, Ledger
from participant.publish import release_file
from shared.errors import ExitCode, FilesError, LedgerError, WorkspaceError
from shared.files import write_atomically
from shared.glance import Answer
from shared.runner import say
from shared.study import Study
from shared.workspace import DEVICE_FILE, RELEASE_FILE, Workspace
from tests.conftest import COORDINATOR, EXPORT, TUESDAY, Neighbourhood
from tests.participant.killing import (
    ANN,
    Cells,
    Place,
    Step,
    draws_of,
    exit_code_of,
    in_a_fork,
    keeps,
    killed_at,
    killed_at_call,
    litter,
    passing,
    published,
    result_of,
    state_of,
    steps_that_changed_the_disk,
    with_fault,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # NumPy's threads, idle

EVERY = os.environ.get("KILL_BEFORE_EVERY", "")
"""`line` or `opcode`: kill before every one, rather than once in each state that the disk passes through. Hours."""
CALLS = ("pwrite64", "fdatasync", "rename", "unlink")
ALL_CALLS = (*CALLS, "openat", "mkdir", "write", "fsync", "symlink", "fchmod", "chmod", "ftruncate", "close")
"""The system calls with which a pass can change the disk."""
NEXT_WEEK = TUESDAY + timedelta(weeks=1)


def install(neighbourhood: Neighbourhood) -> object:
    return install_participant(neighbourhood.box(ANN), COORDINATOR, [], TUESDAY, take_over=False)


def take_over(neighbourhood: Neighbourhood) -> object:
    return install_participant(neighbourhood.box(ANN), COORDINATOR, [], TUESDAY, take_over=True)


def withdraw(neighbourhood: Neighbourhood) -> object:
    return withdraw_participant(neighbourhood.box(ANN), TUESDAY)


def lose_the_ledger(neighbourhood: Neighbourhood) -> None:
    shutil.rmtree(ledger_path(neighbourhood.box(ANN)).parent)


def download_next_week(neighbourhood: Neighbourhood) -> None:
    neighbourhood.download(ANN, EXPORT, made=NEXT_WEEK)


PASS = passing()


@dataclass(frozen=True)
class Scenario:
    """What happened before, and what is then done and killed; SyftBox starts the app again, the person repeats it."""

    before: tuple[Callable[[Neighbourhood], object], ...]
    done: tuple[Step, ...]
    weeks: int = 5
    """How many weeks are drawn, in the end."""
    next_pass: Step = PASS
    origin: str = "drawn"
    """Where the ledger has the weeks from, in the end."""


SCENARIOS = {
    "a first install and pass": Scenario((), (install, passing())),
    "a pass that adds a week": Scenario(
        (install, passing(), download_next_week), (passing(NEXT_WEEK),), 6, passing(NEXT_WEEK)
    ),
    "withdraw": Scenario((install, passing()), (withdraw,)),
    "install --take-over": Scenario((install, passing(), lose_the_ledger), (take_over,), origin="adopted"),
    "the return": Scenario((install, passing(), withdraw), (install,)),
}


def place_at(root: Path) -> Place:
    """Return a place where the coordinator's study is, and Ann's export."""
    place = Place(root / "now", root / "kept")
    aggregator.run(place.neighbourhood.coordinator(), TUESDAY)
    place.neighbourhood.box(ANN)
    place.neighbourhood.download(ANN, EXPORT)
    return place


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import what a pass imports: the forks after this are quick, and one like the other."""
    place = place_at(tmp_path_factory.mktemp("warm"))
    install(place.neighbourhood)
    passing()(place.neighbourhood)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place where nothing has happened yet."""
    return place_at(tmp_path)


def note(line: str) -> None:
    """Say how much was tried, for `pytest -s`."""
    print(line)  # noqa: T201


def prepare(place: Place, scenario: Scenario) -> Callable[[], None]:
    """Bring about what was before, keep it, and return what is to be killed."""
    for step in scenario.before:
        in_a_fork(lambda step=step: step(place.neighbourhood))  # type: ignore[misc]
    place.keep()

    def done() -> None:
        for step in scenario.done:
            step(place.neighbourhood)

    return done


def check_recovery(place: Place, scenario: Scenario, before: Cells) -> None:
    """Check what a kill left, what the next pass makes of it, and what is there when the person repeats the command."""
    seen = [before, published(place.ann)]
    in_a_fork(lambda: scenario.next_pass(place.neighbourhood))
    seen.append(published(place.ann))
    assert not litter(place.ann.my_datasite)
    if scenario.done[-1] is withdraw:
        in_a_fork(lambda: withdraw(place.neighbourhood))
        assert not published(place.ann)
    again = scenario.done if scenario.done[-1] is not withdraw else (install,)
    in_a_fork(lambda: [step(place.neighbourhood) for step in (*again, scenario.next_pass)])
    draws = draws_of(place.ann, scenario.origin)
    assert len(draws) == scenario.weeks
    assert published(place.ann) == draws
    assert all(keeps(cells, draws) for cells in seen), "a week was seen with two different draws"
    assert not litter(place.root)
    for path in (place.ann.box / "private").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (place.ann.api_data(ANN) / DEVICE_FILE).read_text().strip()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_in_any_state_of_the_disk_draws_no_week_twice(place: Place, name: str) -> None:
    scenario = SCENARIOS[name]
    done = prepare(place, scenario)
    before = published(place.ann)
    changed, last = steps_that_changed_the_disk(place.root, done)
    place.bring_back()
    assert len(changed) > 5
    kills, untouched = 0, state_of(place.root)
    for step in itertools.count(1) if EVERY else [*changed, last]:
        if not killed_at(done, step, "opcode" if EVERY == "opcode" else "line"):
            break
        kills += 1
        if state_of(place.root) != untouched:
            check_recovery(place, scenario, before)
            place.bring_back()
            untouched = state_of(place.root)
    assert kills > len(changed)
    note(f"{name}: killed {kills} times; the disk passed through {len(changed) + 1} states")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace, which kills at a system call, is not here")
@pytest.mark.parametrize("name", SCENARIOS if EVERY else ["a pass that adds a week"])
def test_a_kill_at_any_system_call_draws_no_week_twice(place: Place, name: str) -> None:
    scenario = SCENARIOS[name]
    done = prepare(place, scenario)
    before = published(place.ann)
    kills = 0
    for call in ALL_CALLS if EVERY else CALLS:
        for when in itertools.count(1):
            killed = killed_at_call(done, call, when)
            kills += killed
            if killed:
                check_recovery(place, scenario, before)
            place.bring_back()
            if not killed:
                break
    assert kills > 10
    note(f"{name}: killed at {kills} system calls")


@pytest.mark.parametrize("adopting", [True, False])
def test_a_week_published_before_it_is_recorded_is_found_out(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, adopting: bool
) -> None:
    """The twin: a wrong order fails the test above, also where the app would have adopted the week."""
    record = Ledger.record

    def publish_then_record(ledger: Ledger, draw: Draw, study: Study, now: datetime) -> None:
        data = release_file([*ledger.draws(), draw], {study.id: study}, now.date())
        write_atomically(place.ann.api_data(ANN) / RELEASE_FILE, data or b"")
        record(ledger, draw, study, now)

    monkeypatch.setattr(Ledger, "record", publish_then_record)
    if not adopting:
        monkeypatch.setattr("participant.app._adopt_published", lambda *_: [])
    scenario = SCENARIOS["a pass that adds a week"]
    done = prepare(place, scenario)
    before = published(place.ann)
    changed, _ = steps_that_changed_the_disk(place.root, done)
    place.bring_back()
    found = set()
    for step in changed:
        killed_at(done, step)
        try:
            check_recovery(place, scenario, before)
        except AssertionError as error:
            found.add(str(error).splitlines()[0])
        place.bring_back()
    assert found == {
        "a week was published before it was recorded" if adopting else "a week was seen with two different draws"
    }


def free_space_again(place: Place, before: Cells, *, weeks: int) -> None:
    """Check that a pass which ran out of space has spoiled nothing, and that the next one spends nothing twice."""
    seen = published(place.ann)
    assert before.keys() <= seen.keys()
    in_a_fork(lambda: passing(NEXT_WEEK)(place.neighbourhood))
    draws = draws_of(place.ann)
    assert len(draws) == weeks
    assert published(place.ann) == draws
    assert keeps(before, draws)
    assert keeps(seen, draws)
    assert not litter(place.root)


def pass_with_little_space(place: Place, limit: int) -> tuple[str, str]:
    """Return the kind and the text of the error of a pass whose files cannot grow beyond `limit` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        place.neighbourhood.run(ANN, NEXT_WEEK)
    except Exception as error:  # noqa: BLE001  # the test looks at whatever it is
        return type(error).__name__, str(error)
    return "", ""


def test_on_a_full_disk_the_last_release_stays_and_nothing_is_spent_twice(place: Place) -> None:
    prepare(place, SCENARIOS["a pass that adds a week"])
    place.neighbourhood.download(ANN, EXPORT * 2, made=NEXT_WEEK)  # the full history is written anew, too
    shutil.rmtree(place.kept)
    place.keep()
    before = published(place.ann)
    outcomes = []
    for limit in [0, 1, 50, 200, 400, 600, 1_000, *range(2_000, 44_000, 2_000)]:
        kind, text = result_of(lambda limit=limit: pass_with_little_space(place, limit))  # type: ignore[misc]
        assert kind in {"", "FilesError", "LedgerError"}, text
        assert not kind or ("free space" in text and "\n" not in text)
        outcomes.append(kind)
        free_space_again(place, before, weeks=6)
        place.bring_back()
    assert set(outcomes) == {"FilesError", "LedgerError", ""}
    assert outcomes[-1] == ""


@pytest.mark.skipif(not shutil.which("strace"), reason="strace, which makes system calls fail, is not here")
def test_wherever_the_disk_is_full_nothing_is_spent_twice(place: Place) -> None:
    scenario = SCENARIOS["a pass that adds a week"]
    prepare(place, scenario)
    before = published(place.ann)
    codes = set()
    for call in ("write", "pwrite64", "fsync", "fdatasync"):
        for when in itertools.count(1):
            status = with_fault(lambda: place.neighbourhood.run(ANN, NEXT_WEEK), call, f"error=ENOSPC:when={when}+")
            codes.add(code := os.waitstatus_to_exitcode(status))
            free_space_again(place, before, weeks=6)
            place.bring_back()
            if code == ExitCode.OK:
                break
    assert codes == {ExitCode.OK, ExitCode.FILES, ExitCode.LEDGER}


def speaks(speak: Callable[[str], None]) -> bool:
    """Tell whether something can be said, in a process whose log is on a full disk."""
    sys.stdout = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115  # closed by the end of the process
    try:
        speak("nothing new to release")
    except OSError:
        return False
    return True


def test_a_full_disk_under_the_clients_log_ends_no_app() -> None:
    assert result_of(lambda: speaks(lambda line: say(Answer(line, ExitCode.OK))))
    assert not result_of(
        lambda: speaks(
            lambda line: print(line, flush=True)  # noqa: T201
        )
    )


NEW_MOUNTS, READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 0x20000, 0x1, 0x20, 0x1000, 0x4000, 0x40000
"""From <sched.h> and <sys/mount.h>."""
PLACES: dict[str, Callable[[Workspace], Path]] = {
    "the datasite": lambda box: box.my_datasite,
    "the published folder": lambda box: box.api_data(ANN),
    "the ledger's folder": lambda box: ledger_path(box).parent,
    "the history's folder": lambda box: box.private("netflix_data"),
}


def pass_on_read_only(place: Place, folder: Path) -> tuple[str, str]:
    """Return the kind and the text of the error of a pass to which, alone, a folder is mounted read-only."""
    libc, path = ctypes.CDLL(None), str(folder).encode()
    refused = (
        libc.unshare(NEW_MOUNTS)
        or libc.mount(b"none", b"/", None, PRIVATE | RECURSIVE, None)
        or libc.mount(path, path, None, BIND, None)
        or libc.mount(None, path, None, BIND | REMOUNT | READ_ONLY, None)
    )
    if refused:
        return "cannot mount", ""
    return pass_with_little_space(place, resource.RLIM_INFINITY)


@pytest.mark.parametrize("name", PLACES)
def test_a_read_only_folder_gets_a_clear_line_and_nothing_is_spent_twice(place: Place, name: str) -> None:
    prepare(place, SCENARIOS["a pass that adds a week"])
    place.neighbourhood.download(ANN, EXPORT * 2, made=NEXT_WEEK)
    before = published(place.ann)
    kind, text = result_of(lambda: pass_on_read_only(place, PLACES[name](place.ann)))
    if kind == "cannot mount":
        pytest.skip("only root may mount")
    assert kind in {"FilesError", "LedgerError"}, text
    assert "mend the permissions" in text
    assert "\n" not in text
    free_space_again(place, before, weeks=6)


@pytest.mark.parametrize("name", PLACES)
def test_a_file_in_a_folders_place_gets_a_clear_line(place: Place, name: str) -> None:
    prepare(place, SCENARIOS["a first install and pass"])
    in_a_fork(lambda: install(place.neighbourhood))
    folder = PLACES[name](place.ann)
    if folder.exists():
        folder.rename(folder.with_name("away"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in its place")
    with pytest.raises((FilesError, LedgerError, WorkspaceError), match=r"mend|remove it"):
        place.neighbourhood.run(ANN)
    folder.unlink()
    if folder.with_name("away").exists():
        folder.with_name("away").rename(folder)
    in_a_fork(lambda: passing()(place.neighbourhood))
    assert published(place.ann) == draws_of(place.ann)
    assert len(draws_of(place.ann)) == 5


def start_together(place: Place, number: int) -> list[int]:
    """Start passes in several processes at one moment and return their exit codes."""
    waiting, starting = os.pipe()
    processes = []
    for _ in range(number):
        process = os.fork()
        if process == 0:
            code = 70
            with contextlib.suppress(BaseException):
                os.close(starting)
                os.read(waiting, 1)  # ends when the test closes its end
                code = exit_code_of(lambda: place.neighbourhood.run(ANN))
            os._exit(code)
        processes.append(process)
    os.close(waiting)
    os.close(starting)
    return [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]


def test_of_two_instances_at_once_one_draws(place: Place) -> None:
    prepare(place, Scenario((install,), ()))
    for _ in range(20):
        assert start_together(place, 3) == [0, 0, 0]
        draws = draws_of(place.ann)
        assert len(draws) == 5
        assert published(place.ann) == draws
        place.bring_back()


def test_without_the_lock_the_ledger_still_lets_one_draw_pass(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(place, Scenario((install,), ()))
    monkeypatch.setattr("participant.app.only_instance", lambda _folder: contextlib.nullcontext())
    codes = set()
    for _ in range(20):
        codes |= set(start_together(place, 3))
        in_a_fork(lambda: passing()(place.neighbourhood))
        draws = draws_of(place.ann)
        assert len(draws) == 5
        assert published(place.ann) == draws
        place.bring_back()
    assert ExitCode.LEDGER in codes


def test_two_instances_would_be_seen_to_draw_twice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: without the lock and without the ledger's rule, the tests above fail."""
    monkeypatch.setattr("participant.app.only_instance", lambda _folder: contextlib.nullcontext())
    tables = ledgers._TABLES.replace("CREATE UNIQUE INDEX a_week", "CREATE INDEX a_week")
    monkeypatch.setattr("participant.ledger._TABLES", tables)
    prepare(place, Scenario((install,), ()))
    twice = 0
    for _ in range(20):
        start_together(place, 3)
        try:
            draws_of(place.ann)
        except AssertionError:
            twice += 1
        place.bring_back()
    assert twice


def test_two_commands_at_once_draw_once(place: Place) -> None:
    prepare(place, Scenario((install,), ()))
    environment = {
        "PATH": os.defpath,
        "HOME": str(place.neighbourhood.home(ANN)),
        "SYFTBOX_CLIENT_CONFIG_PATH": str(place.ann.config),
        "PYTHONPATH": str(Path(participant.__file__).parent.parent),
    }
    os.utime(place.neighbourhood.home(ANN) / "Downloads" / "NetflixViewingHistory.csv")  # today, which is the clock's
    command = [sys.executable, "-m", "participant", "run"]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    lines = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert sum("released" in line and "steps aside" not in line for line in lines) >= 1
    assert published(place.ann) == draws_of(place.ann)
    assert len(draws_of(place.ann)) == 5
