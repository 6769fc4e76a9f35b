"""From a list of shows, as Netflix publishes it or as anyone writes it, to the shows it names.

- `all-weeks-global.tsv`, `all-weeks-countries.tsv`, `most-popular.tsv`, and the same as `.xlsx`: known by `show_title`
  in the header; ordered by the hours viewed, added up, or without them by the places in the top ten.
- The engagement report, `.xlsx` or saved as CSV: known by `Title` beside `Hours Viewed` or `Views`, below a banner;
  ordered by the views, or without them the hours, added up over the seasons.
- A catalogue: known by `show` beside `kind` in the header; in its own order.
- A plain list, everything else: one show a line, `name` (a series) or `name,kind`; in its own order.

Columns are found by their names: Netflix changed their number four times. A viewing history is refused: whoever imports
theirs by mistake would publish it.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from aggregator.workbook import MAX_COLUMNS, read_sheets
from shared.catalogue import KINDS
from shared.errors import CatalogueError
from shared.show import show_key

MAX_FILE_BYTES: Final = 128_000_000  # all-weeks-countries.tsv grows by some 7 MB a year
MAX_LINES: Final = 5_000_000  # of a text file; all-weeks-countries.tsv has half a million
MAX_TITLES: Final = 500_000  # different ones; the largest report has 18 thousand
MAX_NAME: Final = 200  # characters
_MAX_TITLE: Final = 4_000  # characters of a cell with a name and its originals
_MAX_LINE: Final = 100_000  # bytes; csv refuses longer cells
_BANNER: Final = 50  # a header stands within so many rows
_AGAIN: Final = (
    "download it again, from https://www.netflix.com/tudum/top10 (Netflix's lists) or about.netflix.com (report)"
)


class Skip(Enum):
    """Why a row of a list adds no show."""

    EMPTY = "no title"
    LONG = f"a title of more than {MAX_NAME} characters"
    CONTROL = "control characters in the title"
    NAMELESS = "no letter or digit in the title"
    PART = "a season or special of a series that has a row"
    UNSOUND = "the name would lead to another row"
    FULL = "the catalogue is full"


@dataclass(frozen=True)
class Listed:
    """A show as a list names it, with the titles it has in other languages.

    `kind` is None where the list does not tell. `certain` is False where the name may be that of a season or a special
    of some series: `Fake Profile: Killer Match`.
    """

    name: str
    kind: str | None
    also: tuple[str, ...] = ()
    certain: bool = True


@dataclass(frozen=True)
class Listing:
    """The shows of a list, the most important first; its rows with a title name one of them, the others are skipped."""

    shows: tuple[Listed, ...]
    rows: int
    skipped: Mapping[Skip, int]
    report: bool = False
    """The engagement report, which tells names apart by a year: `Suits (2011)`."""


class _Entry(NamedTuple):
    """What one row says."""

    title: str
    kind: str | None
    also: str = ""


class _Columns(NamedTuple):
    """Which cell of a row holds what; None where no cell does."""

    report: bool
    title: int
    kind: int | None = None
    also: int | None = None
    weight: int | None = None
    rank: int | None = None


# --- files to rows ---------------------------------------------------------------------------------------------------


def read_listing(data: bytes, where: str) -> Listing:
    """Return the shows in the bytes of a list of any of the kinds above; `where` names the file in messages.

    Raises: CatalogueError in one line for a web page, an empty or broken file, one beyond the limits, one without any
    show in it, and for a viewing history.
    """
    if len(data) > MAX_FILE_BYTES:
        raise CatalogueError(f"{where}: {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read")
    if not data.strip():
        raise CatalogueError(f"{where}: empty, the download did not finish; {_AGAIN}")
    if data.startswith(b"PK"):
        tally = _read_workbook(data, where)
    elif data.startswith(b"\xd0\xcf\x11\xe0"):
        raise CatalogueError(f"{where}: an old .xls workbook or one with a password; save it as .xlsx without one")
    else:
        tally = _read_text(_utf8(data, where), where)
    listing = tally.listing()
    if not listing.shows:
        reasons = "; ".join(f"{count} rows: {skip.value}" for skip, count in listing.skipped.items()) or "no rows"
        raise CatalogueError(f"{where}: names no show ({reasons}); {_AGAIN}")
    return listing


def _utf8(data: bytes, where: str) -> bytes:
    """Return the text in UTF-8 without a byte order mark, whichever Unicode encoding its mark tells."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            data = data.decode("utf-16").encode("utf-8")
        except UnicodeError:
            raise CatalogueError(f"{where}: damaged UTF-16 text; save it as UTF-8") from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data[:1_000].lstrip()[:1] == b"<":
        raise CatalogueError(f"{where}: a web page, not the list itself; {_AGAIN}")
    if b"\0" in data:
        raise CatalogueError(f"{where}: not text (it has NUL bytes) and no .xlsx; {_AGAIN}")
    return data


