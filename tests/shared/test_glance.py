import json
import time
from pathlib import Path

import pytest

from shared.glance import EACH, Answer, each, leave_stamp, stamp_path, state, unchanged

ANSWER = Answer("all is well", 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that the answer depends on, and leave two stamps that saw it the same."""
    path = tmp_path / "input"
    path.write_text("x")
    for _ in range(2):
        leave_stamp(str(tmp_path / "stamp"), ANSWER, [str(path), str(tmp_path / "absent")], time.time() + 60)
    return path


def test_a_pass_is_skipped_only_after_two_that_saw_the_same(tmp_path: Path, file: Path) -> None:
    assert unchanged(str(tmp_path / "stamp")) == ANSWER
    file.write_text("longer")
    assert unchanged(str(tmp_path / "stamp")) is None
    for expected in (None, ANSWER):
        leave_stamp(str(tmp_path / "stamp"), ANSWER, [str(file)], time.time() + 60)
        assert unchanged(str(tmp_path / "stamp")) == expected


@pytest.mark.parametrize("change", ["replaced", "removed", "appeared", "mode"])
def test_every_change_of_a_file_is_noticed(tmp_path: Path, file: Path, change: str) -> None:
    match change:
        case "replaced":
            (tmp_path / "other").write_text("y")
            (tmp_path / "other").replace(file)
        case "removed":
            file.unlink()
        case "appeared":
            (tmp_path / "absent").write_text("")
        case "mode":
            file.chmod(0o400)
    assert unchanged(str(tmp_path / "stamp")) is None


def test_a_stamp_ends_when_the_calendar_does_and_when_the_clock_is_set_back(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for later, expected in ((30, ANSWER), (61, None), (-3600, None)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert unchanged(str(tmp_path / "stamp")) == expected
    assert file.exists()


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"settled": true}', "\0"])
def test_a_broken_stamp_holds_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "stamp").write_text(content)
    assert unchanged(str(tmp_path / "stamp")) is None
    assert unchanged(None) is None


def test_the_stamp_is_found_by_the_client_config_and_is_private(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"data_dir": str(tmp_path / "box")}))
    monkeypatch.setenv("SYFTBOX_CLIENT_CONFIG_PATH", str(config))
    assert stamp_path("app") == str(tmp_path / "box" / "private" / "app" / "stamp.json")
    config.write_text("broken")
    assert stamp_path("app") is None
    assert (tmp_path / "stamp").stat().st_mode & 0o777 == 0o600
    assert file.exists()


def test_what_a_link_leads_to_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    before = state(str(tmp_path / "link"))
    (tmp_path / "real").write_text("longer")
    assert state(str(tmp_path / "link")) != before
    assert state("no\0file") == "-"


def test_a_stamp_that_cannot_be_written_leaves_nothing_beside_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_record: object, _file: object) -> None:
        raise OSError(28, "No space left on device")

    leave_stamp(str(tmp_path / "stamp"), ANSWER, [], time.time() + 60)
    monkeypatch.setattr(json, "dump", full_disk)
    with pytest.raises(OSError, match="No space"):
        leave_stamp(str(tmp_path / "stamp"), ANSWER, [], time.time() + 60)
    assert [path.name for path in tmp_path.iterdir()] == ["stamp"]


@pytest.fixture
def members(tmp_path: Path) -> Path:
    """Return a folder with two members who have a file, and one who has none."""
    for name in ("ann", "bob"):
        (tmp_path / "members" / name / "sub").mkdir(parents=True)
        (tmp_path / "members" / name / "sub" / "file").write_text("x")
    (tmp_path / "members" / "quiet").mkdir()
    return tmp_path / "members"


@pytest.mark.parametrize("change", ["altered", "removed", "appeared", "a member came", "replaced by a link"])
def test_one_path_stands_for_the_file_of_every_member(members: Path, change: str) -> None:
    watched = f"{members}{EACH}sub/file"
    before = state(watched)
    assert state(watched) == before
    match change:
        case "altered":
            (members / "ann" / "sub" / "file").write_text("longer")
        case "removed":
            (members / "ann" / "sub" / "file").unlink()
        case "appeared":
            (members / "quiet" / "sub").mkdir()
            (members / "quiet" / "sub" / "file").write_text("x")
        case "a member came":
            (members / "new" / "sub").mkdir(parents=True)
            (members / "new" / "sub" / "file").write_text("x")
        case "replaced by a link":
            (members / "ann" / "sub" / "file").unlink()
            (members / "ann" / "sub" / "file").symlink_to(members / "bob" / "sub" / "file")
    assert state(watched) != before


def test_a_member_without_the_file_changes_nothing_and_links_are_not_followed(members: Path) -> None:
    watched = f"{members}{EACH}sub/file"
    before = state(watched)
    (members / "another").mkdir()
    (members / "link").symlink_to(members / "ann")
    assert state(watched) == before
    assert sorted(name for name, _ in each(str(members), "sub/file")) == ["ann", "bob"]
    assert list(each(str(members / "nowhere"), "sub/file")) == []
