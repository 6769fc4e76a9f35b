"""What a study will show, told before anyone spends privacy: no participant, no chance, only sums of noise.

The community is the one that the project's 47 real exports suggest: in 22 % of weeks a person watches nothing, in the
others 1, 3, 5, 8 or 16 shows at the quantiles 25, 50, 75, 90 and 99 %, of which some are far more popular than others.
What a mechanism does enters through its variance alone, and the noise of a sum is taken as normal. That is good to a
few hundredths; with few people at a large epsilon the part of the true ten that is found is up to 0.15 lower than
foretold (tests/aggregator/test_plan.py compares with the exact noise).

SciPy is imported where it is used: it takes longer than the rest of the app, and nothing but a plan needs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from shared.errors import StudyError
from shared.mechanism import mechanism_of
from shared.study import Coordinator, MechanismName, Study, Trust, Unit

Floats = npt.NDArray[np.float64]

EPSILONS: Final = (0.5, 1.0, 2.0, 4.0)
CATALOGUES: Final = (500, 2_000, 6_533)
WEEK_CAPS: Final = (3, 5)
VIEW_CAPS: Final = (1, 3)
DEFAULT_EPSILON: Final = 2.0
NAMED: Final = 0.9
"""From this probability on that the true top show is ranked first, a study is recommended."""
TOP_SHARES: Final = (0.20, 0.15, 0.12, 0.10, 0.08)
"""The shares of all participants who watch the five leading shows in a week; those after fall like 1 / rank."""
KNOWN_SHOWS: Final = 800
_LEVELS: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
_SHOWS: Final = (1, 1, 3, 5, 8, 16, 25)
_VIEWS: Final = (1, 1, 1, 3, 8, 30, 60)
_SHOWS_A_WEEK: Final = np.round(np.interp((np.arange(400) + 0.5) / 400, _LEVELS, _SHOWS))
_VIEWS_A_SHOW: Final = np.round(np.interp((np.arange(400) + 0.5) / 400, _LEVELS, _VIEWS))
_GRID: Final = np.linspace(-8, 8, 401)  # deviations
_NO_CATALOGUE: Final = "0" * 64
_NO_KEY: Final = "0" * 64
PAIR: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "trust": "two-coordinators",
        "mechanism": "laplace",
        "leader": Coordinator("leader@example.invalid", _NO_KEY, _NO_KEY),
        "helper": Coordinator("helper@example.invalid", _NO_KEY, _NO_KEY),
    }
)
"""What makes a study that is only planned one of two coordinators: nobody's addresses and keys."""
_MECHANISMS: Final[tuple[MechanismName, ...]] = ("randomized-response", "laplace")


