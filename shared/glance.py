"""A pass that would change nothing is skipped: clients start an app every ten seconds, and a look must cost nothing.

After each pass the app leaves a stamp: its answer, the state of every file the answer depends on, and until when the
calendar leaves it true. It holds once two passes in a row saw the same state, so a file that changes while a pass
runs is never missed. Imported before everything else: only modules that cost next to nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Iterator
from typing import NamedTuple

STAMP = "stamp.json"
EACH = "/*//"
"""Stands in a watched path for every folder at that place: `datasites/*//file`. No normal path holds two slashes."""


class Answer(NamedTuple):
    """What a pass ends with: a line for the person, and the exit code of `run --once`."""

    line: str
    code: int


def stamp_path(app: str) -> str | None:
    """Return where the active workspace keeps the stamp of an app; None if there is no readable client config."""
    config = os.environ.get("SYFTBOX_CLIENT_CONFIG_PATH") or os.path.expanduser("~/.syftbox/config.json")
    try:
        with open(config, encoding="utf-8") as file:
            return os.path.join(json.load(file)["data_dir"], "private", app, STAMP)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def unchanged(stamp: str | None) -> Answer | None:
    """Return the answer of the last pass if another pass would give it again, None if that is not certain."""
    try:
        with open(stamp or "", encoding="utf-8") as file:
            found = json.load(file)
        if not (found["settled"] and found["made"] <= time.time() < found["until"]):
            return None
        if any(state(path) != seen for path, seen in found["files"].items()):
            return None
        return Answer(found["line"], found["code"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def leave_stamp(stamp: str, answer: Answer, files: list[str], until: float) -> None:
    """Record a pass: its answer, the files it looked at (present or not), the time at which the calendar changes it."""
    seen = {path: state(path) for path in files}
    try:
        with open(stamp, encoding="utf-8") as file:
            before = json.load(file)["files"]
    except (OSError, ValueError, KeyError, TypeError):
        before = None
    record = {**answer._asdict(), "settled": seen == before, "made": time.time(), "until": until, "files": seen}
    folder, name = os.path.split(stamp)
    temporary = os.path.join(folder, f".{name}.{os.getpid():08x}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.replace(temporary, stamp)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def each(folder: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield, for each folder in `folder` that holds a file `name`, its own name and the file's state; in any order.

    Symbolic links in place of such a folder are left out, and those in place of the file are not followed. What has
    no file takes no memory: there may be a million of them.
    """
    try:
        entries = os.scandir(folder)
    except OSError:
        return
    with entries:
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name, _written(os.lstat(f"{entry.path}/{name}"))
            except OSError:
                continue


def state(path: str) -> str:
    """Return what tells a file from an altered or replaced one, without opening it; `-` if there is none.

    Of a path with `EACH`, one digest of all files that it stands for.
    """
    folder, every, name = path.partition(EACH)
    if every:
        from hashlib import sha256  # takes 3 ms: only where it is needed

        return sha256(repr(sorted(each(folder, name))).encode()).hexdigest()
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):  # of a symbolic link, what it leads to
            found = os.stat(path)
    except (OSError, ValueError):
        return "-"
    return _written(found)


def _written(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns}:{found.st_size}:{found.st_ino}:{found.st_mode}"
