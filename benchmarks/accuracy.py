"""How right the figures are: plain against shrunken, coverage of intervals, calibration, false discoveries.

Run with `python -m benchmarks.accuracy`; communities are simulated (benchmarks/sums.py). In the first table every week
is seen with HISTORY - 1 weeks before it, as a community sees it that has been running for a while.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any, Final, get_args

import numpy as np
import numpy.typing as npt

from aggregator.rank import most_common, p_values, stands_out_of_all
from aggregator.shrink import Shrunken, shrink
from benchmarks.sums import Community, observed, simulate
from benchmarks.tables import table
from shared.study import MechanismName, Study

PARTICIPANTS: Final = (20, 50, 100, 300, 1_000, 10_000)
EPSILONS: Final = (1.0, 2.0, 4.0)
SHOWS: Final = 2_000
HISTORY: Final = 6
COMMUNITIES: Final = 50  # for each line of the accuracy table
COVERED_PARTICIPANTS: Final = (10, 20, 50, 100, 300, 1_000, 10_000)
COVERED_WEEKS: Final = 40
CALIBRATED_PARTICIPANTS: Final = (20, 50, 100, 300, 1_000)
CALIBRATED_WEEKS: Final = 20_000
CALIBRATED_SHOWS: Final = 500
CHANGING_WEEKS: Final = 60
SEED: Final = 20_240_101  # fixed: the same communities in every run

Row = dict[str, Any]


def main() -> None:
    """Print the tables, and the rows as JSON with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of tables")
    parser.add_argument("--part", type=float, default=1.0, help="so much of the usual number of simulated weeks")
    chosen = parser.parse_args()
    found = measure(chosen.part)
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if chosen.json else tables(found))


def measure(part: float = 1.0) -> dict[str, list[Row]]:
    """Return the rows of every table, from `part` of the usual number of simulated weeks."""
    return {
        "accuracy": list(accuracy(max(2, round(part * COMMUNITIES)))),
        "coverage": list(coverage(max(2, round(part * COVERED_WEEKS)))),
        "calibration": list(calibration(max(100, round(part * CALIBRATED_WEEKS)))),
        "false discoveries": list(false_discoveries(max(2, round(part * CHANGING_WEEKS)))),
    }


def tables(found: dict[str, list[Row]]) -> str:
    """Return all tables as Markdown, each with what it says."""
    titles = {
        "accuracy": f"Named first, precision at 10 and error, plain / shrunken, with {HISTORY - 1} weeks before",
        "coverage": "Share of true counts that the 95 % intervals hold; of the show named first also the shrunken one",
        "calibration": "How often a show announced with a confidence is first; a shared first place counts in parts",
        "false discoveries": "Rising and falling with changing participation: share of false calls, and changes found",
    }
    return "\n".join(f"{titles[name]}\n\n{table(rows)}" for name, rows in found.items())


def accuracy(communities: int) -> Iterator[Row]:
    """Yield for each size and epsilon how often the true top is named, precision at 10, and root mean square error."""
    for people in PARTICIPANTS:
        for epsilon in EPSILONS:
            luck = np.random.default_rng([SEED, people, int(10 * epsilon)])
            scores = []
            for _ in range(communities):
                community = simulate(luck, [people] * HISTORY, SHOWS)
                found = list(shrink(observed(luck, _study(epsilon), community)))[-1]
                truth = community.viewers[-1]
                scores.append([_score(guess, truth) for guess in (found.week.estimate, found.estimate)])
            first, precision, squares = np.mean(scores, axis=0).T
            yield {
                "participants": people,
                "epsilon": epsilon,
                "first, plain": round(first[0], 2),
                "first, shrunken": round(first[1], 2),
                "in ten, plain": round(precision[0], 2),
                "in ten, shrunken": round(precision[1], 2),
                "error, plain": round(float(np.sqrt(squares[0])), 2),
                "error, shrunken": round(float(np.sqrt(squares[1])), 2),
            }


def coverage(weeks: int) -> Iterator[Row]:
    """Yield for each mechanism, size and epsilon which share of true counts the intervals cover."""
    for mechanism in get_args(MechanismName):
        for people in COVERED_PARTICIPANTS:
            for epsilon in EPSILONS:
                luck = np.random.default_rng([SEED, 1, people, int(10 * epsilon)])
                held = []
                for _ in range(weeks):
                    community = simulate(luck, [people], SHOWS)
                    (found,) = shrink(observed(luck, _study(epsilon, mechanism), community))
                    truth = community.viewers[0]
                    plain, credible = (_holds(ends, truth) for ends in (found.week.interval95, found.interval95))
                    named, leading = int(found.ranked.argmax()), np.argsort(-truth)[:10]
                    held.append([plain.mean(), plain[leading].mean(), plain[named], credible[named]])
                names = ("all shows", "leading ten", "named, plain", "named, shrunken")
                means: npt.NDArray[np.float64] = np.mean(held, axis=0)
                figures = {name: round(float(mean), 3) for name, mean in zip(names, means, strict=True)}
                yield {"mechanism": mechanism, "participants": people, "epsilon": epsilon, **figures}


