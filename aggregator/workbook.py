"""The rows of an `.xlsx` workbook from anyone, in bounded time and memory.

openpyxl reads it as a stream. What openpyxl does not guard against (a zip that unfolds into gigabytes, XML entities
that multiply, a row of millions of cells) is refused before openpyxl sees the file: every part is unfolded once within
`MAX_UNFOLDED` and its XML elements are counted.
"""

from __future__ import annotations

import io
import itertools
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

from shared.errors import CatalogueError

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

MAX_BYTES: Final = 16_000_000  # Netflix's have 1
MAX_UNFOLDED: Final = 64_000_000  # Netflix's have 6
MAX_ELEMENTS: Final = 600_000  # XML elements of all parts together; Netflix's have 240,000
MAX_ATTRIBUTES: Final = 100  # of an element
MAX_TAG: Final = 1_000_000  # bytes of an element's tag: older versions of expat read a long one over and over
MAX_PARTS: Final = 1_000
MAX_SHEETS: Final = 20
MAX_ROWS: Final = 200_000  # of a sheet, empty ones included
MAX_COLUMNS: Final = 100  # Netflix's have 6 to 12
_CHUNK: Final = 1 << 16
_REMEDY: Final = "download the report again from netflix.com, or open it in a spreadsheet program and save it as .xlsx"


def read_sheets(data: bytes, where: str) -> Iterator[tuple[str, Iterator[tuple[Any, ...]]]]:
    """Yield the name of each sheet with its rows, which are read while they are asked for.

    A cell is what openpyxl makes of it: text, a number, a date, None. `where` names the file in messages.

    Raises: CatalogueError for anything that is no workbook, or is larger than the limits above.
    """
    if len(data) > MAX_BYTES:
        raise CatalogueError(f"{where}: a workbook of {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    _check_parts(data, where)
    workbook = _open(data, where)
    for sheet in workbook.worksheets[:MAX_SHEETS]:
        yield sheet.title, _rows(sheet, where)


def _open(data: bytes, where: str) -> Workbook:
    from openpyxl import load_workbook  # half a second that only this command has to wait

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and dates, which nobody asks for
            return load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # noqa: BLE001 - whatever openpyxl trips over, this is no workbook it can read
        raise _unreadable(where, error) from None


def _rows(sheet: Any, where: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a sheet; what the file says of its own dimensions is not believed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sheet.reset_dimensions()
            rows = iter(sheet.iter_rows(min_row=1, max_col=MAX_COLUMNS, values_only=True))
    except Exception as error:  # noqa: BLE001 - as above
        raise _unreadable(where, error) from None
    for number in itertools.count(1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                row = next(rows, None)
        except Exception as error:  # noqa: BLE001 - as above
            raise _unreadable(where, error) from None
        if row is None:
            return
        if number > MAX_ROWS:
            raise CatalogueError(f"{where}: a sheet has more than {MAX_ROWS:,} rows; no report of Netflix's has")
        yield row


def _unreadable(where: str, error: Exception) -> CatalogueError:
    return CatalogueError(f"{where}: no workbook that can be read ({type(error).__name__}); {_REMEDY}")


def _check_parts(data: bytes, where: str) -> None:
    """Refuse a workbook that would take openpyxl too long or too much memory, by unfolding every part once.

    All parts count, whatever their names: a workbook says itself which part is a sheet. One that is no XML (a picture)
    counts up to where it stops being XML, and openpyxl would get no further.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNFOLDED:
                raise CatalogueError(
                    f"{where}: unfolds into more than {MAX_UNFOLDED:,} bytes or {MAX_PARTS:,} parts, "
                    f"as a zip bomb does; {_REMEDY}"
                )
            count = _ElementCount(where)
            for part in parts:
                if part.flag_bits & 1 or part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                    raise CatalogueError(f"{where}: locked with a password, or packed as no workbook is; {_REMEDY}")
                with archive.open(part) as stream:
                    count.add_part(stream)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _unreadable(where, error) from None


class _ElementCount:
    """Counts the XML elements of all parts, and the cells of each row."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.elements = 0
        self.cells = 0

    def add_part(self, stream: Any) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._element
        parser.StartDoctypeDeclHandler = self._doctype
        fed = 0
        try:
            while chunk := stream.read(_CHUNK):
                parser.Parse(chunk, False)  # noqa: FBT003 - expat takes no names
                fed += len(chunk)
                if fed - parser.CurrentByteIndex > MAX_TAG:
                    raise CatalogueError(f"{self.where}: a tag of more than {MAX_TAG:,} bytes; {_REMEDY}")
        except expat.ExpatError:
            return

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS or len(attributes) > MAX_ATTRIBUTES:
            raise CatalogueError(f"{self.where}: more than {MAX_ELEMENTS:,} cells and other elements; {_REMEDY}")
        local = name.rpartition(":")[2]
        if local == "row":
            self.cells = 0
        elif local == "c":
            self.cells += 1
            if self.cells > MAX_COLUMNS:
                raise CatalogueError(
                    f"{self.where}: more than {MAX_COLUMNS:,} columns; no list of Netflix's has so many"
                )

    def _doctype(self, *_: object) -> None:
        raise CatalogueError(f"{self.where}: declares XML entities, which no workbook needs; {_REMEDY}")