def _read_text(data: bytes, where: str) -> _Tally:
    """Return what a text file lists: a table if a header is found below any banner, else one show a line."""
    tally = _Tally(where)
    for above, line in enumerate(_lines(data, _Tally(where), upto=_BANNER)):
        for delimiter in "\t,;":
            columns = _columns(_cells(line, delimiter), where)
            if columns is not None:
                lines = itertools.islice(_lines(data, tally), above + 1, None)
                tally.add_table(columns, _table(lines, delimiter, where))
                return tally
    _refuse_dated(_lines(data, _Tally(where), upto=1_000), where)
    for line in _lines(data, tally):
        name, comma, kind = line.rpartition(",")
        stated = bool(comma) and kind.strip().casefold() in KINDS
        tally.add(_Entry(_unquote(name if stated else line), kind.strip().casefold() if stated else "series"))
    return tally


def _lines(data: bytes, tally: _Tally, upto: int | None = None) -> Iterator[str]:
    """Yield the lines that are not blank, without their ends; those too long for any row are only counted."""
    begin, number = 0, 0
    while begin < len(data):
        number += 1
        if upto is not None and number > upto:
            return
        if number > MAX_LINES:
            raise CatalogueError(f"{tally.where}: more than {MAX_LINES:,} lines; no list has so many")
        end = data.find(b"\n", begin)
        end = len(data) if end < 0 else end
        line, begin = data[begin : min(end, begin + _MAX_LINE + 1)], end + 1
        if len(line) > _MAX_LINE:
            tally.skip(Skip.LONG)
            continue
        try:
            text = line.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError:
            raise CatalogueError(f"{tally.where}: line {number} is not UTF-8 text; save the file as UTF-8") from None
        if text.strip():
            yield text


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line that stands alone; without any if its quotes do not close."""
    if delimiter == "\t":
        return [_unquote(cell) for cell in line.split("\t")]  # Netflix quotes nothing
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _table(lines: Iterator[str], delimiter: str, where: str) -> Iterator[list[str]]:
    """Yield the cells of every line."""
    if delimiter == "\t":
        yield from (_cells(line, delimiter) for line in lines)
        return
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter)
    try:
        yield from reader
    except csv.Error as error:
        raise CatalogueError(f"{where}: row {reader.line_num} is no CSV ({error}); mend its quotes") from None


def _unquote(cell: str) -> str:
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        inner = cell[1:-1].replace('""', "\0")
        if '"' not in inner:
            return inner.replace("\0", '"')
    return cell


def _read_workbook(data: bytes, where: str) -> _Tally:
    """Return what the sheets that have a header list; the others (notes, a cover) are passed over."""
    tally = _Tally(where)
    found = False
    for name, rows in read_sheets(data, where):
        for number, row in enumerate(rows):
            columns = _columns([str(cell) if cell is not None else "" for cell in row], where)
            if columns is not None:
                found = True
                tally.add_table(columns, ([_text(cell) for cell in row] for row in rows), _kind(name))
                break
            if number > _BANNER:
                break
    if not found:
        raise CatalogueError(f"{where}: no sheet has a column Title or show_title; {_AGAIN}")
    return tally


def _text(cell: Any) -> str:
    """Return a cell as text: a title may look like a number (`1899`)."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _columns(cells: Sequence[str], where: str) -> _Columns | None:
    """Return where a header has what is needed, None if this row is no header that is known."""
    if len(cells) > MAX_COLUMNS:
        raise CatalogueError(f"{where}: a row has {len(cells):,} columns; at most {MAX_COLUMNS:,} are read")
    names = [re.sub(r"[^\w]+", "_", cell.strip().casefold()).strip("_") for cell in cells if len(cell) < MAX_NAME]
    if len(names) < len(cells):
        return None
    at = {name: place for place, name in reversed(list(enumerate(names)))}

    def first(*wanted: str) -> int | None:
        return next((at[name] for name in wanted if name in at), None)

    if "show_title" in at:
        hours = first("weekly_hours_viewed", "hours_viewed_first_91_days", "hours_viewed_first_28_days", "hours_viewed")
        return _Columns(
            report=False,
            title=at["show_title"],
            kind=first("category"),
            weight=hours,
            rank=first("weekly_rank", "rank"),
        )
    if "title" in at and {"date", "start_time", "starttime"} & at.keys():
        raise _history(where)
    if "title" in at and {"hours_viewed", "views", "available_globally"} & at.keys():
        return _Columns(report=True, title=at["title"], kind=first("category"), weight=first("views", "hours_viewed"))
    if "show" in at and "kind" in at:
        return _Columns(report=False, title=at["show"], kind=at["kind"], also=first("also"))
    return None


