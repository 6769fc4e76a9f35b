"""From the bytes of an export to its columns: delimiter, header, and rows that a spreadsheet program changed."""

from __future__ import annotations

import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from participant.dates import parse_form
from participant.encodings import Encoding, detect_encoding
from participant.languages import ACTIVITY_NAMES, DATE_NAMES, TITLE_NAMES, word
from shared.errors import HistoryError
from shared.wording import DOWNLOAD_PAGE

Kind = Literal["viewing history", "viewing activity"]
Role = str
"""What a column is: `title`, `date`, or one of those of the account data (`profile`, `start`, ...)."""

MAX_COLUMNS: Final = 100
LONGEST_LINE: Final = 20_000
"""Characters; the titles of ten thousand real rows stay below 300."""

MAX_ROWS: Final = 2_000_000
"""Blank lines included: a hundred views a day for fifty years."""

_DELIMITERS: Final = (",", ";", "\t")
_NEEDED: Final[Mapping[Kind, frozenset[Role]]] = {
    "viewing history": frozenset({"title", "date"}),
    "viewing activity": frozenset({"profile", "start", "duration", "title"}),
}
_BATCH: Final = 256  # larger ones keep the garbage collector busy: a third of the speed at 20,000
_LINES_OF_ONE_ROW: Final = 3  # a title with line feeds in it; more, and a quote is missing
_GLUED = re.compile(r"(?P<title>.*?\S)\s*[\"',;\t|]+\s*(?P<date>[^\"',;\t|]{6,40}?)[\"'\s,;]*")
_GLUED_SWAPPED = re.compile(r"[\"'\s]*(?P<date>[^\"',;\t|]{6,40}?)\s*[\"',;\t|]+\s*(?P<title>\S.*?)[\"\s,;]*")


class _Numbers(dict[str, int]):
    """Numbers texts in the order in which they first appear."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


@dataclass(frozen=True)
class Column:
    """A column: its distinct texts, each kept once, and which one each row has."""

    texts: list[str]
    codes: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Table:
    """The columns of an export that matter, and what became of the rows that have none."""

    kind: Kind
    columns: Mapping[Role, Column]
    rows: int
    """Rows below the header, blank lines not counted."""
    left_out: Counter[str]
    """Rows without the right cells, by reason. All others have an entry in every column."""
    repaired: int
    """Rows put right: unquoted, or cut where it was certain."""
    encoding: str


@dataclass(frozen=True)
class _Header:
    kind: Kind
    delimiter: str
    places: Mapping[Role, int]
    width: int

    @property
    def only_title_and_date(self) -> bool:
        return self.kind == "viewing history" and self.width == 2  # title and date

    def cells(self, row: list[str]) -> list[str] | None:
        """Return the cells of a row as the header has them, put right where that is certain; None if it is not."""
        while len(row) > self.width and not row[-1].strip():
            row = row[:-1]
        filled = [cell for cell in row if cell.strip()]
        if len(filled) == 1 and (len(row) != self.width or self.width > 1):
            # A spreadsheet program put the whole row into one cell.
            for delimiter in _DELIMITERS:
                inner = _cells(filled[0], delimiter)
                if len(inner) == self.width and (
                    self.kind != "viewing history" or parse_form(inner[self.places["date"]])
                ):
                    return inner
            if len(row) != self.width:
                return self._cut(filled[0])
        if len(row) == self.width:
            return row
        return self._joined(row)

    def _joined(self, row: list[str]) -> list[str] | None:
        """Return a row whose title has unquoted delimiters: one cell at the date's end is a date, and no other is."""
        if not self.only_title_and_date or len(row) <= self.width:
            return None
        dated = [place for place, cell in enumerate(row) if parse_form(cell)]
        if self.places["date"] == 1 and dated == [len(row) - 1]:
            return [self.delimiter.join(row[:-1]), row[-1]]
        if self.places["date"] == 0 and dated == [0]:
            return [row[0], self.delimiter.join(row[1:])]
        return None

    def _cut(self, text: str) -> list[str] | None:
        """Return the two cells of a row whose columns were glued together, with a delimiter or quote left between."""
        if not self.only_title_and_date or len(text) > LONGEST_LINE:
            return None
        swapped = self.places["date"] == 0
        found = (_GLUED_SWAPPED if swapped else _GLUED).fullmatch(text.strip())
        if not found or not parse_form(found["date"]) or (swapped and parse_form(found["title"])):
            return None
        title = found["title"].strip("\"' ")
        return [found["date"], title] if swapped else [title, found["date"]]