@dataclass(frozen=True)
class Prospect:
    """What one study would show a community each week."""

    people: int
    rows: int
    """Of the catalogue."""
    unit: Unit
    epsilon: float
    max_views_per_show: int
    max_shows_per_week: int | None
    mechanism: MechanismName
    trust: Trust
    epsilon_of_a_week: float
    """The privacy loss of a whole week, for someone who watches as many shows as nine in ten do at most."""
    named_first: float
    """The probability that the true top show has the highest plain estimate of one week."""
    half_width: float
    """Of the 95 % interval of a show's estimate, in viewers or views."""
    half_width_share: float
    """The same, as a share of what the top show is expected to have."""
    in_top_ten: float
    """How many of the ten highest estimates are expected to be among the true ten."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def studies(rows: Sequence[int] = CATALOGUES, epsilons: Sequence[float] = EPSILONS) -> list[Study]:
    """Return the studies worth comparing: each sound trust, unit, cap, mechanism, epsilon and catalogue size."""
    found = []
    for size in rows:
        for epsilon in epsilons:
            terms: list[dict[str, Any]] = [{"unit": "show"}]
            terms += [{"unit": "show", "mechanism": "laplace", "max_views_per_show": cap} for cap in VIEW_CAPS]
            terms += [{"unit": "view", "mechanism": "laplace", "max_views_per_show": cap} for cap in VIEW_CAPS[1:]]
            for cap in WEEK_CAPS:
                terms += [{"unit": "week", "max_shows_per_week": cap, "mechanism": name} for name in _MECHANISMS]
            terms += [{**each, **PAIR} for each in terms if each.get("mechanism") == "laplace"]
            for each in terms:
                try:
                    found.append(Study(catalogue_rows=size, catalogue_sha256=_NO_CATALOGUE, epsilon=epsilon, **each))
                except StudyError:
                    continue  # a scale whose draws would not fit a release
    return found


def prospects(
    people: int,
    studied: Sequence[Study],
    top_shares: Sequence[float] = TOP_SHARES,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Prospect]:
    """Yield what each study would show `people` participants a week; `progress` is told how many are done, of all."""
    for done, study in enumerate(studied, start=1):
        yield prospect(people, study, top_shares)
        if progress:
            progress(done, len(studied))


def prospect(people: int, study: Study, top_shares: Sequence[float] = TOP_SHARES) -> Prospect:
    """Return what a study would show `people` participants each week, if the leading shows have these shares."""
    from scipy import stats

    expected = expected_counts(people, study, top_shares)
    deviation = math.sqrt(float(mechanism_of(study).variance_of(np.array(people))))
    half_width = float(stats.norm.ppf(0.975)) * deviation
    shows = float(np.quantile(_SHOWS_A_WEEK, 0.9))
    units = {
        "view": shows * float(np.minimum(_VIEWS_A_SHOW, study.max_views_per_show).mean()),
        "show": shows,
        "week": 1,
    }
    return Prospect(
        people,
        study.catalogue_rows,
        study.unit,
        study.epsilon,
        study.max_views_per_show,
        study.max_shows_per_week,
        study.mechanism,
        study.trust,
        study.epsilon * units[study.unit],
        named_first(expected, deviation),
        half_width,
        half_width / float(expected[0]),
        in_top_ten(expected, deviation),
    )


def expected_counts(people: int, study: Study, top_shares: Sequence[float] = TOP_SHARES) -> Floats:
    """Return each show's expected bounded count, shape (rows,), the highest first; shows nobody knows have 0.

    Raises: StudyError for shares that are none.
    """
    if people < 1 or not top_shares or not all(0 < share <= 1 for share in top_shares):
        raise StudyError("a plan needs at least one person, and shares above 0 and at most 1")
    ranks = np.arange(1, study.catalogue_rows + 1)
    leading = sorted(top_shares, reverse=True)[: len(ranks)]
    shares = np.where(ranks <= KNOWN_SHOWS, min(top_shares) * len(top_shares) / ranks, 0)
    shares[: len(leading)] = leading
    kept = 1.0
    if study.max_shows_per_week:  # a cap on shows takes the same part of every show's viewers
        kept = float(np.minimum(_SHOWS_A_WEEK, study.max_shows_per_week).sum() / _SHOWS_A_WEEK.sum())
    counts: Floats = people * shares * kept * np.minimum(_VIEWS_A_SHOW, study.max_views_per_show).mean()
    return counts


def named_first(counts: Floats, deviation: float) -> float:
    """Return the probability that the first of these true counts gets the highest estimate.

    That is the integral over the first one's noise of the product, over all others, of the probability that theirs are
    lower: exact for normal noise, without any simulation.
    """
    from scipy import integrate, stats

    values, number = np.unique(counts[1:], return_counts=True)
    lower = stats.norm.logcdf(_GRID[:, None] + (counts[0] - values) / max(deviation, 1e-9))
    return float(integrate.trapezoid(np.exp(stats.norm.logpdf(_GRID) + lower @ number), _GRID))


def in_top_ten(counts: Floats, deviation: float) -> float:
    """Return which part of the ten highest estimates is expected to be among the ten highest of these true counts.

    The estimates are cut where ten are expected above: with hundreds of shows their number hardly varies.
    """
    if len(counts) <= 10:
        return 1.0
    from scipy import optimize, stats

    scale = max(deviation, 1e-9)

    def above(cut: float) -> Floats:
        chances: Floats = stats.norm.sf((cut - counts) / scale)
        return chances

    cut = optimize.brentq(lambda cut: above(cut).sum() - 10, counts.min() - 40 * scale, counts.max() + 40 * scale)
    return float(above(cut)[:10].mean())


def people_needed(study: Study, top_shares: Sequence[float] = TOP_SHARES) -> int | None:
    """Return how many people it takes until the true top show is named first with NAMED, None if a million do not."""
    from scipy import optimize

    def lacking(people: float) -> float:
        return prospect(math.ceil(people), study, top_shares).named_first - NAMED

    if lacking(1_000_000) < 0:
        return None
    return 1 if lacking(1) >= 0 else math.ceil(optimize.brentq(lacking, 1, 1_000_000, xtol=0.5))


def by_merit(found: Sequence[Prospect]) -> list[Prospect]:
    """Return the studies, the one to choose first.

    First those that name the true top show with NAMED: the one that costs a week least, of equals the one with the
    larger catalogue, then the one that names it more often. Then the others, at no more than the default epsilon before
    those above it: the one that names it most often.
    """

    def key(each: Prospect) -> tuple[float, ...]:
        if each.named_first >= NAMED:
            return 0, each.epsilon_of_a_week, -each.rows, -each.named_first
        return 1, each.epsilon > DEFAULT_EPSILON, -each.named_first, -each.rows

    return sorted(found, key=key)


def shortlist(found: Sequence[Prospect], length: int) -> list[Prospect]:
    """Return so many of the best, without those that differ from a better one in the size of the catalogue alone."""
    chosen: dict[tuple[Any, ...], Prospect] = {}
    for each in by_merit(found):
        terms = (each.trust, each.unit, each.mechanism, each.epsilon, each.max_views_per_show, each.max_shows_per_week)
        chosen.setdefault(terms, each)
    return list(chosen.values())[:length]
