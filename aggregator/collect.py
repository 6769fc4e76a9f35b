"""From datasites to sums: each release file is accepted or rejected whole, with a reason. Files come from strangers."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aggregator.combine import Total, Totals, merge
from shared.errors import FilesError, ReleaseError
from shared.files import read_regular_file
from shared.glance import EACH, each
from shared.mechanism import NoisedCounts, Randomizer, randomizer_of
from shared.release import decode_records, released_counts
from shared.study import MAX_RELEASE_BYTES, Study
from shared.week import IsoWeek, latest_closed
from shared.workspace import PARTICIPANT_APP, RELEASE_FILE

CHUNK: Final = 256
"""So many participants are looked at together: their sums fit into 32 bits."""
MARK_BYTES: Final = 8

_IN_DATASITE: Final = f"api_data/{PARTICIPANT_APP}/{RELEASE_FILE}"
_BLOCKS: Final = 8  # so many sets of weeks are summed side by side before they are folded into one
_BY_CHANCE: Final = (
    1e-20  # two of ten thousand participants have the same cells by chance less than once in 10^12 weeks
)


class Reason(Enum):
    """Why a release file does not count."""

    NOT_A_MEMBER = "the settings leave this datasite out"
    TWICE = "another datasite has the same e-mail address in other case"
    UNREADABLE = "no regular file of at most 10 MB"
    NO_RELEASE = "not a release file"
    UNKNOWN_STUDY = "of a study that this coordinator has not published"
    WRONG_CELLS = "cells that the study's mechanism cannot produce"
    FUTURE_WEEK = "a week that is not over"
    TOO_MANY_WEEKS = "more weeks than any study keeps"


@dataclass(frozen=True)
class Rules:
    """What decides whether a release counts, the same for everyone."""

    studies: Mapping[str, Study]
    """Every study that this coordinator has published, by id."""
    newest: IsoWeek
    """The last week that is over anywhere on Earth."""
    first: IsoWeek
    """The first week that is counted."""
    final: frozenset[IsoWeek]
    """Weeks that take no more releases."""

    def takes(self, week: int) -> bool:
        """Tell whether a week, given by its key, takes releases."""
        return week >= self.first.key and week not in self._final

    def open_places(self, weeks: Sequence[int]) -> list[int]:
        """Return the places of those weeks that take releases."""
        first, final = self.first.key, self._final
        return [place for place, week in enumerate(weeks) if week >= first and week not in final]

    @cached_property
    def most_weeks(self) -> int:
        """How many weeks the longest release file has."""
        return max((study.weeks for study in self.studies.values()), default=0)

    @cached_property
    def _final(self) -> frozenset[int]:
        return frozenset(week.key for week in self.final)


@dataclass(frozen=True)
class Participant:
    """One e-mail address and what was added to the sums for it before."""

    email: str
    """In lower case."""
    datasites: tuple[str, ...]
    """Its folders as they are spelled, nearly always one; the first with a sound release counts."""
    counted: bytes = b""
    """See `Seen.counted`."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of one datasite's release file."""

    datasite: str
    reason: Reason | None
    """Why it does not count; None if it does."""
    weeks: tuple[int, ...] = ()
    """The weeks in it, by their keys."""
    flagged: bool = False
    """Whether an open week's cells are outside what honest noise gives. It counts nevertheless: see docs/formats.md."""


@dataclass(frozen=True)
class Seen:
    """What one look at a participant found."""

    email: str
    verdicts: tuple[Verdict, ...]
    counted: bytes
    """What of it is in the sums: for each open week its key (4 bytes) and a mark of the release (8), little-endian."""
    lost: bool
    """Whether something that was added before is there no more: sums cannot forget, they must be made anew."""


@dataclass(frozen=True)
class Part:
    """Consecutive weeks of one release file under one study."""

    study: Study
    weeks: list[int]
    counts: NoisedCounts
    """Shape (weeks, catalogue_rows of the study)."""