@dataclass
class _Rows:
    """The rows taken so far."""

    header: _Header
    numbers: dict[Role, _Numbers] = field(init=False)
    codes: dict[Role, array[int]] = field(init=False)
    left_out: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    repaired: int = 0
    last_taken: bool = True

    def __post_init__(self) -> None:
        self.numbers = {role: _Numbers() for role in self.header.places}
        self.codes = {role: array("i") for role in self.header.places}

    def take_all(self, rows: Sequence[list[str]]) -> None:
        """Take rows; those that have the header's cells, as nearly all do, all at once."""
        if set(map(len, rows)) == {self.header.width}:
            columns = {role: [row[place] for row in rows] for role, place in self.header.places.items()}
            # In a row of two cells one of which is empty, the other may be the whole row.
            if not (self.header.only_title_and_date and any("" in column for column in columns.values())):
                self.rows += len(rows)
                for role, column in columns.items():
                    self.codes[role].extend(map(self.numbers[role].__getitem__, column))
                self.last_taken = True
                return
        for row in rows:
            if row:
                self.take(row)

    def take(self, row: list[str]) -> None:
        """Take one row, put right if need be."""
        self.rows += 1
        cells = self.header.cells(row)
        self.last_taken = cells is not None
        if cells is None:
            self.left_out["not the cells of the header"] += 1
            return
        self.repaired += cells != row[: self.header.width]
        for role, place in self.header.places.items():
            self.codes[role].append(self.numbers[role][cells[place]])

    def leave_out(self, reason: str) -> None:
        """Count a row that cannot be taken."""
        self.rows += 1
        self.left_out[reason] += 1
        self.last_taken = False


def read_table(data: bytes) -> Table:
    """Return the columns in the bytes of an export, of either kind.

    Raises: HistoryError if they are no export, or end in the middle of a row.
    """
    if not data[:1000].strip() and not data.strip():
        raise HistoryError(f"the file is empty; download it anew from {DOWNLOAD_PAGE}")
    encoding = detect_encoding(data)
    with encoding.lines(data) as lines:
        header = _find_header(lines)
        rows = _read_fast(lines, header)
    if rows is None:
        with encoding.lines(data) as lines:
            _find_header(lines)
            rows = _read_line_by_line(lines, header)
    whole = encoding.ends_in_a_line_end(data) or not rows.rows or _is_complete(rows)
    if not whole or (rows.rows == 1 and not _is_closed(encoding, data)):  # of one row, no other shows the form
        raise HistoryError("the file ends in the middle of a row: it was cut off; download it anew")
    columns = {
        role: Column(list(rows.numbers[role]), np.frombuffer(codes, np.int32) if codes else np.zeros(0, np.int32))
        for role, codes in rows.codes.items()
    }
    name = f"{encoding.codec.upper()}{', damaged' * encoding.damaged}"
    return Table(header.kind, columns, rows.rows, rows.left_out, rows.repaired, name)


def _find_header(lines: Iterable[str]) -> _Header:
    """Return what the first line says, and leave the lines at the second.

    Raises: HistoryError if it is not the first line of an export.
    """
    for line in lines:
        text = line.strip("\ufeff \n\t,;")
        if not text or text.casefold().startswith("sep="):  # which some spreadsheet programs write first
            continue
        if text.startswith("<"):
            raise HistoryError(f"the file is a web page, not an export; sign in and download it from {DOWNLOAD_PAGE}")
        columns = 1 + max(map(line.count, _DELIMITERS))
        if columns > MAX_COLUMNS:
            raise HistoryError(
                f"the file has {columns:,} columns, at most {MAX_COLUMNS} are read: it is no Netflix export; "
                f"download it from {DOWNLOAD_PAGE}"
            )
        if len(line) > LONGEST_LINE:
            break
        rows = {delimiter: _cells(line.strip("\ufeff\n"), delimiter) for delimiter in _DELIMITERS}
        whole = [(delimiter, row[0]) for delimiter, row in rows.items() if row and not any(row[1:])]
        inner = [(delimiter, _cells(cell, other)) for delimiter, cell in whole for other in _DELIMITERS]
        for delimiter, names in [*rows.items(), *inner]:
            if header := _header(names, delimiter):
                return header
        break
    raise HistoryError(
        "the file is no Netflix export: its first line is neither Title,Date nor that of ViewingActivity.csv. "
        f"Download it anew from {DOWNLOAD_PAGE} (Download all)"
    )


