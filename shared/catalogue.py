"""The public, append-only, ordered list of shows that can be counted: row i is cell i of every release."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Final

from shared.errors import CatalogueError
from shared.show import leading_names, show_key

HEADER: Final = ["row", "show", "kind", "also"]
KINDS: Final = ("series", "film", "special")
MAX_BYTES: Final = 10_000_000  # SyftBox's server refuses larger files
MAX_ROWS: Final = 100_000


@dataclass(frozen=True)
class Show:
    """A catalogue row: the show's name, its kind (`series`, `film`, `special`) and its alternative titles."""

    name: str
    kind: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """Shows in the order of their rows, together with the lines they were read from.

    Sound by construction: every row reduces to itself, and no name (alternatives included) leads to two rows.

    Raises: CatalogueError if it is not.
    """

    shows: tuple[Show, ...]
    lines: tuple[bytes, ...]
    _whole: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole: dict[str, int] = {}
        for row, show in enumerate(self.shows):
            for name in (show.name, *show.also):
                key = show_key(name)
                if not key:
                    raise CatalogueError(f"catalogue row {row}: a name has no letter or digit; mend catalogue.csv")
                if whole.setdefault(key, row) != row:
                    raise CatalogueError(
                        f"catalogue rows {whole[key]} and {row} share the name {name!r}; a name leads to one row"
                    )
        object.__setattr__(self, "_whole", whole)

    def __len__(self) -> int:
        return len(self.shows)

    def row_of(self, title: str) -> int | None:
        """Return the row that a view with this title counts in, None if there is none.

        It depends on the title and the catalogue alone: never on what else was watched. A name that fits the whole
        title wins; else the longest name of a series that the title continues after a colon.
        """
        row = self._whole.get(show_key(title))
        if row is not None:
            return row
        for name in leading_names(title):
            row = self._whole.get(show_key(name))
            if row is not None and self.shows[row].kind == "series":
                return row
        return None

    def sha256(self) -> str:
        """Return the SHA-256 of the header and all rows, as a study names it."""
        return hashlib.sha256(b"".join(self.lines)).hexdigest()

    def first(self, rows: int) -> Catalogue:
        """Return the catalogue as it was when it had `rows` rows; CatalogueError if it has fewer."""
        if not 1 <= rows <= len(self):
            raise CatalogueError(f"the catalogue has {len(self)} rows, not {rows}")
        return self if rows == len(self) else Catalogue(self.shows[:rows], self.lines[: rows + 1])


@lru_cache(maxsize=4)
def parse_catalogue(data: bytes) -> Catalogue:
    """Return the catalogue in the bytes of a `catalogue.csv`, which may come from anyone.

    UTF-8, LF, one line a row, header `row,show,kind,also`; rows are numbered from 0 without a gap.

    Raises: CatalogueError with the line and the rule.
    """
    if len(data) > MAX_BYTES:
        raise CatalogueError(f"the catalogue has {len(data):,} bytes; at most {MAX_BYTES:,} are allowed")
    lines = data.splitlines(keepends=True)
    if len(lines) > MAX_ROWS + 1:
        raise CatalogueError(f"the catalogue has more than {MAX_ROWS:,} rows")
    try:
        data.decode("utf-8")
        cells = [next(csv.reader([line.decode("utf-8")], strict=True), []) for line in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(f"the catalogue is not UTF-8 CSV with one line a row: {error}") from None
    if not cells or cells[0] != HEADER:
        raise CatalogueError(f"the catalogue does not begin with the header {','.join(HEADER)}")
    shows = []
    for row, found in enumerate(cells[1:]):
        if not lines[row + 1].endswith(b"\n") or lines[row + 1].endswith(b"\r\n"):
            raise CatalogueError(f"catalogue line {row + 2} does not end in a line feed alone")
        if len(found) != len(HEADER) or found[0] != str(row):
            raise CatalogueError(f"catalogue line {row + 2}: expected {len(HEADER)} cells, the first one {row}")
        _, name, kind, also = found
        if kind not in KINDS:
            raise CatalogueError(f"catalogue line {row + 2}: {kind!r} is none of {', '.join(KINDS)}")
        shows.append(Show(name, kind, tuple(also.split("|")) if also else ()))
    if not shows:
        raise CatalogueError("the catalogue has no rows")
    return Catalogue(tuple(shows), tuple(lines))


def format_catalogue(shows: list[Show]) -> bytes:
    """Return the bytes of a `catalogue.csv` with these shows."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([row, show.name, show.kind, "|".join(show.also)] for row, show in enumerate(shows))
    return text.getvalue().encode("utf-8")


def bundled_catalogue() -> bytes:
    """Return the bytes of the catalogue that comes with the project."""
    return resources.files("shared").joinpath("catalogue.csv").read_bytes()