_DATED: Final = re.compile(r'[,;\t]\s*"?\d{1,4}([./-])\d{1,2}\1\d{1,4}\.?"?\s*$')


def _refuse_dated(lines: Iterable[str], where: str) -> None:
    """Refuse lines that mostly end in a date: a viewing history whose header is missing or in another language."""
    seen = dated = 0
    for line in lines:
        seen += 1
        dated += _DATED.search(line) is not None
    if dated * 2 > seen:
        raise _history(where)


def _history(where: str) -> CatalogueError:
    return CatalogueError(
        f"{where}: somebody's viewing history, which is private, and a catalogue is published; import a list of shows"
    )


def _kind(text: str) -> str | None:
    """Return the kind that a category, a sheet's name or a catalogue's column tells: `TV (English)`, `Movies`."""
    words = text.strip().casefold()
    if words in KINDS:
        return words
    if words.startswith(("tv", "show", "series")):
        return "series"
    return "film" if words.startswith(("film", "movie")) else None


# --- rows to shows ---------------------------------------------------------------------------------------------------


class _Tally:
    """Adds up the rows of a file: equal ones first, since a list of weeks repeats every title many times."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.rows = 0
        self.skipped: Counter[Skip] = Counter()
        self.report = False
        self._keys: dict[_Entry, str] = {}
        self._shows: dict[str, Listed] = {}
        self._weights: dict[str, float] = {}

    def skip(self, reason: Skip) -> None:
        self.rows += 1
        self.skipped[reason] += 1

    def add(self, entry: _Entry, weight: float = 0.0) -> None:
        """Count a row for the show that it names."""
        key = self._keys.get(entry)
        if key is None:
            listed = _from_report(entry) if self.report else _as_stated(entry)
            if isinstance(listed, Skip):
                self.skip(listed)
                return
            if len(self._keys) >= MAX_TITLES:
                raise CatalogueError(f"{self.where}: more than {MAX_TITLES:,} different titles; no list has so many")
            key = self._keys[entry] = show_key(listed.name)
            self._shows[key] = _same(self._shows[key], listed) if key in self._shows else listed
        self.rows += 1
        self._weights[key] = self._weights.get(key, 0.0) + weight

    def add_table(self, columns: _Columns, rows: Iterable[Sequence[str]], kind: str | None = None) -> None:
        """Count the rows below a header; `kind` is what the sheet's name tells, a category knows better."""
        self.report = columns.report
        for row in rows:
            if not any(row) or (columns.report and not any((*row[: columns.title], *row[columns.title + 1 :]))):
                self.skip(Skip.EMPTY)  # a blank row, or a note below the table
                continue
            weight = _number(_cell(row, columns.weight))
            if columns.weight is None and columns.rank is not None:
                weight = max(0.0, 11 - (_number(_cell(row, columns.rank)) or 11))
            stated = _kind(_cell(row, columns.kind)) or kind
            self.add(_Entry(_cell(row, columns.title), stated, _cell(row, columns.also)), weight)

    def listing(self) -> Listing:
        """Return the shows, heaviest first, in the order of the file where they weigh the same."""
        order = sorted(self._shows, key=lambda key: -self._weights[key])
        return Listing(tuple(self._shows[key] for key in order), self.rows, self.skipped, self.report)


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""