def _header(names: list[str], delimiter: str) -> _Header | None:
    while names and not names[-1].strip():
        names = names[:-1]
    simple = [word(name) for name in names]
    kind: Kind = "viewing activity"
    roles: list[str | None] = [ACTIVITY_NAMES.get(re.sub(r"[\s_]", "", name)) for name in simple]
    if not _NEEDED[kind] <= set(roles):
        kind = "viewing history"
        roles = ["title" if name in TITLE_NAMES else "date" if name in DATE_NAMES else None for name in simple]
    found = [role for role in roles if role]
    if not _NEEDED[kind] <= set(found) or len(set(found)) != len(found):
        return None
    return _Header(kind, delimiter, {role: place for place, role in enumerate(roles) if role}, len(names))


def _read_fast(lines: Iterable[str], header: _Header) -> _Rows | None:
    """Return the rows if every line is one, as in nearly all files; None if a quote holds lines together."""
    rows = _Rows(header)
    reader = csv.reader(lines, delimiter=header.delimiter)
    taken = 0
    try:
        while batch := list(islice(reader, _BATCH)):
            taken += len(batch)
            _check_rows(taken)
            if reader.line_num != taken:
                return None
            rows.take_all(batch)
    except csv.Error:  # a cell longer than the csv module takes
        return None
    return rows


def _read_line_by_line(lines: Iterable[str], header: _Header) -> _Rows:
    """Return the rows of a file in which quotes are missing or cells hold line feeds: no row may swallow others."""
    rows = _Rows(header)
    for number, text in enumerate(_joined_lines(lines, header)):
        _check_rows(number)
        if rows.left_out.total() > max(1000, rows.rows // 2):
            raise HistoryError("most rows are none of a Netflix export; the file was damaged: download it anew")
        if len(text) > LONGEST_LINE:
            rows.leave_out("line too long")
        elif row := _cells(text, header.delimiter):
            rows.take(row)
    return rows


def _check_rows(rows: int) -> None:
    """Stop reading what no person can have watched."""
    if rows > MAX_ROWS:
        raise HistoryError(f"the file has more than {MAX_ROWS:,} rows: it is no Netflix export; download it anew")


def _joined_lines(lines: Iterable[str], header: _Header) -> Iterator[str]:
    """Yield the lines, those put together that hold one row: an open quote in one, its end in one of the next."""
    held: list[str] = []
    for line in lines:
        text = line.rstrip("\n")
        odd = len(text) <= LONGEST_LINE and text.count('"') % 2 == 1
        if held and odd:
            whole = " ".join([*held, text])
            row = _cells(whole, header.delimiter)
            if len(row) == header.width:
                held = []
                yield whole
                continue
        if held and (odd or len(held) >= _LINES_OF_ONE_ROW - 1 or _is_row(text, header)):
            yield from held
            held = []
        if held or (odd and not _is_row(text, header)):
            held.append(text)
        else:
            yield text
    yield from held


def _is_row(text: str, header: _Header) -> bool:
    return len(text) <= LONGEST_LINE and header.cells(_cells(text, header.delimiter)) is not None


def _is_complete(rows: _Rows) -> bool:
    """Tell whether the last row, which no line end closes, is whole: its date has the form of the one before."""
    if not rows.last_taken or rows.header.kind != "viewing history":
        return rows.last_taken
    codes, texts = rows.codes["date"], list(rows.numbers["date"])
    last, before = (parse_form(texts[code]) for code in (codes[-1], codes[max(0, len(codes) - 2)]))
    return last is not None and (before is None or last[:2] == before[:2])


def _is_closed(encoding: Encoding, data: bytes) -> bool:
    """Tell whether every quote that was opened was closed."""
    with encoding.lines(data) as lines:
        return sum(line.count('"') for line in lines) % 2 == 0


def _cells(text: str, delimiter: str) -> list[str]:
    """Return the cells of one line, [] if there are none."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return [text]
