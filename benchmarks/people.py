"""How many people it takes to name the right show: one coordinator beside two, by simulation.

Run with `python -m benchmarks.people`. Of 2,000 shows the top one is watched by 20 % of the participants, the next by
15 %, those after fall like 1 / rank; that makes two shows a person, and the cap of five takes none away. The counts are
what is expected, rounded; the chance is that of the noise alone. A week is right if the top show has the highest
estimate; a shared first place counts in parts. So many are needed that 95 of 100 weeks are right, with them and with
any of up to 20 more: rounding can bring two shows together.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any, Final

import numpy as np

from aggregator.plan import PAIR, expected_counts
from benchmarks.sums import noised_sums
from benchmarks.tables import table
from shared.mechanism import mechanism_of
from shared.study import Study

SHOWS: Final = 2_000
TOP_SHARES: Final = (0.20, 0.15)
EPSILONS: Final = (1.0, 2.0, 4.0)
RIGHT: Final = 0.95
WEEKS: Final = 20_000
PERIOD: Final = 20  # both shares of so many people are whole numbers
CERTAIN: Final = 6.0
"""Shows that are so many deviations behind are left out: all of them together lead in less than a week in a hundred."""
SEED: Final = 20_240_101  # fixed: the same weeks in every run

Row = dict[str, Any]


def main() -> None:
    """Print the table, and the rows as JSON with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of a table")
    parser.add_argument("--weeks", type=int, default=WEEKS, help="simulate so many for each number of people")
    chosen = parser.parse_args()
    rows = measure(chosen.weeks)
    sys.stdout.write(json.dumps(rows, indent=1) + "\n" if chosen.json else table(rows))


def measure(weeks: int = WEEKS) -> list[Row]:
    """Return for each unit and epsilon how many people it takes with one coordinator, and with two."""
    rows = []
    for unit in ({"unit": "show"}, {"unit": "week", "max_shows_per_week": 5}):
        for epsilon in EPSILONS:
            terms: dict[str, Any] = {"catalogue_rows": SHOWS, "catalogue_sha256": "0" * 64, "epsilon": epsilon, **unit}
            one, two = (people_needed(Study(**terms, **trust), weeks) for trust in ({}, PAIR))
            figures = {"one coordinator": one, "two coordinators": two, "times": round(one / two, 1)}
            rows.append({"unit": unit["unit"], "epsilon": epsilon, **figures})
    return rows


def people_needed(study: Study, weeks: int = WEEKS) -> int:
    """Return how many people it takes until the true top show has the highest estimate in RIGHT of weeks."""
    low = _hopeless(study)
    high = 2 * low
    while right(high, study, weeks) < RIGHT:
        low, high = high, 2 * high
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        low, high = (middle, high) if right(middle, study, weeks) < RIGHT else (low, middle)
    if high > 50 * PERIOD:
        return high
    while wrong := [people for people in range(high, high + PERIOD) if right(people, study, weeks) < RIGHT]:
        high = wrong[-1] + 1
    return high


def right(people: int, study: Study, weeks: int = WEEKS) -> float:
    """Return in which part of the simulated weeks the top show has the highest estimate."""
    luck = np.random.default_rng([SEED, people])
    counts = np.rint(people * _shares(study)).astype(np.int64)
    deviation = math.sqrt(2 * float(mechanism_of(study).variance_of(np.asarray(people))))
    counts = counts[counts[0] - counts <= CERTAIN * deviation]
    if len(counts) == 1:
        return 1.0
    found = 0.0
    part = max(1, 2_000_000 // len(counts))  # weeks at a time, for the memory
    for start in range(0, weeks, part):
        viewers = np.tile(counts, (min(part, weeks - start), 1))
        sums = noised_sums(luck, study, viewers, np.asarray(people))  # an estimate grows with its sum
        highest = sums == sums.max(axis=1, keepdims=True)
        found += float((highest[:, 0] / highest.sum(axis=1)).sum())
    return found / weeks


def _shares(study: Study) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the share of participants who watch each show, the highest first."""
    plain = Study(catalogue_rows=study.catalogue_rows, catalogue_sha256=study.catalogue_sha256)
    return expected_counts(1, plain, TOP_SHARES)


def _hopeless(study: Study) -> int:
    """Return a number of people that are too few: their top show is 1.4 deviations before the next."""
    people = 1
    ahead = TOP_SHARES[0] - TOP_SHARES[1]
    while people * ahead < 1.4 * math.sqrt(2 * float(mechanism_of(study).variance_of(np.asarray(people)))):
        people = math.ceil(people * 1.05)
    return people


if __name__ == "__main__":
    main()
