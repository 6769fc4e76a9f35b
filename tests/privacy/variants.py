"""Deliberately wrong versions of the participant app, in place of the right one. Each breaks the promise its way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from participant import app
from participant.bound import bound_counts
from participant.ledger import Draw, Ledger
from shared.mechanism import ExactCounts, NoisedCounts, NoisedSum, randomizer_of
from shared.study import Study
from shared.week import IsoWeek, latest_closed

Noise = Callable[[ExactCounts], NoisedCounts]
Variant = Callable[[pytest.MonkeyPatch], None]


def noise_on_watched_cells_only(patch: pytest.MonkeyPatch) -> None:
    def noise(study: Study) -> Noise:
        return lambda counts: NoisedCounts(
            np.where(counts == 0, 0, randomizer_of(study).noise(counts)).astype(np.int16)
        )

    _with_noise(patch, noise)


def half_the_noise(patch: pytest.MonkeyPatch) -> None:
    _with_noise(patch, lambda study: randomizer_of(dataclasses.replace(study, epsilon=2 * study.epsilon)).noise)


def twice_the_noise(patch: pytest.MonkeyPatch) -> None:
    _with_noise(patch, lambda study: randomizer_of(dataclasses.replace(study, epsilon=study.epsilon / 2)).noise)


def a_cap_taken_from_the_data(patch: pytest.MonkeyPatch) -> None:
    def bound(views: Mapping[int, int], study: Study) -> ExactCounts:
        most = max(views.values(), default=1)
        return bound_counts(views, dataclasses.replace(study, max_views_per_show=most))

    patch.setattr(app, "bound_counts", bound)


def half_the_noise_on_the_sum(patch: pytest.MonkeyPatch) -> None:
    """Return noise as if each coordinator had only to add half of it: known to the one who adds the other half."""
    draw = NoisedSum.draw

    def half(noised: NoisedSum, cells: int) -> Any:
        each = dataclasses.replace(noised.each, study_epsilon=2 * noised.each.study_epsilon)
        return draw(NoisedSum(each), cells)

    patch.setattr(NoisedSum, "draw", half)


def redrawn_weeks(patch: pytest.MonkeyPatch) -> None:
    _redrawing(patch, lambda _ledger, _study: set())


def a_week_redrawn_under_a_new_study(patch: pytest.MonkeyPatch) -> None:
    _redrawing(patch, lambda ledger, study: {draw.week for draw in ledger.draws() if draw.study == study.id})


def one_flip_mask_for_two_weeks(patch: pytest.MonkeyPatch) -> None:
    def noise(study: Study) -> Noise:
        masks: list[Any] = []

        def draw(counts: ExactCounts) -> NoisedCounts:
            if not masks:
                masks.extend(2 * [randomizer_of(study).noise(ExactCounts(np.zeros_like(counts)))])
            return NoisedCounts((counts ^ masks.pop()).astype(np.int16))

        return draw

    _with_noise(patch, noise)


def one_flip_mask_again_after_three_weeks(patch: pytest.MonkeyPatch) -> None:
    def noise(study: Study) -> Noise:
        masks: list[Any] = []

        def draw(counts: ExactCounts) -> NoisedCounts:
            fresh = randomizer_of(study).noise(ExactCounts(np.zeros_like(counts)))
            masks.append(masks[-3] if len(masks) % 6 in {3, 4, 5} else fresh)
            return NoisedCounts((counts ^ masks[-1]).astype(np.int16))

        return draw

    _with_noise(patch, noise)


def one_flip_for_two_rows(patch: pytest.MonkeyPatch) -> None:
    def noise(study: Study) -> Noise:
        def draw(counts: ExactCounts) -> NoisedCounts:
            mask = randomizer_of(study).noise(ExactCounts(np.zeros_like(counts)))
            mask[1::2] = mask[: len(mask) // 2 * 2 : 2]
            return NoisedCounts((counts ^ mask).astype(np.int16))

        return draw

    _with_noise(patch, noise)


def no_noise_beyond_the_fiftieth_row(patch: pytest.MonkeyPatch) -> None:
    def noise(study: Study) -> Noise:
        def draw(counts: ExactCounts) -> NoisedCounts:
            noised = randomizer_of(study).noise(counts)
            noised[50:] = counts[50:]
            return noised

        return draw

    _with_noise(patch, noise)


def shows_dropped_to_fit_under_unit_show(patch: pytest.MonkeyPatch) -> None:
    def bound(views: Mapping[int, int], study: Study) -> ExactCounts:
        kept = sorted(views, key=lambda row: (-views[row], row))[:3]
        return bound_counts({row: views[row] for row in kept}, study)

    patch.setattr(app, "bound_counts", bound)


def a_seed(patch: pytest.MonkeyPatch) -> None:
    def noise(study: Study) -> Noise:
        generator = np.random.default_rng(1)
        q = randomizer_of(study).flip_probability  # type: ignore[attr-defined]
        return lambda counts: NoisedCounts((counts ^ (generator.random(len(counts)) < q)).astype(np.int16))

    _with_noise(patch, noise)


def _with_noise(patch: pytest.MonkeyPatch, noise_of: Callable[[Study], Noise]) -> None:
    class Wrong:
        def __init__(self, study: Study) -> None:
            self.noise = noise_of(study)

    patch.setattr(app, "randomizer_of", Wrong)


def _redrawing(patch: pytest.MonkeyPatch, kept: Callable[[Ledger, Study], set[IsoWeek]]) -> None:
    def due(ledger: Ledger, study: Study, _covered: date, today: date) -> list[IsoWeek]:
        last = latest_closed(today)
        weeks = [last.plus(-back) for back in reversed(range(study.open_weeks))]
        return [week for week in weeks if week not in kept(ledger, study)]

    def record(ledger: Ledger, draw: Draw, study: Study, now: datetime) -> None:
        ledger._execute("DELETE FROM draws WHERE week = ?", draw.week.key)
        original(ledger, draw, study, now)

    original = Ledger.record
    patch.setattr(app, "due_weeks", due)
    patch.setattr(app, "_adopt_published", lambda *_: [])  # the right app would put back what was published
    patch.setattr(Ledger, "record", record)
