"""Reading files that others wrote, and writing files that others read at any moment."""

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.errors import Busy, FilesError

_TEMPORARY: Final = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")

PATIENCE: Final = 60.0  # seconds that a person who called a command waits for a pass to end

_MORE: Final = 2**16  # bytes at a time of a file that grows while it is read


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Make `path` hold exactly `data`: after a crash it is the old file or the new one, never a part.

    The temporary file's name begins with a dot, which the Python SyftBox clients leave alone, and ends in `.tmp`, which
    the Go client leaves alone. A private file is readable by its owner only, from its first byte on.

    Raises: FilesError if the machine refuses (full disk, read-only folder).
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        make_folder(path.parent, private=private)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise FilesError(f"cannot write {path}: {error.strerror}; free space or mend the permissions") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def remove_litter(*folders: Path) -> None:
    """Remove the temporary files that killed processes left in these folders, which no living one writes to now."""
    for folder in folders:
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                if _TEMPORARY.fullmatch(path.name):
                    path.unlink()


def write_if_changed(path: Path, data: bytes) -> bool:
    """Make `path` hold exactly `data`, touching nothing if it does; tell whether it was written."""
    try:
        if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
            return False
    except OSError:
        pass  # what cannot be read is replaced
    write_atomically(path, data)
    return True


def make_folder(path: Path, *, private: bool = False) -> None:
    """Make a folder and those of its parents that are not there; private ones can be entered by their owner only.

    Raises: FilesError if the machine refuses.
    """
    try:
        if not path.parent.exists():
            make_folder(path.parent, private=private)
        path.mkdir(exist_ok=True, mode=0o700 if private else 0o755)
    except OSError as error:
        raise FilesError(f"cannot make the folder {path}: {error.strerror}; mend what is in its place") from error


def read_regular_file(path: Path | str, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes.

    A symbolic link, a FIFO, a device, a folder or a larger file is refused without being read, whoever put it there.

    Raises: FileNotFoundError if there is none, OSError for everything else.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{Path(path).name} is not a regular file")
        if status.st_size > limit:
            raise OSError(f"{Path(path).name} has {status.st_size:,} bytes; at most {limit:,} are read")
        data = os.read(descriptor, status.st_size)  # `limit` at once would reserve that much
        while len(data) <= limit and (more := os.read(descriptor, _MORE)):
            data += more
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise OSError(f"{Path(path).name} grew beyond {limit:,} bytes while it was read")
    return data


@contextlib.contextmanager
def locked(path: Path, patience: float = 0.0) -> Iterator[bool]:
    """Hold the lock file for the length of the block; yields False if another process holds it.

    `patience` is for how many seconds to wait for the other one. Raises: FilesError if the machine refuses.
    """
    make_folder(path.parent, private=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FilesError(f"cannot open {path}: {error.strerror}; mend the permissions") from error
    try:
        end = time.monotonic() + patience
        while not (mine := _lock(descriptor)) and time.monotonic() < end:
            time.sleep(0.1)
        yield mine
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def only_instance(private: Path, patience: float = 0.0) -> Iterator[None]:
    """Be the only one at work on an app's private folder for the length of the block.

    Raises: Busy if another instance is at work, and a person who called a command has waited for `patience` seconds.
    """
    with locked(private / "lock", patience) as mine:
        if not mine and patience:
            raise FilesError(f"the app is still at work after {patience:.0f} seconds: nothing was changed; try again")
        if not mine:
            raise Busy("another instance of this app is at work in this workspace; this one steps aside")
        yield


def _lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(path: Path) -> None:
    """Make a rename in the folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
