"""The exports on a machine: account data, zips, profiles, the newest one, and what is no export."""

from __future__ import annotations

import io
import os
import struct
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from participant import exports
from participant.exports import MAX_BYTES, Source, find_newest, parse_source, read_exports
from shared.errors import HistoryError, ProfileUnknown
from shared.week import IsoWeek

HEADER = (
    "Profile Name,Start Time,Duration,Attributes,Title,Supplemental Video Type,"
    "Device Type,Bookmark,Latest Bookmark,Country"
)
MEMBER = "CONTENT_INTERACTION/ViewingActivity.csv"


def activity(*rows: str, header: str = HEADER) -> bytes:
    return "\r\n".join([header, *rows, ""]).encode()


def row(profile: str = "Anna", start: str = "2024-05-05 20:00:00", length: str = "00:40:00", **more: str) -> str:
    found = {"attributes": "", "title": "Plain: Season 1: One (Episode 1)", "video": ""} | more
    return f"{profile},{start},{length},{found['attributes']},{found['title']},{found['video']},TV,{length},{length},XX"


def packed(members: dict[str, bytes], when: tuple[int, ...] = (2024, 6, 3, 12, 0, 0)) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, when), content, zipfile.ZIP_DEFLATED)  # type: ignore[arg-type]
    return data.getvalue()


def write(path: Path, content: bytes | str, made: date = date(2024, 6, 30)) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    noon = datetime(made.year, made.month, made.day, 12, tzinfo=UTC).timestamp()
    os.utime(path, (noon, noon))
    return path


def test_the_account_data_gives_one_profile_s_views_and_counts_the_rest(tmp_path: Path) -> None:
    rows = [
        row(), row(length="0:01:59"), row(length="0:00:30", attributes="Autoplayed: user action: None; "),
        row(attributes="Autoplayed: user action: None; "), row(video="TRAILER"), row(video="HOOK"), row(profile="Bert"),
        row(attributes="View was hidden from Viewing History; "), row(length=""), row(start="2024-05-05 99:00:00"),
    ]  # fmt: skip
    history = read_exports([Source(write(tmp_path / "a.csv", activity(*rows)), "anna")], zone=UTC)
    assert len(history.views) == 2
    assert history.exports[0].reading.left_out == {
        "shorter than 120 seconds": 1, "autoplay preview": 1, "supplemental video": 2, "another profile": 1,
        "hidden by the viewer": 1, "no duration": 1, "no time": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("start", "zone", "day"),
    [
        ("2024-05-05 23:30:00", "UTC", date(2024, 5, 5)),
        ("2024-05-05 23:30:00", "Europe/Berlin", date(2024, 5, 6)),
        ("2024-05-06 03:30:00", "America/New_York", date(2024, 5, 5)),
        ("5/13/2024 23:30", "Asia/Tokyo", date(2024, 5, 14)),
    ],
)
def test_a_view_is_on_the_day_of_the_participant_s_time_zone(tmp_path: Path, start: str, zone: str, day: date) -> None:
    path = write(tmp_path / "a.csv", activity(row(start=start), header=HEADER.replace("Start Time", "StartTime")))
    assert read_exports([Source(path)], zone=ZoneInfo(zone)).views["date"].dt.date.tolist() == [day]