def newest_week(now: datetime) -> IsoWeek:
    """Return the last week that is over anywhere on Earth."""
    return latest_closed((now.astimezone(UTC) + timedelta(hours=14)).date())


def watched_releases(datasites: Path) -> str:
    """Return the path that stands for all release files, for `shared.glance`."""
    return f"{datasites}{EACH}{_IN_DATASITE}"


def find_releases(datasites: Path) -> dict[str, dict[str, str]]:
    """Return, for each e-mail address with a release file, its folders as they are spelled, and the files' states.

    Of one address in several cases, the one in lower case comes first.
    """
    found: dict[str, dict[str, str]] = {}
    for name, state in sorted(each(str(datasites), _IN_DATASITE)):
        email = name.lower()
        if email in found:
            found[email] = {name: state, **found[email]} if name == email else {**found[email], name: state}
        else:
            found[email] = {name: state}
    return found


def look(participants: Sequence[Participant], datasites: str, rules: Rules) -> tuple[list[Seen], Totals]:
    """Return what these participants' files are, and the sums of what was not added before.

    At most `CHUNK` of them: any executor may do it, on any machine that sees the files.

    Raises: FilesError if this one does not: then nobody's release may be taken for missing.
    """
    if not os.path.isdir(datasites):  # noqa: PTH112  # a text, as workers elsewhere get it
        raise FilesError(f"{datasites} cannot be seen where the releases are read; mount it on every worker")
    adder = _Adder()
    seen = []
    for participant in participants:
        verdicts, parts = _judge(participant, datasites, rules)
        before = _marks(participant.counted)
        counted: dict[int, bytes] = {}
        for part in parts:
            places = rules.open_places(part.weeks)
            counted.update(_marks_of(part, places, participant.email))
            adder.add(part, [place for place in places if part.weeks[place] not in before] if before else places)
        lost = any(counted.get(week) != mark for week, mark in before.items() if rules.takes(week))
        packed = b"".join([_bytes(week) + mark for week, mark in counted.items()])
        seen.append(Seen(participant.email, verdicts, packed, lost))
    return seen, adder.totals()


class _Adder:
    """Sums of a chunk. Participants with the same weeks, as most have, are added at once."""

    def __init__(self) -> None:
        self._totals: Totals = {}
        self._blocks: dict[tuple[str, tuple[int, ...]], tuple[int, npt.NDArray[np.int32]]] = {}

    def add(self, part: Part, places: Sequence[int]) -> None:
        """Add the weeks of a part that are at these places."""
        if not places:
            return
        counts = part.counts if len(places) == len(part.weeks) else part.counts[places]
        key = part.study.id, tuple([part.weeks[place] for place in places])
        if key not in self._blocks and len(self._blocks) == _BLOCKS:
            self._fold()
        number, sums = self._blocks.get(key) or (0, np.zeros(counts.shape, dtype=np.int32))
        sums += counts
        self._blocks[key] = number + 1, sums

    def totals(self) -> Totals:
        """Return the sums by week and study."""
        self._fold()
        return self._totals

    def _fold(self) -> None:
        for (study, weeks), (number, sums) in self._blocks.items():
            for week, row in zip(weeks, sums, strict=True):
                merge(self._totals, {IsoWeek.from_key(week): {study: Total(number, row.astype(np.int64))}})
        self._blocks.clear()


def examine(data: bytes, rules: Rules) -> list[Part] | Reason:
    """Return the releases in a file, or why the whole file does not count."""
    try:
        records = decode_records(data)
    except ReleaseError:
        return Reason.NO_RELEASE
    if len(records) > rules.most_weeks:
        return Reason.TOO_MANY_WEEKS
    weeks = records["week"].tolist()
    parts = []
    end = 0
    for study_id, same in itertools.groupby(records["study"].tolist()):
        begin, end = end, end + len(list(same))
        study = rules.studies.get(study_id.decode())
        if study is None:
            return Reason.UNKNOWN_STUDY
        counts = _sound_counts(records[begin:end], study)
        if counts is None:
            return Reason.WRONG_CELLS
        parts.append(Part(study, weeks[begin:end], counts))
    if weeks and weeks[-1] > rules.newest.key:
        return Reason.FUTURE_WEEK
    return parts


