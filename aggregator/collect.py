"""From datasites to releases: each file is accepted or rejected whole, with a reason. Files come from strangers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path

from shared.errors import ReleaseError
from shared.files import read_regular_file
from shared.mechanism import mechanism_of
from shared.release import Release, decode_records, released_counts
from shared.study import MAX_RELEASE_BYTES, Study
from shared.week import IsoWeek
from shared.workspace import PARTICIPANT_APP, RELEASE_FILE


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
class Accepted:
    """A datasite whose release file counts."""

    datasite: str
    releases: tuple[Release, ...]


@dataclass(frozen=True)
class Rejected:
    """A datasite whose release file does not count."""

    datasite: str
    reason: Reason


def release_paths(datasites: Path) -> Iterator[tuple[str, Path]]:
    """Return each datasite's e-mail as its folder spells it and where its release file would be, sorted.

    Of one address in several cases, the one in lower case comes first.
    """
    if datasites.is_dir():
        names = [entry.name for entry in os.scandir(datasites) if entry.is_dir(follow_symlinks=False)]
        for name in sorted(names, key=lambda name: (name.lower(), name != name.lower(), name)):
            yield name, datasites / name / "api_data" / PARTICIPANT_APP / RELEASE_FILE


def collect(
    datasites: Path, studies: Mapping[str, Study], counts: Callable[[str], bool], now: datetime
) -> Iterator[Accepted | Rejected]:
    """Yield what becomes of each datasite that has a release file, one at a time: memory does not grow with them.

    `counts` tells whether a datasite's releases count. A week is over when it is over anywhere on Earth.
    """
    first_to_end = (now.astimezone(timezone.utc) + timedelta(hours=14)).date()
    seen = set()
    for name, path in release_paths(datasites):
        if not os.path.lexists(path):
            continue
        datasite = name.lower()
        if datasite in seen:
            yield Rejected(name, Reason.TWICE)
            continue
        if not counts(datasite):
            yield Rejected(name, Reason.NOT_A_MEMBER)
            continue
        try:
            data = read_regular_file(path, MAX_RELEASE_BYTES)
        except OSError:
            yield Rejected(name, Reason.UNREADABLE)
            continue
        verdict = examine(data, studies, lambda week: week.end <= first_to_end)
        if isinstance(verdict, Reason):
            yield Rejected(name, verdict)
        else:
            seen.add(datasite)
            yield Accepted(name, verdict)


def examine(  # noqa: PLR0911  # one return for each reason
    data: bytes, studies: Mapping[str, Study], over: Callable[[IsoWeek], bool]
) -> tuple[Release, ...] | Reason:
    """Return the releases in a file, or why the whole file does not count."""
    try:
        records = decode_records(data)
    except ReleaseError:
        return Reason.NO_RELEASE
    if len(records) > max((study.weeks for study in studies.values()), default=0):
        return Reason.TOO_MANY_WEEKS
    releases = []
    for record in records:
        study = studies.get(record["study"].decode())
        if study is None:
            return Reason.UNKNOWN_STUDY
        week = IsoWeek.from_key(int(record["week"]))
        if not over(week):
            return Reason.FUTURE_WEEK
        try:
            cells = released_counts(record, study.catalogue_rows)
        except ReleaseError:
            return Reason.WRONG_CELLS
        if not mechanism_of(study).possible(cells):
            return Reason.WRONG_CELLS
        releases.append(Release(week, study.id, cells))
    return tuple(releases)
