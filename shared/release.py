"""The release file: the noised weeks of one participant as a NumPy structured array, docs/formats.md.

The decoder takes exactly what the encoder makes. The header is matched, not evaluated: files come from strangers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from shared.catalogue import MAX_ROWS
from shared.errors import ReleaseError
from shared.mechanism import NoisedCounts
from shared.study import MAX_RELEASE_BYTES
from shared.week import IsoWeek

NO_ROW: Final = -(2**15)
"""Marks the rows that the study of a record did not have."""

_MAGIC: Final = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': \[\('week', '<i4'\), \('study', '\|S64'\), \('count', '<i2', \((\d{1,6}),\)\)\], "
    rb"'fortran_order': False, 'shape': \((\d{1,4}),\), \} *\n"
)
_YEARS: Final = range(2000, 3000)  # far from the calendar's ends, which arithmetic on weeks would leave
_STUDY_ID = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True)
class Release:
    """The noised counts of one participant for one week over the whole catalogue of the study, drawn once."""

    week: IsoWeek
    study: str
    """The study's id."""
    counts: NoisedCounts
    """Shape (catalogue_rows of the study,)."""


def record_dtype(rows: int) -> np.dtype[np.void]:
    """Return the type of one record: a week's noised counts over `rows` rows."""
    return np.dtype([("week", "<i4"), ("study", "S64"), ("count", "<i2", (rows,))])


def encode_releases(releases: Sequence[Release]) -> bytes:
    """Return the bytes of `netflix_reduced.npy`: the same releases give the same bytes, whatever their order."""
    rows = max(len(release.counts) for release in releases)
    records = np.zeros(len(releases), dtype=record_dtype(rows))
    records["count"] = NO_ROW
    for record, release in zip(records, sorted(releases, key=lambda release: release.week), strict=True):
        record["week"] = release.week.key
        record["study"] = release.study.encode()
        record["count"][: len(release.counts)] = release.counts
    file = io.BytesIO()
    np.lib.format.write_array(file, records, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def decode_records(data: bytes) -> npt.NDArray[np.void]:
    """Return the records of a release file as `record_dtype` makes them, without running anything in it.

    The form alone is checked: dtype, shape, size, weeks that exist, in time order, none twice, ids that look like
    ids. What the cells may be depends on the study: see `released_counts`.

    Raises: ReleaseError.
    """
    if len(data) > MAX_RELEASE_BYTES:
        raise ReleaseError(f"it has more than {MAX_RELEASE_BYTES:,} bytes")
    if data[:8] != _MAGIC:
        raise ReleaseError("it is no NumPy file of version 1.0")
    start = 10 + int.from_bytes(data[8:10], "little")
    header = _HEADER.fullmatch(data[10:start])
    if not header:
        raise ReleaseError("its records are not week, study and count")
    rows, length = int(header[1]), int(header[2])
    if not 1 <= rows <= MAX_ROWS:
        raise ReleaseError(f"it has {rows} rows; 1 to {MAX_ROWS:,} are allowed")
    dtype = record_dtype(rows)
    if len(data) - start != length * dtype.itemsize:
        raise ReleaseError("it is shorter or longer than its header says")
    records = np.frombuffer(data, dtype=dtype, offset=start)
    keys = records["week"].tolist()
    if keys != sorted(set(keys)):
        raise ReleaseError("its weeks are not in time order")
    try:
        exist = all(_exists(key) for key in keys)
    except ValueError:
        exist = False
    if not exist:
        raise ReleaseError("it names a week that does not exist")
    if not all(_STUDY_ID.fullmatch(study) for study in set(records["study"].tolist())):
        raise ReleaseError("it names a study without an id")
    return records


@lru_cache(maxsize=4096)
def _exists(key: int) -> bool:
    """Tell whether a week can be counted; ValueError if there is none. Remembered: every file names the same weeks."""
    return IsoWeek.from_key(key).year in _YEARS


def released_counts(records: np.void | npt.NDArray[np.void], rows: int) -> NoisedCounts:
    """Return the counts of a record, or of several, whose study has `rows` rows. Shape (rows,) or (records, rows).

    Raises: ReleaseError if there are fewer cells, or cells that the study does not have.
    """
    cells: npt.NDArray[np.int16] = records["count"]
    had = cells[..., :rows]
    if cells.shape[-1] < rows or had.min(initial=0) == NO_ROW or (cells[..., rows:] != NO_ROW).any():
        raise ReleaseError(f"its cells are not those of the study's {rows} rows")
    return NoisedCounts(had)