@lru_cache(maxsize=4096)
def _number(text: str) -> float:
    """Return the number in a cell (`812,100,000`), 0 if there is none."""
    try:
        number = float(text.replace(",", "")) if len(text) < MAX_NAME else 0.0
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


_INVISIBLE: Final = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


def clean(name: str) -> str | Skip:
    r"""Return the name on one line, without invisible characters that could change how a page shows it.

    >>> clean("The  Crown\n"), clean("a" * 201).name, clean("bell\a").name
    ('The Crown', 'LONG', 'CONTROL')
    """
    if len(name) > _MAX_TITLE:
        return Skip.LONG
    name = " ".join(_INVISIBLE.sub("", name).split())
    if not name:
        return Skip.EMPTY
    if len(name) > MAX_NAME:
        return Skip.LONG
    if any(unicodedata.category(character) in {"Cc", "Cs", "Cn", "Co"} for character in name):
        return Skip.CONTROL
    return name if show_key(name) and any(map(str.isalnum, name)) else Skip.NAMELESS


def _as_stated(entry: _Entry) -> Listed | Skip:
    """Return the show of a row whose name is the show's: `show_title`, a catalogue, a plain list."""
    name = clean(entry.title)
    return name if isinstance(name, Skip) else Listed(name, entry.kind, _cleaned(entry.also.split("|")))


def _cleaned(names: Iterable[str]) -> tuple[str, ...]:
    """Return the alternative titles that can be one: those that are fit for a catalogue, without its separator."""
    found = (clean(name.replace("|", " ")) for name in names)
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str)))


def _from_report(entry: _Entry) -> Listed | Skip:
    """Return the show of a title in the engagement report: `name: Season n // original: Season n`.

    What ends in a season is a series, whatever the sheet says. A film keeps `: Part 2`. A series without a season may
    be a season or special that has a name of its own: that is not certain.
    """
    if len(entry.title) > _MAX_TITLE:
        return Skip.LONG
    local, *originals = entry.title.split(" // ")
    name = clean(local)
    if isinstance(name, Skip):
        return name
    end, season = _season(name, entry.kind)
    show = name[:end]
    if not show_key(show):
        return Skip.NAMELESS
    kind = "series" if season is not None else entry.kind
    also = _cleaned(original if kind == "film" else _without_season(original, season, kind) for original in originals)
    return Listed(show, kind, also, certain=season is not None or kind == "film" or not leading_names(show))


def _same(one: Listed, other: Listed) -> Listed:
    """Return a show that two rows name. Alternatives are those of the first that has any.

    Two different shows may have one English name, and the titles in other languages would then lead to the wrong one.
    """
    kinds = {one.kind, other.kind} - {None}
    kind = "series" if "series" in kinds else next(iter(sorted(kinds - {None}, key=str)), None)
    return Listed(one.name, kind, one.also or other.also, one.certain or other.certain)


def gather(listings: Sequence[Listing]) -> tuple[Listed, ...]:
    """Return the shows of several lists, those of the first list first, each once.

    What one list does not tell (the kind, the other titles) another may. A year by which a report tells a name from
    others (`Suits (2011)`) is dropped, for viewing histories seldom have it, where the reports list no other show of
    this name; or where it is their only series of this name, since a film's name alone could not be told from it.
    """
    shows: dict[str, Listed] = {}
    reported: set[str] = set()
    for listing in listings:
        for listed in listing.shows:
            key = show_key(listed.name)
            shows[key] = _same(shows[key], listed) if key in shows else listed
            if listing.report:
                reported.add(key)
    dated: dict[str, list[str]] = {}
    for key, listed in shows.items():
        year = _YEAR.search(listed.name) if key in reported else None
        if year is not None and (bare := show_key(listed.name[: year.start()])) and bare != key:
            dated.setdefault(bare, []).append(key)
    for bare, keys in dated.items():
        named = [*keys, bare] if bare in reported else keys
        series = [key for key in named if shows[key].kind == "series"]
        owner = series[0] if len(series) == 1 else named[0] if len(named) == 1 else bare
        if owner != bare:
            listed = shows[owner]
            undated = replace(listed, name=_YEAR.sub("", listed.name), also=(*listed.also, listed.name))
            shows[bare if bare in shows else owner] = _same(shows[bare], undated) if bare in shows else undated
            if bare in shows:
                del shows[owner]
    return tuple(shows.values())


