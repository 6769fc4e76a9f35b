"""The exports on this machine: found, opened without harm, read, and put together into one history."""

from __future__ import annotations

import io
import re
import time
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Final

import pandas as pd

from participant.activity import SHORTEST_VIEW
from participant.history import DateOrder, Reading, merge_exports, read_history
from shared.errors import DateOrderUnknown, HistoryError, ProfileUnknown
from shared.files import read_regular_file
from shared.week import IsoWeek, latest_closed, weeks_between
from shared.wording import DOWNLOAD_PAGE, amount

MAX_BYTES: Final = 256_000_000
"""A million rows of the larger kind of export have less."""
MAX_MEMBERS: Final = 10_000
MAX_RATIO: Final = 200
"""Of a packed member; a real export is packed to a tenth, and a bomb to a thousandth."""

SILENT_WEEKS: Final = 3
"""One week in five has no view: so many at the end of an export are worth a question."""

_EXPORT: Final = re.compile(r"(?:netflixviewinghistory|viewingactivity)[^/\\]*\.csv", re.IGNORECASE)
_PART_ENDINGS: Final = (".crdownload", ".part", ".partial", ".download", ".tmp", ".opdownload")
_MEMBERS_IN_TAIL: Final = (b"CONTENT_INTERACTION/ViewingActivity.csv", b"NetflixViewingHistory")
_TAIL: Final = 65_536
_STILL_WRITTEN: Final = 2.0  # seconds: a file younger than this is looked at twice
_MEMBER_TIME_UNSET: Final = 1980  # what the zip format says where no time was recorded


@dataclass(frozen=True)
class Source:
    """A file that the participant names, and the profile they say it is of (`NAME=PATH`)."""

    path: Path
    profile: str | None = None


@dataclass(frozen=True)
class Export:
    """One file that was read. `made` is the day by its own time, in the participant's time zone."""

    source: Source
    made: date
    reading: Reading