def calibration(weeks: int) -> Iterator[Row]:
    """Yield for each bin of confidence how often the show so announced is truly first."""
    luck = np.random.default_rng([SEED, 2])
    cells = [(people, epsilon) for people in CALIBRATED_PARTICIPANTS for epsilon in EPSILONS]
    found: list[tuple[float, float, float]] = []
    while len(found) < weeks:
        for people, epsilon in cells:
            for length in (1, 1, 2, HISTORY):  # newcomers as well as communities with a past
                community = simulate(luck, [people] * length, CALIBRATED_SHOWS)
                shrunken = shrink(observed(luck, _study(epsilon, shows=CALIBRATED_SHOWS), community))
                found += itertools.starmap(_announced, zip(shrunken, community.viewers, strict=True))
    confidence, right, held = np.array(found).T
    edges = [*np.arange(0, 0.91, 0.1), 0.95, 1.01]
    for low, high in itertools.pairwise(edges):
        inside = (low <= confidence) & (confidence < high)
        if inside.any():
            yield {
                "confidence": f"{low:.2f} to {min(high, 1):.2f}",
                "weeks": int(inside.sum()),
                "announced": round(confidence[inside].mean(), 3),
                "right": round(right[inside].mean(), 3),
                "difference": round((right - confidence)[inside].mean(), 3),
                "candidates hold the first": round(held[inside].mean(), 3),
            }


def false_discoveries(weeks: int) -> Iterator[Row]:
    """Yield for each mechanism, size and epsilon how many calls of rising and falling are false, in pairs of weeks.

    Between a third and all of the participants take part in one of the two. In every other pair no share changes; in
    the others ten of the sixty leading shows are watched three times as often, or a fifth.
    """
    for mechanism in get_args(MechanismName):
        for people in PARTICIPANTS:
            for epsilon in EPSILONS:
                luck = np.random.default_rng([SEED, 3, people, int(10 * epsilon)])
                rates, right, changes = [], 0, 0
                for pair in range(weeks):
                    community, changed = _changing(luck, people, moving=10 * (pair % 2))
                    before, now = observed(luck, _study(epsilon, mechanism), community)
                    called = stands_out_of_all(p_values(before, now))
                    true = called & (np.sign(now.share - before.share) == changed)
                    rates.append((called & ~true).sum() / max(called.sum(), 1))
                    right += int(true.sum())
                    changes += int((changed != 0).sum())
                rate, share = round(float(np.mean(rates)), 3), round(right / max(changes, 1), 2)
                row = {"mechanism": mechanism, "participants": people, "epsilon": epsilon}
                yield {**row, "false": rate, "changes found": share}


def _study(epsilon: float, mechanism: MechanismName = "randomized-response", shows: int = SHOWS) -> Study:
    return Study(catalogue_rows=shows, catalogue_sha256="0" * 64, epsilon=epsilon, mechanism=mechanism)


def _score(guess: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Return whether the highest guess is a true first, which part of ten is in the true ten, and the squared error."""
    ten = np.argsort(-guess, kind="stable")[:10]
    tenth = np.sort(truth)[-10]
    return (
        float(truth[ten[0]] == truth.max()),
        float((truth[ten] >= tenth).mean()),
        float(((guess - truth) ** 2).mean()),
    )


def _holds(
    ends: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]], truth: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    held: npt.NDArray[np.bool_] = (ends[0] <= truth + 1e-9) & (truth <= ends[1] + 1e-9)
    return held


def _announced(week: Shrunken, truth: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the confidence, how right it is, and which part of the true first shows are candidates."""
    top = most_common(week)
    first = truth == truth.max()
    return top.confidence, first[top.row] / first.sum(), first[list(top.candidates)].sum() / first.sum()


def _changing(luck: np.random.Generator, people: int, moving: int) -> tuple[Community, npt.NDArray[np.float64]]:
    """Return a community of two weeks, and the sign of each show's change."""
    taking_part = luck.permutation([people, max(5, round(people * luck.uniform(0.33, 1)))])
    shares = simulate(luck, taking_part[:1], SHOWS).shares[[0, 0]]
    changed = luck.choice(np.argsort(-shares[0])[:60], moving, replace=False)
    shares[1, changed] = np.minimum(shares[1, changed] * luck.choice([0.2, 3], moving), 0.9)
    community = Community(taking_part, shares, luck.binomial(taking_part[:, None], shares))
    return community, np.sign(shares[1] - shares[0])


if __name__ == "__main__":
    main()
