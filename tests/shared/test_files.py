import os
import socket
import sys
from pathlib import Path

import pytest

from shared.errors import FilesError
from shared.files import locked, read_regular_file, remove_litter, write_atomically, write_if_changed


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "secret", b"x", private=True)
    assert (tmp_path / "new" / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "release"
    path.write_bytes(b"old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(FilesError, match="No space left"):
        write_atomically(path, b"new")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("release", b"old")]


def test_a_write_that_is_interrupted_leaves_nothing_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: sys.exit(0))  # SIGTERM at that moment
    with pytest.raises(SystemExit):
        write_atomically(tmp_path / "release", b"new")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_write_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    others = ["release", "release.tmp", ".release.tmp", ".release.part.tmp", ".hidden"]
    for name in [*others, ".release.0123abcd.tmp", ".stamp.json.00001234.tmp"]:
        (tmp_path / name).touch()
    remove_litter(tmp_path, tmp_path / "absent")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_the_parents_of_a_private_file_are_private_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_atomically(tmp_path / "one" / "two" / "secret", b"x", private=True)
    finally:
        os.umask(before)
    assert (tmp_path / "one").stat().st_mode & 0o777 == (tmp_path / "one" / "two").stat().st_mode & 0o777 == 0o700


def test_temporary_names_are_ignored_by_every_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    replace = Path.replace

    def watch(path: Path, target: Path) -> Path:
        seen.append(path.name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", watch)
    write_atomically(tmp_path / "release", b"x")
    assert seen[0].startswith(".")
    assert seen[0].endswith(".tmp")


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_if_changed(path, b"x")
    before = path.stat()
    assert not write_if_changed(path, b"x")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert write_if_changed(path, b"y")


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    assert read_regular_file(tmp_path / "file", 5) == b"12345"
    for name in ("link", "fifo", "folder", "socket"):
        with pytest.raises(OSError, match=r"."):
            read_regular_file(tmp_path / name, 100)
    with pytest.raises(OSError, match="at most 4"):
        read_regular_file(tmp_path / "file", 4)
    with pytest.raises(OSError, match="not a regular file"):
        read_regular_file(Path("/dev/zero"), 100)


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    original = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        found = original(descriptor)
        with path.open("ab") as file:
            file.write(b"y" * 100_000)
        return found

    monkeypatch.setattr(os, "fstat", growing)
    assert len(read_regular_file(path, 1_000_000)) >= 100_100
    with pytest.raises(OSError, match="grew beyond"):
        read_regular_file(path, 150_000)


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path / "lock") as first, locked(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with locked(tmp_path / "lock") as again:
        assert again
