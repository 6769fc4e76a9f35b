"""How an app runs by itself: one pass, or one after the other; every outcome ends in a line and an exit code."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from shared.errors import Busy, ClockError, ExitCode, FilesError, LedgerError, NetflixTrendError, StillArriving
from shared.files import locked, make_folder, write_atomically
from shared.glance import STAMP, Answer, leave_stamp, unchanged

LOOK_EVERY_SECONDS: Final = 15.0
UNINSTALLED: Final = "uninstalled"
"""Stands in the app's private folder once it was removed: an instance that stays up ends."""


class App(Protocol):
    """What running needs to know of an app in a workspace."""

    @property
    def private(self) -> Path:
        """The folder of its private files."""

    def run(self) -> str:
        """Do one pass and return its line. Raises: NetflixTrendError."""

    def watched_files(self) -> list[str]:
        """Return the files that the outcome of a pass depends on."""

    def next_change(self) -> float:
        """Return the time (seconds since the epoch) at which the calendar alone changes the outcome."""


def run_once(open_app: Callable[[], App]) -> Answer:
    """Do one pass, say its line, and leave the stamp that lets the next pass be skipped if nothing changes."""
    answer = _attempt(open_app)
    say(answer)
    return answer


def watch(open_app: Callable[[], App], every: float = LOOK_EVERY_SECONDS) -> None:
    """Do a pass whenever something changed, until SIGTERM; survive every error. A second watcher steps aside.

    `open_app` is called for each pass anew, so that a changed client config is taken up. A line is said when it
    differs from the one before.
    """
    # Raised wherever the app is at that moment, also within a pass: every file is written whole, every draw recorded.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(ExitCode.OK))
    app = _open_at_last(open_app, every)
    stamp = str(app.private / STAMP)
    with _lock_at_last(app, every) as mine:
        if not mine:
            say(Answer("another instance stays up in this workspace; this one steps aside", ExitCode.OK))
            return
        said = None
        while not (app.private / UNINSTALLED).exists():
            answer = unchanged(stamp) or _attempt(open_app)
            if answer != said:
                say(answer)
                said = answer
            time.sleep(every)
        say(Answer("the app was removed: this is its end", ExitCode.OK))


def say(answer: Answer) -> None:
    """Print the line of an answer: an error's on stderr. A full disk under the client's log ends no app."""
    try:
        print(answer.line, file=sys.stderr if answer.code else sys.stdout, flush=True)  # the shell prints
    except BrokenPipeError:
        raise  # the client is gone
    except OSError:
        pass


def _attempt(open_app: Callable[[], App]) -> Answer:
    """Do one pass; whatever happens, return its answer and never raise."""
    app = None
    try:
        app = open_app()
        answer = Answer(app.run(), ExitCode.OK)
    except NetflixTrendError as error:
        answer = Answer(str(error), error.exit_code)
        if isinstance(error, Busy | ClockError | FilesError | LedgerError | StillArriving):
            return answer  # it may pass without a file changing: the next pass is whole
    except Exception as error:  # noqa: BLE001  # the one broad catch: an app that runs by itself survives
        return defect(error, app.private if app else None)
    if app:
        # Without a stamp the next pass is whole, and says what is wrong.
        with contextlib.suppress(OSError, NetflixTrendError, ValueError):
            make_folder(app.private, private=True)
            leave_stamp(str(app.private / STAMP), answer, app.watched_files(), app.next_change())
    return answer


def defect(error: Exception, private: Path | None) -> Answer:
    """Return the answer for a defect of ours. Its text may cite a title: it goes to a private file, not to the log."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    line = f"unexpected {type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
    with contextlib.suppress(NetflixTrendError):
        if private:
            path = private / "last_error.txt"
            write_atomically(path, "".join(traceback.format_exception(error)).encode(), private=True)
            line += f"; the details are in {path} (private: read it before you share it)"
    return Answer(f"{line}. Please report it", ExitCode.UNEXPECTED)


def _lock_at_last(app: App, every: float) -> contextlib.AbstractContextManager[bool]:
    """Return the lock of the watcher as soon as the machine gives one."""
    while True:
        try:
            make_folder(app.private, private=True)
            return locked(app.private / "watch.lock")
        except NetflixTrendError as error:
            say(Answer(str(error), error.exit_code))
            time.sleep(every)


def _open_at_last(open_app: Callable[[], App], every: float) -> App:
    """Return the app as soon as its workspace can be opened."""
    said = None
    while True:
        try:
            return open_app()
        except NetflixTrendError as error:
            if str(error) != said:
                said = str(error)
                say(Answer(said, error.exit_code))
            time.sleep(every)