# --- seasons: shared/season.py (marker_of) knows more languages and should take the place of _STRONG and _WEAK -------

_YEAR: Final = re.compile(r"\s*\((?:19|20)\d\d\)$")
_COLON: Final = re.compile(r"\s*[:\uff1a]+\s*")
_SEQUEL: Final = re.compile(r"\s+(?:\d{1,2}|I{2,3}|IV|VI{0,3}|IX|X)$")
_NUMBERED: Final = r"(?:\d+[a-c]?|[ivxl]+|one|two|three|four|five|six)"
_STRONG: Final = re.compile(
    r"(?:(?:season|staffel|temporada|saison|sezon|stagione|seizoen|s[äæ]song?|sesong|kausi|musim|シーズン|시즌|ซีซั่น|सीज़न"
    r"|série|series)\s*\d+\b.*|シーズン\d+.*|\d+(?:st|nd|rd|th)\s+season|\d+[ªa.]?\s*(?:temporada|sezon|staffel|řada|série)"
    r"|第\s*.{1,3}\s*[季期]|(?:the )?final season.*|limited series|mini-?series|minis[eé]rie)",
    re.IGNORECASE,
)
_WEAK: Final = re.compile(
    rf"(?:part|volume|vol\.?|chapter|book|collection|class|edition|series|episodes?)\s*{_NUMBERED}\b.*|collection"
    r"|(?:january|february|march|april|may|june|july|august|september|october|november|december)\s+\d+,\s+\d{4}"
    r"|(?:19|20)\d\d",
    re.IGNORECASE,
)
_LIMITED: Final = re.compile(
    r"리미티드 시리즈|リミテッドシリーズ|mini.?s[eé]rie|miniserial|minisarja|mini dizi|limited series|लिमिटेड सीरीज़"
    r"|ลิมิเต็ดซีรีส์|סדרה מוגבלת|مسلسل محدود|loạt phim.*|限定.*|迷你.*|minissérie|мини-?сериал",
    re.IGNORECASE,
)


def _season(name: str, kind: str | None) -> tuple[int, str | None]:
    """Return where the show's name ends and the season that follows it after a colon; the whole name and None if none.

    `Part 2` and the like are seasons only where the list says that it is a series.
    """
    colons = list(_COLON.finditer(name))
    for place, colon in enumerate(colons):
        end = colons[place + 1].start() if place + 1 < len(colons) else len(name)
        part = name[colon.end() : end]
        if not colon.start() or not part:
            continue
        if _STRONG.fullmatch(part) or (kind == "series" and _WEAK.fullmatch(part)):
            return colon.start(), part
        if kind == "series" and end == len(name) and show_key(part) == show_key(name[: colon.start()]):
            return colon.start(), part  # `Ferry: Ferry`
    return len(name), None


def _without_season(original: str, season: str | None, kind: str | None) -> str:
    """Return an original title without its season, where `season` is what the English one has, None if nothing."""
    end, found = _season(original, kind)
    if found is not None:
        return original[:end]
    colons = list(_COLON.finditer(original))
    if season is None or not colons:
        return original
    last = original[colons[-1].end() :].strip()
    number, again = (re.search(r"\d+", text) for text in (season, last))
    same = number is not None and again is not None and int(number[0]) == int(again[0]) and not last.isdigit()
    return original[: colons[-1].start()] if same or _LIMITED.fullmatch(last) else original


def leading_names(name: str) -> list[str]:
    """Return the series that a name may belong to, longest first: cut at each colon, and before a last number.

    >>> leading_names("Dragons: Rescue Riders: Huttsgalor Holiday"), leading_names("Tiger King 2")
    (['Dragons: Rescue Riders', 'Dragons'], ['Tiger King'])
    """
    cuts = {colon.start() for colon in _COLON.finditer(name)}
    if number := _SEQUEL.search(name):
        cuts.add(number.start())
    return [name[:cut] for cut in sorted(cuts, reverse=True) if cut]
