"""The release file: a pure function of the ledger, and what to keep of one that is already in the datasite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from participant.ledger import REDUCED, Draw
from shared.errors import ReleaseError
from shared.mechanism import NoisedCounts, randomizer_of
from shared.release import Release, decode_records, encode_releases, released_counts
from shared.study import MOST_WEEKS, Study
from shared.week import IsoWeek


def release_file(draws: Sequence[Draw], published: Mapping[str, Study], today: date) -> bytes | None:
    """Return the bytes of `netflix_reduced.npy`, None if there is nothing to publish.

    Only weeks of studies that the current coordinator has published, and of them the newest, as far back as the study
    of the newest one keeps. A week that is not over was drawn while a clock ran ahead, and waits: it would spoil the
    file. Where a week has several draws (another device's was adopted), the latest recorded stands.
    """
    latest = {
        draw.week: draw
        for draw in draws
        if draw.form == REDUCED and draw.study in published and is_over(draw.week, today)
    }
    if not latest:
        return None
    in_order = sorted(latest.values(), key=lambda draw: draw.week)
    newest = in_order[-1]
    first = newest.week.plus(1 - published[newest.study].weeks)
    return encode_releases([_release(draw) for draw in in_order if draw.week >= first])


def is_over(week: IsoWeek, today: date) -> bool:
    """Tell whether a week is over on `today`, or on the day after: time zones differ."""
    return week.end <= today + timedelta(days=1)


def payload_of(counts: NoisedCounts) -> bytes:
    """Return noised counts as the ledger stores them."""
    return counts.astype("<i2").tobytes()


@dataclass(frozen=True)
class Found:
    """What a release file in the datasite holds that the ledger does not know, or knows otherwise."""

    draws: list[Draw]
    """Valid records: published in the member's name by another device, or before the ledger was lost."""
    spoiled: list[IsoWeek]
    """Weeks that were drawn, with cells that are not what was drawn any more."""
    unreadable: list[IsoWeek]
    """Weeks whose study has not arrived: they were drawn, and nothing here says what they cost."""


def examine_published(
    data: bytes, known: Sequence[Draw], studies: Mapping[str, Study], coordinator: str, today: date
) -> Found | None:
    """Return what is to be kept of a release file; None if it is damaged.

    A record of a week that is not over is none of ours: it is left out, and so is a whole file with more weeks than any
    study keeps. One with cells that its mechanism cannot produce may stand where one of ours was.
    """
    try:
        records = decode_records(data)
    except ReleaseError:
        return None
    if len(records) > max((study.weeks for study in studies.values()), default=MOST_WEEKS):
        return None
    have = {(draw.week, draw.study, draw.payload) for draw in known}
    drawn = {(draw.week, draw.study) for draw in known}
    found = Found([], [], [])
    for record in records:
        week, study_id = IsoWeek.from_key(int(record["week"])), record["study"].decode()
        if not is_over(week, today):
            continue
        study = studies.get(study_id)
        if study and study.trust != "one-coordinator":  # such a study has no releases: it is none of ours
            found.spoiled.append(week)
            continue
        counts = _counts(record, study) if study else None
        if study is None or counts is None:
            if (week, study_id) not in drawn:
                (found.spoiled if study else found.unreadable).append(week)
            continue
        draw = Draw(week, study_id, REDUCED, payload_of(counts), "adopted", coordinator)
        if (draw.week, draw.study, draw.payload) not in have:
            found.draws.append(draw)
    return found


def _counts(record: np.void, study: Study) -> NoisedCounts | None:
    """Return the counts of a record, None if its mechanism cannot have produced them."""
    try:
        counts = released_counts(record, study.catalogue_rows)
    except ReleaseError:
        return None
    return counts if randomizer_of(study).possible(counts) else None


def _release(draw: Draw) -> Release:
    return Release(draw.week, draw.study, NoisedCounts(np.frombuffer(draw.payload, dtype="<i2")))
