"""Passes in processes of their own, which are killed at a step, starved of disk, or started together.

The processes are forks of the test's: what takes long is imported once, and each is as fresh as the disk.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import numpy as np

from participant import app as participant
from participant.app import ledger_path
from participant.cli import ParticipantApp
from participant.ledger import open_ledger
from shared import study
from shared.errors import NetflixTrendError
from shared.runner import run_once
from shared.workspace import RELEASE_FILE, Workspace
from tests.conftest import TUESDAY, Neighbourhood

ANN = "ann@example.org"
OURS = tuple(str(Path(module.__file__ or "").parent) for module in (participant, study))
Step = Callable[[Neighbourhood], object]
Cells = dict[int, tuple[int, ...]]


def in_a_fork(work: Callable[[], object]) -> int:
    """Do something in a process of its own and return the status it ended with, as os.waitpid does."""
    process = os.fork()
    if process == 0:
        code = 70  # of a test gone wrong
        with contextlib.suppress(BaseException):
            code = exit_code_of(work)
        os._exit(code)
    return os.waitpid(process, 0)[1]


def exit_code_of(work: Callable[[], object]) -> int:
    """Return the exit code of what an app does: 0, or that of its error."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            work()
        except NetflixTrendError as error:
            return int(error.exit_code)
    return 0


def result_of(work: Callable[[], Any]) -> Any:
    """Return what a function returns in a process of its own."""
    reading, writing = os.pipe()

    def send() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(work(), pipe)

    process = os.fork()
    if process == 0:
        with contextlib.suppress(BaseException):
            exit_code_of(send)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(process, 0)
    return pickle.loads(data)  # noqa: S301  # from our own fork


def state_of(root: Path) -> tuple[tuple[str, int, int, int, int], ...]:
    """Return what the disk holds, as far as names and metadata tell."""
    found: list[tuple[str, int, int, int, int]] = []
    folders = [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                found.append((entry.path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode))
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return tuple(sorted(found))


Grain = Literal["line", "opcode"]


def traced(work: Callable[[], object], at_each: Callable[[int], None], grain: Grain) -> None:
    """Do something, and before each line or instruction of participant/ and shared/ call `at_each` with its number."""
    number = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal number
        if event == "call":
            if not frame.f_code.co_filename.startswith(OURS):
                return None
            frame.f_trace_opcodes = grain == "opcode"
        elif event == grain:
            number += 1
            at_each(number)
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
        at_each(number + 1)  # the end


def steps_that_changed_the_disk(root: Path, work: Callable[[], object]) -> tuple[list[int], int]:
    """Return the lines before which the disk was found changed, and the number of the last."""

    def look() -> tuple[list[int], int]:
        changed: list[int] = []
        before, last = state_of(root), 0

        def at_each(number: int) -> None:
            nonlocal before, last
            last = number
            if (now := state_of(root)) != before:
                changed.append(number)
                before = now

        traced(work, at_each, "line")
        return changed, last

    found: tuple[list[int], int] = result_of(look)
    return found


def killed_at(work: Callable[[], object], step: int, grain: Grain = "line") -> bool:
    """Do something in a process that is killed before its line number `step`; tell whether it got so far."""

    def at_each(number: int) -> None:
        if number == step:
            os.kill(os.getpid(), signal.SIGKILL)

    status = in_a_fork(lambda: traced(work, at_each, grain))
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def killed_at_call(work: Callable[[], object], call: str, when: int) -> bool:
    """Do something in a process that is killed at its `when`th system call of a name; tell whether it got so far."""
    status = with_fault(work, call, f"signal=KILL:when={when}")
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def with_fault(work: Callable[[], object], call: str, fault: str) -> int:
    """Do something in a process whose system calls of a name get a fault, as `strace` says it; return its status."""
    process = os.fork()
    if process == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
        code = 70
        with contextlib.suppress(BaseException):
            code = exit_code_of(work)
        os._exit(code)
    os.waitpid(process, os.WUNTRACED)
    injection = ["-e", f"trace={call}", "-e", f"inject={call}:{fault}"]
    tracer = subprocess.Popen(
        ["strace", "-qq", "-o", os.devnull, *injection, "-p", str(process)], stderr=subprocess.DEVNULL
    )
    status = Path(f"/proc/{process}/status")
    while f"TracerPid:\t{tracer.pid}\n" not in status.read_text() and tracer.poll() is None:
        time.sleep(0.001)
    os.kill(process, signal.SIGCONT)
    _, ended = os.waitpid(process, 0)
    tracer.wait()
    return ended


@dataclass(frozen=True)
class Place:
    """A neighbourhood whose state on disk can be kept and brought back: where it is stays the same."""

    root: Path
    kept: Path

    @property
    def neighbourhood(self) -> Neighbourhood:
        return Neighbourhood(self.root)

    @property
    def ann(self) -> Workspace:
        return self.neighbourhood.box(ANN)

    def keep(self) -> None:
        """Keep the state on disk."""
        shutil.copytree(self.root, self.kept, symlinks=True)

    def bring_back(self) -> None:
        """Make the disk what it was when it was kept."""
        shutil.rmtree(self.root)
        shutil.copytree(self.kept, self.root, symlinks=True)


def published(box: Workspace) -> Cells:
    """Return what anyone may have read at this moment: week -> cells; a file that is there is whole."""
    path = box.api_data(box.email) / RELEASE_FILE
    if not path.exists():
        return {}
    return {int(record["week"]): tuple(record["count"].tolist()) for record in np.load(path)}


def draws_of(box: Workspace, origin: str = "drawn") -> Cells:
    """Return what the ledger holds; no week is in it twice, none came from elsewhere, and the cost is the sum."""
    with open_ledger(ledger_path(box)) as ledger:
        draws, spent = ledger.draws(), ledger.spent()
    assert len({draw.week for draw in draws}) == len(draws), "a week was drawn twice"
    assert {draw.origin for draw in draws} <= {origin}, "a week was published before it was recorded"
    assert spent == 2.0 * len(draws)
    return {draw.week.key: tuple(np.frombuffer(draw.payload, "<i2").tolist()) for draw in draws}


def keeps(before: Cells, after: Cells) -> bool:
    """Tell whether every week that is in both has the same cells."""
    return all(after[week] == cells for week, cells in before.items() if week in after)


def litter(root: Path) -> list[Path]:
    """Return what looks like a temporary file, and a journal of the ledger."""
    return [path for path in root.rglob("*") if path.name.endswith((".tmp", "-journal", "-wal"))]


def passing(now: datetime = TUESDAY) -> Step:
    """Return a pass of Ann's app, as SyftBox starts it: its line is said, the stamp left."""

    def step(neighbourhood: Neighbourhood) -> object:
        box = neighbourhood.box(ANN)
        return run_once(lambda: ParticipantApp(box, lambda: now, neighbourhood.home(ANN)))

    return step