def _judge(participant: Participant, datasites: str, rules: Rules) -> tuple[tuple[Verdict, ...], list[Part]]:
    """Return the verdict on each of a participant's files, and the releases of the one that counts."""
    verdicts = []
    accepted: list[Part] | None = None
    for name in participant.datasites:
        found = Reason.TWICE if accepted is not None else _read(f"{datasites}/{name}/{_IN_DATASITE}", rules)
        if isinstance(found, Reason):
            verdicts.append(Verdict(name, found))
        else:
            accepted = found
            weeks = tuple(week for part in found for week in part.weeks)
            verdicts.append(Verdict(name, None, weeks, any(_is_odd(part, rules) for part in found)))
    return tuple(verdicts), accepted or []


def _read(path: str, rules: Rules) -> list[Part] | Reason:
    try:
        return examine(read_regular_file(path, MAX_RELEASE_BYTES), rules)
    except OSError:
        return Reason.UNREADABLE


def _sound_counts(records: npt.NDArray[np.void], study: Study) -> NoisedCounts | None:
    """Return the counts of a study's records; None if its mechanism cannot have produced them."""
    try:
        counts = released_counts(records, study.catalogue_rows)
    except ReleaseError:
        return None
    return counts if _measures(study).mechanism.possible(counts) else None


def _is_odd(part: Part, rules: Rules) -> bool:
    """Tell whether a release of an open week has a mass that honest noise does not give."""
    measures = _measures(part.study)
    low, high = measures.honest_mass
    mass = measures.mechanism.mass(part.counts)
    odd = (mass < low) | (mass > high)
    return bool(odd.any()) and any(odd[place] for place in rules.open_places(part.weeks))


@dataclass(frozen=True)
class _Measures:
    """What every release of a study is measured by."""

    mechanism: Randomizer
    honest_mass: tuple[float, float]
    alike_by_chance: bool
    """Whether two honest releases can have the same cells: then nothing follows from it."""


@lru_cache(maxsize=64)
def _measures(study: Study) -> _Measures:
    mechanism, rows = randomizer_of(study), study.catalogue_rows
    return _Measures(mechanism, mechanism.honest_mass(rows), mechanism.agreement**rows > _BY_CHANCE)


def _marks_of(part: Part, places: Sequence[int], email: str) -> dict[int, bytes]:
    """Return the weeks at these places of the part, each with a mark of its release.

    The same cells of the same week and study have the same mark, whosever they are, unless chance could make them so:
    then the e-mail address tells them apart.
    """
    cells: npt.NDArray[np.int16] | npt.NDArray[np.uint8] = part.counts
    if part.study.mechanism == "randomized-response":
        cells = np.packbits(part.counts.astype(np.uint8), axis=-1)
    data = cells.tobytes()
    step = len(data) // len(cells)
    whose = email if _measures(part.study).alike_by_chance else ""
    head = os.fsencode(f"{part.study.id} {whose} ")
    weeks = part.weeks
    return {
        weeks[place]: sha256(head + _bytes(weeks[place]) + data[place * step : place * step + step]).digest()[
            :MARK_BYTES
        ]
        for place in places
    }


@lru_cache(maxsize=1024)
def _bytes(week: int) -> bytes:
    return week.to_bytes(4, "little")


def _marks(counted: bytes) -> dict[int, bytes]:
    """Return the weeks and marks in `Seen.counted`."""
    step = 4 + MARK_BYTES
    return {
        int.from_bytes(counted[start : start + 4], "little"): counted[start + 4 : start + step]
        for start in range(0, len(counted), step)
    }


def chunks(participants: Iterator[Participant]) -> Iterator[list[Participant]]:
    """Yield the participants in lists of at most `CHUNK`."""
    while chunk := list(itertools.islice(participants, CHUNK)):
        yield chunk