def test_several_profiles_are_named_on_the_terminal_and_never_in_a_log(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", activity(row("Anna"), row("Bert")))
    for source in (Source(path), Source(path, "Carla")):
        with pytest.raises(ProfileUnknown, match="Anna, Bert") as unknown:
            read_exports([source], zone=UTC)
        assert "Anna" not in unknown.value.log_safe
        assert "2" in unknown.value.log_safe


def test_profiles_are_added_up_and_exports_of_one_merged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", activity(row("Anna"), row("Bert"), row("Bert", title="Other")))
    assert len(read_exports([Source(path, "Anna"), Source(path, "Bert")], zone=UTC).views) == 3
    older = write(tmp_path / "older.csv", "Title,Date\nGone,13.1.2024\nPlain,12.1.2024\n", date(2024, 2, 1))
    newer = write(tmp_path / "newer.csv", "Title,Date\nNew,2/13/24\nPlain,1/12/24\n", date(2024, 3, 1))
    history = read_exports([Source(older), Source(newer)], zone=UTC)
    assert sorted(history.views["title"]) == ["Gone", "New", "Plain"]
    assert history.date_order == "month-first"


def test_a_week_is_covered_when_every_profile_s_newest_export_was_made_after_it(tmp_path: Path) -> None:
    content = "Title,Date\nPlain,2024-01-12\n"
    sources = [
        Source(write(tmp_path / "1.csv", content, date(2024, 2, 1)), "Anna"),
        Source(write(tmp_path / "2.csv", content, date(2024, 3, 1)), "Anna"),
        Source(write(tmp_path / "3.csv", content, date(2024, 2, 20)), "Bert"),
    ]
    history = read_exports(sources, zone=UTC)
    assert history.made == date(2024, 2, 20)
    assert history.covers(IsoWeek(2024, 7))
    assert not history.covers(IsoWeek(2024, 8))
    assert "Anna" in history.report()[0]


def test_a_zip_is_read_from_its_member_and_dated_by_its_time(tmp_path: Path) -> None:
    path = write(tmp_path / "netflix-report.zip", packed({"Cover sheet.pdf": b"x", MEMBER: activity(row())}))
    history = read_exports([Source(path)], zone=UTC)
    assert len(history.views) == 1
    assert history.made == date(2024, 6, 3)


def lying_zip() -> bytes:
    data = bytearray(packed({MEMBER: activity(*[row()] * 1000)}))
    entry = data.find(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 100)
    return bytes(data)


ZIPS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (lambda: packed({MEMBER: bytes(50_000_000)}), "unpacks to"),
    "a lie about its size": (lying_zip, "damaged|middle of a row|end"),
    "paths outside itself": (lambda: packed({"../../etc/x": b"", MEMBER: activity(row())}), "outside itself"),
    "an absolute path": (lambda: packed({"/etc/x": b"", MEMBER: activity(row())}), "outside itself"),
    "no export in it": (lambda: packed({"a.txt": b"x"}), "holds no"),
    "two exports": (lambda: packed({"a/ViewingActivity.csv": b"x", "b/ViewingActivity.csv": b"x"}), "more than one"),
    "a spreadsheet": (lambda: packed({"[Content_Types].xml": b"x"}), "spreadsheet"),
    "cut off": (lambda: packed({MEMBER: activity(row())})[:-60], "damaged"),
    "garbled": (lambda: packed({MEMBER: activity(*[row()] * 50)}).replace(b"PK\x01\x02", b"PK\x01\x03"), "damaged"),
    "many members": (lambda: b"PK\x03\x04" + b"PK\x01\x02" * 10_001, "members"),
}


@pytest.mark.parametrize("kind", sorted(ZIPS))
def test_a_bad_zip_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    make, expected = ZIPS[kind]
    path = write(tmp_path / "x.zip", make())
    begin = time.monotonic()
    with pytest.raises(HistoryError, match=expected) as refused:
        read_exports([Source(path)], zone=UTC)
    assert "\n" not in str(refused.value)
    assert time.monotonic() - begin < 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.zip"]


def test_what_is_no_regular_file_of_bounded_size_is_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(2_000_000_000)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "huge.csv", tmp_path / "none.csv", tmp_path / "loop"):
        with pytest.raises(HistoryError, match="cannot read") as refused:
            read_exports([Source(path)], zone=UTC)
        assert "\n" not in str(refused.value)
    assert MAX_BYTES < 2_000_000_000


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _limit: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(exports, "read_regular_file", refuse)  # the tests may run as root
    with pytest.raises(HistoryError, match="Permission denied"):
        read_exports([Source(write(tmp_path / "a.csv", "Title,Date\n"))], zone=UTC)


def test_the_newest_complete_export_is_found_by_itself(tmp_path: Path) -> None:
    content = "Title,Date\nPlain,2024-01-12\n"
    assert find_newest(tmp_path) is None
    assert find_newest(tmp_path / "nowhere") is None
    expected = None
    for day, name in enumerate(
        ["NetflixViewingHistory.csv", "NetflixViewingHistory (1).csv", "NetflixViewingHistory 2.csv"], start=1
    ):
        expected = write(tmp_path / name, content, date(2024, 6, day))
        assert find_newest(tmp_path) == expected
    write(tmp_path / "Other.csv", content)
    write(tmp_path / "holidays.zip", packed({"a.txt": b"x"}))
    write(tmp_path / "NetflixViewingHistory (3).csv.crdownload", content)
    write(tmp_path / "NetflixViewingHistory (4).csv", b"")
    write(tmp_path / "NetflixViewingHistory (5).csv", content[:-9])
    write(tmp_path / "NetflixViewingHistory (6).csv", content)
    write(tmp_path / "NetflixViewingHistory (6).csv.part", content)
    assert find_newest(tmp_path) == expected
    account = write(tmp_path / "anything.zip", packed({MEMBER: activity(row())}))
    assert find_newest(tmp_path) == account


def test_a_name_before_the_path_names_the_profile(tmp_path: Path) -> None:
    assert parse_source("Anna=x.csv") == Source(Path("x.csv"), "Anna")
    assert parse_source("x.csv") == Source(Path("x.csv"))
    there = write(tmp_path / "a=b.csv", "Title,Date\n")
    assert parse_source(str(there)) == Source(there)