@dataclass(frozen=True)
class History:
    """All views of a participant. Private, also the counts and the names of the profiles."""

    views: pd.DataFrame
    """Columns `title`, `date`: of several profiles added up, of several exports of one profile merged."""
    made: date
    """Views of every profile are known up to this day: a week is covered if it ended before."""
    exports: tuple[Export, ...]

    def covers(self, week: IsoWeek) -> bool:
        """Tell whether every profile's newest export was made after the week's end; what its rows say is not asked."""
        return week.end <= self.made

    @property
    def date_order(self) -> DateOrder | None:
        """Return the order to remember for later exports: that of the newest file whose dates decided one."""
        newest = sorted(self.exports, key=lambda export: export.made, reverse=True)
        return next((order for export in newest if (order := _to_remember(export.reading))), None)

    def report(self) -> list[str]:
        """Return what was read, in counts only: for the terminal, never for a log that others may see."""
        lines = []
        for place, export in enumerate(self.exports, start=1):
            reading = export.reading
            out = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reading.left_out.items()))
            name = f" ({export.source.profile})" if export.source.profile else ""
            line = f"export {place}{name}, {reading.kind}: "
            line += f"{amount(len(reading.views), 'view')} in {amount(reading.rows, 'row')}"
            line += f"; left out: {out}" if out else ""
            line += f"; put right what a spreadsheet changed: {reading.repaired:,}" if reading.repaired else ""
            line += f"; dates are {reading.date_order} ({reading.why})" if reading.date_order else ""
            lines.append(line)
        weeks = amount(self.weeks_covered(), "week")
        lines.append(f"in all {amount(len(self.views), 'view')} in {weeks}, to {latest_closed(self.made)}")
        return [*lines, self.silence] if self.silence else lines

    @property
    def silence(self) -> str | None:
        """What to check where the last weeks have no view; None while some have. For the terminal alone."""
        if self.views.empty:
            return None
        seen = IsoWeek.of(self.views["date"].max().date())
        silent = weeks_between(seen.plus(1), latest_closed(self.made))
        if len(silent) < SILENT_WEEKS:
            return None
        return (
            f"the last {len(silent)} weeks of your export have no view at all. If you did watch, it is an old file "
            f"with a new date, and these weeks would be released as weeks without anything: download it anew from "
            f"{DOWNLOAD_PAGE} (Download all)"
        )

    def weeks_covered(self) -> int:
        """Return how many weeks lie between the first view and the day the exports were made."""
        if self.views.empty:
            return 0
        first = IsoWeek.of(self.views["date"].min().date()).first_day
        return max(0, (latest_closed(self.made).end - first).days // 7)


def parse_source(text: str) -> Source:
    """Return what `--history [NAME=]PATH` says; a path that is there as it stands is no `NAME=PATH`.

    Raises: HistoryError for what can be no path.

    >>> parse_source("Anna=anna.csv")
    Source(path=PosixPath('anna.csv'), profile='Anna')
    """
    name, separator, path = text.partition("=")
    try:
        whole = Path(text).expanduser()
        if not separator or not name.strip() or not path or whole.exists():
            return Source(whole)
        return Source(Path(path).expanduser(), name.strip())
    except (RuntimeError, ValueError, OSError) as error:
        raise HistoryError(f"history {text[:80]!r} names no file: {error}; mend it in settings.toml") from None


def find_exports(stated: Sequence[str], home: Path, profile: str = "") -> list[Source]:
    """Return the exports that the settings name (`path` or `name=path`), else the newest in ~/Downloads.

    They are of `profile` where nothing else is said.

    Raises: HistoryError if none is named and none is there.
    """
    if stated:
        named = [parse_source(text) for text in stated]
        return [Source(source.path, source.profile or profile or None) for source in named]
    newest = find_newest(home / "Downloads")
    if newest is None:
        raise HistoryError(
            f"no complete NetflixViewingHistory.csv in {home / 'Downloads'} (an empty or unfinished one is left alone);"
            f" download yours from {DOWNLOAD_PAGE} (Download all), or name the file under history in settings.toml"
        )
    return [Source(newest, profile or None)]


def exports_made(sources: Sequence[Source], zone: tzinfo) -> date:
    """Return up to which day views of every profile are known, without reading what the exports say.

    Raises: HistoryError if one of them cannot be read.
    """
    profiles: dict[str, date] = {}
    for source in sources:
        profile, (_, made) = (source.profile or "").casefold(), open_export(source.path, zone)
        profiles[profile] = max(made, profiles.get(profile, made))
    return min(profiles.values())


def export_files(stated: Sequence[str], home: Path) -> list[Path]:
    """Return every place where an export may appear or change."""
    if stated:
        return [parse_source(text).path for text in stated]
    downloads = home / "Downloads"
    try:
        return [downloads, *(path for path in downloads.iterdir() if _may_be_export(path.name.casefold()))]
    except OSError:
        return [downloads]


def find_newest(downloads: Path) -> Path | None:
    """Return the newest Netflix export in a folder, None if there is none that is complete.

    By name (`NetflixViewingHistory (1).csv`, `... 2.csv`, `ViewingActivity.csv`), a zip by the names in it. One that is
    still being downloaded is left alone: empty, with its part beside it, still growing, or cut off.
    """
    try:
        entries = sorted(downloads.iterdir())
    except OSError:
        return None
    parts = {entry.name.casefold() for entry in entries if entry.name.casefold().endswith(_PART_ENDINGS)}
    found = []
    for entry in entries:
        name = entry.name.casefold()
        if name.startswith(".") or any(name + ending in parts for ending in _PART_ENDINGS):
            continue
        try:
            status = entry.stat()
            if not entry.is_file() or not 0 < status.st_size <= MAX_BYTES:
                continue
            if _EXPORT.fullmatch(name) or (_may_be_export(name) and _is_export_zip(entry, status.st_size)):
                found.append((status.st_mtime, entry))
        except OSError:
            continue
    return next((entry for _, entry in sorted(found, reverse=True) if _is_whole(entry)), None)


def read_exports(
    sources: Sequence[Source],
    *,
    zone: tzinfo,
    date_order: DateOrder | None = None,
    remembered: DateOrder | None = None,
    shortest: int = SHORTEST_VIEW,
) -> History:
    """Return the history in these files: exports of one profile merged, profiles added up.

    Files without a name are of one profile, the participant's own.

    Raises: HistoryError and its kinds, naming the file, if one of them cannot be read.
    """
    if not sources:
        raise HistoryError(f"there is no Netflix export; download yours from {DOWNLOAD_PAGE} (Download all)")
    exports = []
    for source in dict.fromkeys(sources):
        data, made = open_export(source.path, zone)
        try:
            reading = read_history(
                data, made, date_order, remembered=remembered, profile=source.profile, zone=zone, shortest=shortest
            )
        except ProfileUnknown as error:
            raise ProfileUnknown(
                f"{source.path.name}: {error}",
                log_safe=f"{source.path.name}: {error.log_safe}",
                profiles=error.profiles,
            ) from None
        except DateOrderUnknown as error:
            raise DateOrderUnknown(f"{source.path.name}: {error}", orders=error.orders) from None
        except HistoryError as error:
            raise HistoryError(f"{source.path.name}: {error}") from None
        del data
        exports.append(Export(source, made, reading))
    profiles: dict[str, list[Export]] = {}
    for export in exports:
        profiles.setdefault((export.source.profile or "").casefold(), []).append(export)
    merged = [merge_exports([export.reading.views for export in profile]) for profile in profiles.values()]
    views = merged[0] if len(merged) == 1 else pd.concat(merged, ignore_index=True)
    made = min(max(export.made for export in profile) for profile in profiles.values())
    return History(views, made, tuple(exports))


def open_export(path: Path, zone: tzinfo) -> tuple[bytes, date]:
    """Return the bytes of an export and the day it was made: of a file, or of the one member of a zip that is one.

    Raises: HistoryError if it cannot be read, is no regular file, too large, or a zip that is no export or harmful.
    """
    try:
        real = path.resolve(strict=True)
        before = real.stat()
        modified = datetime.fromtimestamp(before.st_mtime, zone)
        data = read_regular_file(real, MAX_BYTES)
        after = real.stat()
        if (before.st_mtime_ns, before.st_size, before.st_ino) != (after.st_mtime_ns, after.st_size, after.st_ino):
            raise HistoryError(f"{path.name} changed while it was read; try again when it is complete")
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise HistoryError(f"cannot read {path}: {reason}; name a Netflix export that can be read") from None
    if not data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return data, modified.date()
    try:
        member, unpacked = _unpack(data)
    except HistoryError as error:
        raise HistoryError(f"{path.name}: {error}") from None
    return unpacked, _member_day(member, modified, zone)


def _unpack(data: bytes) -> tuple[zipfile.ZipInfo, bytes]:
    """Return the export in the bytes of a zip. Nothing is written anywhere, and no more than `MAX_BYTES` unpacked."""
    # Counted before the directory is parsed: each entry has its signature.
    if data.count(b"PK\x01\x02") > MAX_MEMBERS:
        raise HistoryError(f"the zip has more than {MAX_MEMBERS:,} members: it is no Netflix export; download it anew")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = _export_member(archive.infolist())
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise HistoryError(
                    "the zip is locked or packed in an unusual way; unpack it and name ViewingActivity.csv"
                )
            if member.file_size > MAX_BYTES or member.file_size > MAX_RATIO * max(member.compress_size, 1):
                raise HistoryError(
                    f"the zip unpacks to {member.file_size:,} bytes from {member.compress_size:,}; at most "
                    f"{MAX_BYTES:,} and {MAX_RATIO} times are read: it is no Netflix export"
                )
            with archive.open(member) as file:
                unpacked = file.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise HistoryError(f"the zip is damaged ({type(error).__name__}); download it anew") from None
    if len(unpacked) > MAX_BYTES:
        raise HistoryError(f"the zip unpacks to more than {MAX_BYTES:,} bytes: it is no Netflix export")
    return member, unpacked


def _export_member(members: Sequence[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    by_name: dict[str, list[zipfile.ZipInfo]] = {}
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith(("/", "\\")) or ".." in parts or re.match(r"[a-zA-Z]:", member.filename):
            raise HistoryError("the zip names files outside itself: it is no Netflix export; download it anew")
        if parts[0] != "__MACOSX" and _EXPORT.fullmatch(parts[-1]):
            by_name.setdefault(parts[-1].casefold(), []).append(member)
    found = by_name.get("viewingactivity.csv") or [member for same in by_name.values() for member in same]
    in_place = [member for member in found if member.filename.endswith("CONTENT_INTERACTION/ViewingActivity.csv")]
    found = in_place or found
    if len(found) == 1:
        return found[0]
    if any(member.filename == "[Content_Types].xml" for member in members):
        raise HistoryError("the file is a spreadsheet; save it as CSV (UTF-8), or download it anew")
    raise HistoryError(
        "the zip holds more than one export; unpack it and name one"
        if found
        else "the zip holds no CONTENT_INTERACTION/ViewingActivity.csv; in your account ask Netflix for a copy of your "
        f"information, or download the viewing history from {DOWNLOAD_PAGE}"
    )


def _member_day(member: zipfile.ZipInfo, modified: datetime, zone: tzinfo) -> date:
    """Return the day a zip's member was made, and no later one: its time names no zone, so the earlier day is taken."""
    if member.date_time[0] <= _MEMBER_TIME_UNSET:
        return modified.date()
    try:
        written = datetime(*member.date_time, tzinfo=zone)
        return min(written.date(), written.replace(tzinfo=UTC).astimezone(zone).date(), modified.date())
    except (ValueError, OverflowError):
        return modified.date()


def _may_be_export(name: str) -> bool:
    return bool(_EXPORT.fullmatch(name)) or name.endswith(".zip")


def _is_export_zip(path: Path, size: int) -> bool:
    """Tell whether the end of a zip, where its directory is, names an export; nothing is unpacked."""
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL)
    return b"PK\x05\x06" in tail and any(name in tail for name in _MEMBERS_IN_TAIL)


def _is_whole(path: Path) -> bool:
    """Tell whether a file has stopped growing and ends where a line ends, or where a zip ends."""
    try:
        before = path.stat()
        if abs(time.time() - before.st_mtime) < _STILL_WRITTEN:
            time.sleep(0.1)
            if path.stat().st_size != before.st_size:
                return False
        with path.open("rb") as file:
            file.seek(max(0, before.st_size - _TAIL))
            tail = file.read(_TAIL)
    except OSError:
        return False
    if path.suffix.casefold() == ".zip":
        return True
    last = re.split(rb"[\r\n]\x00?", tail)[-1].strip(b"\0 ")
    # Without a line end, a row is complete that ends in a quote or, unquoted, in a date of full length.
    return not last or last.endswith(b'"') or bool(re.search(rb"\d[-./]\s?\d{2}(?:\d{2})?$", last))


def _to_remember(reading: Reading) -> DateOrder | None:
    """Return the order that a reading found; times of the account data, year first, say nothing about other exports."""
    return None if reading.kind == "viewing activity" and reading.certain else reading.date_order
