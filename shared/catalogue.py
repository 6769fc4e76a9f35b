"""The public, append-only, ordered list of shows that can be counted: row i is cell i of every release."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Final

from shared.errors import CatalogueError
from shared.season import Marker, dashed_end, is_film, marker_of, name_end, named_again, repeats_name
from shared.show import MOST_COLONS, Part, colon_key, part_key, show_key, split_title

HEADER: Final = ["row", "show", "kind", "also"]
KINDS: Final = ("series", "film", "special")
MAX_BYTES: Final = 10_000_000  # SyftBox's server refuses larger files
MAX_ROWS: Final = 100_000
LONGEST_NAME: Final = 300
_GAP: Final = re.compile(r"\s[-\u2013\u2014]\s|[(\[]")  # what stands before a season where no colon does
_MOST_KEPT: Final = 1 << 16  # results at a time: more take memory, and seldom come again
_FAMILY: Final = 2  # so many series whose names begin alike, `Star Trek: ...`: what follows is likely one more


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
    _sorted: list[str] = field(init=False, repr=False, compare=False)
    _longest: int = field(init=False, repr=False, compare=False)
    _families: dict[tuple[bool, str], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole: dict[str, int] = {}
        for row, show in enumerate(self.shows):
            for name in (show.name, *show.also):
                if len(name) > LONGEST_NAME:
                    raise CatalogueError(f"catalogue row {row}: a name is longer than {LONGEST_NAME} characters")
                if names_a_part(name):
                    raise CatalogueError(f"catalogue row {row}: {name[:80]!r} names a season or an episode, not a show")
                key = show_key(name)
                if not key:
                    raise CatalogueError(f"catalogue row {row}: a name has no letter or digit; mend catalogue.csv")
                if whole.setdefault(key, row) != row:
                    raise CatalogueError(
                        f"catalogue rows {whole[key]} and {row} share the name {name[:80]!r}; a name leads to one row"
                    )
        families = Counter(
            (show.kind == "series", show_key(show.name[: part.end]))
            for show in self.shows
            if ":" in show.name
            for part in split_title(show.name)[:-1]
        )
        object.__setattr__(self, "_whole", whole)
        object.__setattr__(self, "_sorted", sorted(whole))
        object.__setattr__(self, "_longest", max(map(len, whole), default=0) + MOST_COLONS)
        object.__setattr__(self, "_families", families)

    def __len__(self) -> int:
        return len(self.shows)

    def row_of(self, title: str) -> int | None:
        """Return the row that a view with this title counts in, None if there is none: see `match`."""
        found = self.match(title)
        return None if found is None else found[0]

    def rows_of(self, titles: Iterable[str]) -> list[int]:
        """Return `row_of` of every title, -1 for None.

        The longer the list the quicker, since heads repeat, what is before the last colon: `Suits: Season 1`.
        """
        heads = _Heads(self)
        whole = lru_cache(_MOST_KEPT)(self.row_of)
        rows = []
        for title in titles:
            row = heads[title.rstrip().rpartition(": ")[0]]
            if row is None:
                row = whole(title)
            rows.append(-1 if row is None else row)
        return rows

    def row_after(self, head: str) -> int | None:
        """Return the row, -1 for none, of every title `head: anything`; None if it depends on what follows the head."""
        if len(head) >= MOST_COLONS or (head.isascii() and " ".join(head.split()) != head):
            return None  # so odd that what follows may change where the head's parts end
        title = f"{head}: x"
        parts = split_title(title)
        keys = [part_key(part.text) for part in parts[:-1]]
        if parts[-1].text != "x" or self._begins_a_name("".join(keys)):
            return None
        found = self._longest_name(keys)
        if found is None:
            return -1 if dashed_end(parts) is None else None
        taken, row = found
        if self.shows[row].kind != "series":
            return -1
        markers = (marker_of(part.text) for part in parts[1:-1])
        first = next((marker for marker in markers if marker is not None), None)
        if first is None or first is Marker.FILM:
            return None
        return row if self._continues(title, parts, taken) else -1

    def _begins_a_name(self, key: str) -> bool:
        """Tell whether a name of the catalogue begins with this key, or is it."""
        place = bisect_left(self._sorted, key)
        return place < len(self._sorted) and self._sorted[place].startswith(key)

    def match(self, title: str) -> tuple[int, str] | None:
        """Return the row that a view with this title counts in, and the show's name as the title spells it.

        It depends on the title and the catalogue alone: never on what else was watched.
        1. A name that is the whole title wins, whatever its kind.
        2. Else the longest name with which the title begins, up to a colon, decides. Nothing continues a film or a
           special: `Bird Box: Barcelona` is not `Bird Box`.
        3. A series is continued by a season or an episode, also where the season repeats its name (`Touch: Touch:
           Season 2`). With something else before the season it is another show: `NCIS: Los Angeles: Season 1`.
        4. Where no season or episode is named, `series: anything` is an episode (`Wednesday: A Rainy Day`),
           unless it says that it is a film (`Entourage: The Movie`), or the colon is set as within a name. So is
           `series: season: episode`, unless the catalogue has other series whose names begin in the same way.
        """
        key = colon_key(title)
        if key is None or self._names_within(key):
            return self.match_parts(title, split_title(title))
        row = self._whole.get(key.replace(":", "") or show_key(title))
        return None if row is None else (row, title)

    def _names_within(self, key: str) -> bool:
        """Tell whether a name of the catalogue ends at a colon of a title's key."""
        cut = key.find(":", 0, self._longest)
        while cut >= 0:
            if key[:cut].replace(":", "") in self._whole:
                return True
            cut = key.find(":", cut + 1, self._longest)
        return False

    def match_parts(self, title: str, parts: list[Part]) -> tuple[int, str] | None:
        """Return what `match` does, for a title that was split before."""
        keys = [part_key(part.text) for part in parts]
        row = self._whole.get("".join(keys) or show_key(title))
        if row is not None:
            return row, title
        found = self._longest_name(keys[:-1])
        if found is not None:
            taken, row = found
            name = title[: parts[taken - 1].end]
            series = self.shows[row].kind == "series"
            return (row, name) if series and self._continues(title, parts, taken) else None
        if not _GAP.search(title) or (end := dashed_end(parts)) is None:
            return None
        name = title[: end[0]]
        row = self._whole.get(show_key(name))
        return (row, name) if row is not None and self.shows[row].kind == "series" else None

    def _longest_name(self, keys: list[str]) -> tuple[int, int] | None:
        """Return how many of these parts' keys make the longest name that they begin with, and its row."""
        key, found = "", None
        for taken, more in enumerate(keys, 1):
            key += more
            if len(key) > self._longest:
                break
            row = self._whole.get(key)
            if row is not None:
                found = taken, row
        return found

    def _continues(self, title: str, parts: list[Part], taken: int) -> bool:
        """Tell whether the title goes on with an episode of the series that its first `taken` parts name."""
        end = name_end(parts)
        name = title[: parts[taken - 1].end]
        if end is not None:
            return end[1] <= taken or named_again(title, parts[: end[1]], taken)
        rest = parts[taken:]
        if repeats_name(name, rest[0].text) or marker_of(rest[-1].text) is Marker.PART:
            return True
        if rest[0].loose or any(is_film(part.text) for part in rest):
            return False
        return len(rest) == 1 or self.series_under(show_key(name)) < _FAMILY

    def series_under(self, key: str) -> int:
        """Return how many series' names continue the name with this key after a colon: `Star Trek: ...`."""
        return self._families.get((True, key), 0)

    def films_under(self, key: str) -> int:
        """Return how many films' and specials' names continue the name with this key after a colon."""
        return self._families.get((False, key), 0)

    def sha256(self) -> str:
        """Return the SHA-256 of the header and all rows, as a study names it."""
        return hashlib.sha256(b"".join(self.lines)).hexdigest()

    def first(self, rows: int) -> Catalogue:
        """Return the catalogue as it was when it had `rows` rows; CatalogueError if it has fewer."""
        if not 1 <= rows <= len(self):
            raise CatalogueError(f"the catalogue has {len(self)} rows, not {rows}")
        return self if rows == len(self) else Catalogue(self.shows[:rows], self.lines[: rows + 1])


def names_a_part(name: str) -> bool:
    """Tell whether a name is that of a season or an episode by its form, which no row of a catalogue may have.

    A catalogue that lists a show's episodes as rows would let one show count in many cells.
    """
    return name_end(split_title(name)) is not None


class _Heads(dict[str, "int | None"]):
    """What `Catalogue.row_after` says of the heads that were asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self._catalogue = catalogue

    def __missing__(self, head: str) -> int | None:
        if len(self) >= _MOST_KEPT:
            self.clear()
        row = self[head] = self._catalogue.row_after(head)
        return row


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
