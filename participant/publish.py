"""The release file: a pure function of the ledger, and what to keep of one that is already in the datasite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from participant.ledger import REDUCED, Draw
from shared.errors import ReleaseError
from shared.mechanism import NoisedCounts, mechanism_of
from shared.release import Release, decode_records, encode_releases, released_counts
from shared.study import Study
from shared.week import IsoWeek


def release_file(draws: Sequence[Draw], published: Mapping[str, Study]) -> bytes | None:
    """Return the bytes of `netflix_reduced.npy`, None if there is nothing to publish.

    Only weeks of studies that the current coordinator has published, and of them the newest, as many as the study of
    the newest one keeps. Where a week has several draws (another device's was adopted), the latest recorded stands.
    """
    latest = {draw.week: draw for draw in draws if draw.form == REDUCED and draw.study in published}
    if not latest:
        return None
    in_order = sorted(latest.values(), key=lambda draw: draw.week)
    weeks = published[in_order[-1].study].weeks
    return encode_releases([_release(draw) for draw in in_order[-weeks:]])


def payload_of(counts: NoisedCounts) -> bytes:
    """Return noised counts as the ledger stores them."""
    return counts.astype("<i2").tobytes()


def unknown_draws(
    data: bytes, known: Sequence[Draw], studies: Mapping[str, Study], coordinator: str
) -> list[Draw] | None:
    """Return the valid records of a release file that the ledger does not know, or knows otherwise.

    They were published in the member's name (by another device, or before the ledger was lost), so they are kept and
    charged. None if the file is no release file at all. A record of an unknown study, or with cells that its
    mechanism cannot produce, is not valid: it is left out.
    """
    try:
        records = decode_records(data)
    except ReleaseError:
        return None
    have = {(draw.week, draw.study, draw.payload) for draw in known}
    found = []
    for record in records:
        study = studies.get(record["study"].decode())
        if study is None:
            continue
        try:
            counts = released_counts(record, study.catalogue_rows)
        except ReleaseError:
            continue
        week = IsoWeek.from_key(int(record["week"]))
        draw = Draw(week, study.id, REDUCED, payload_of(counts), "adopted", coordinator)
        if mechanism_of(study).possible(counts) and (draw.week, draw.study, draw.payload) not in have:
            found.append(draw)
    return found


def _release(draw: Draw) -> Release:
    return Release(draw.week, draw.study, NoisedCounts(np.frombuffer(draw.payload, dtype="<i2")))
