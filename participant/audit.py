"""A check of the promise on this machine, along the whole way from a history to the published file.

Invented members release 52 weeks each. For every unit of privacy (a view, a show of a week, a week) an independent fair
coin decides whether it is in their history. Observers who know everything else then guess the coins from all versions
of the file that were ever published. Under epsilon a guess is right with probability e^epsilon / (1 + e^epsilon) at
most, and whatever an observer abstains from, the number of right guesses is no larger than a binomial variable of that
probability. So a confidence bound on that probability is one on epsilon, however many coins share a file.
Source: Steinke, Nasr, Jagielski 2023, Privacy auditing with one (1) training run, https://arxiv.org/abs/2305.08846
"""

from __future__ import annotations

import dataclasses
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from participant import app
from participant.settings import TEMPLATE
from shared.catalogue import Show, format_catalogue, parse_catalogue
from shared.files import write_atomically
from shared.keys import Keys
from shared.mechanism import noised_sum_of
from shared.release import decode_records
from shared.settings import write_settings
from shared.sharing import Role, open_half, parse_report
from shared.study import Coordinator, Study
from shared.week import latest_closed
from shared.workspace import PARTICIPANT_APP, RELEASE_FILE, SHARE_SUFFIX, Workspace

CHANCE: Final = 1e-5
"""How often the verdict on a true promise is wrong."""
EXCESS: Final = 1.1
"""An epsilon this many times the promised one is found in 99 of 100 audits, where `guesses_needed` can be had."""
WEEKS: Final = 52
MOST_MEMBERS: Final = 450
"""Enough for `guesses_needed` also where a week has but one coin: unit `week` with two shows."""

_TARGETS: Final = 8  # coins of a week, where a coin decides about one show
_CROWD: Final = 5  # shows beside the one coin of a crowded week: would one that is dropped make room for another?
_CROWDED: Final = 4  # every so many weeks
_BLOCKS: Final = 4  # of rows that weeks take turns with: the rows of a week's coins are unwatched in the three before
_SPREAD: Final = 2  # every so many rows of the catalogue one is used: the next one is never watched
_MANY: Final = 3 * _CROWD  # views of a show that is in, and more where the cap is higher
_ENOUGH: Final = 0.95  # of the guesses that are needed
_FOUND: Final = 0.993  # of the audits of an excessive epsilon: 0.99, and something for the approximation
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # where there is one: some ten thousand durable commits need no disk
_ME: Final = "member@audit.invalid"
_THEM: Final = "coordinator@audit.invalid"
_NOW: Final = datetime(2024, 11, 26, 12, tzinfo=UTC)
_LAST_WEEK: Final = latest_closed(_NOW.date())

Cells = npt.NDArray[np.int64]
Guesses = npt.NDArray[np.int64]
"""1 for "it was in", -1 for "it was not", 0 for no guess; shape (weeks, coins of a week)."""


@dataclass(frozen=True)
class Verdict:
    """What the observers' guesses say about epsilon; each of the two bounds is wrong once in 2 / CHANCE audits."""

    study: Study
    lower: float
    """Epsilon is at least this: the highest bound of all observers, corrected for their number: the one who
    reads the cells as they are gets half of the chance, the others share the rest."""
    upper: float
    """And at most this, as far as the observer goes who reads the cells as they are; infinite without a wrong guess."""
    guesses: int
    """Of that observer."""
    needed: int
    """So many guesses tell EXCESS times the promised epsilon from it."""
    members: int
    observer: str
    """Whose guesses gave the lower bound."""

    @property
    def holds(self) -> bool:
        """Whether the stated epsilon is neither exceeded nor undercut: not less noise than promised, and not more."""
        return self.lower <= self.study.epsilon <= self.upper

    def lines(self) -> tuple[str, str]:
        """Return the two lines for people."""
        study = self.study
        bounds = f"at least {max(self.lower, 0):.2f}"
        bounds += f", by these observers no more than {self.upper:.2f}" if math.isfinite(self.upper) else ""
        mechanism = study.mechanism + (" on the sum, as one of two coordinators sees it" if study.leader else "")
        per = "week" if study.unit == "week" else f"{study.unit} and week"
        first = (
            f"measured on this machine: epsilon {bounds}; promised {study.epsilon:g} per {per} "
            f"({mechanism}; {self.guesses:,} guesses about {self.members} invented members, wrong once in "
            f"{1 / CHANCE:,.0f} audits)"
        )
        if self.holds and self.guesses < _ENOUGH * self.needed:
            return first, (
                f"nothing speaks against the promise, but it takes {self.needed:,} guesses to find an epsilon that is "
                f"{EXCESS:g} times as large: read the bounds"
            )
        if self.holds:
            return (
                first,
                "the promise holds: none of the observers guesses better than it allows, and no noise is wasted",
            )
        if self.lower > study.epsilon:
            return first, "THE PROMISE IS BROKEN: withdraw with netflix-trend-participant withdraw, and report this"
        return (
            first,
            "more noise is drawn than promised: members are safe, the trend is worse than it need be; report this",
        )


def audit(
    study: Study, most_members: int = MOST_MEMBERS, progress: Callable[[float], None] = lambda _done: None
) -> Verdict:
    """Return what is measured of a study's promise, over a small catalogue of invented shows.

    It ends with `guesses_needed`, or at `most_members` with bounds as wide as that leaves them. `progress` is told how
    much is done, from 0 to 1.

    Raises: FilesError if there is no room for temporary files.
    """
    needed = guesses_needed(study.epsilon)
    with _invented_machine(study) as machine:
        layout = machine.layout
        known = machine.publish(layout.coins_out())[0]
        observers = layout.observers(known)
        right, made = np.zeros(len(observers), dtype=np.int64), np.zeros(len(observers), dtype=np.int64)
        members = 0
        while members < most_members and made[0] < needed:
            coins = layout.toss()
            seen = np.stack(machine.publish(coins))
            for place, observer in enumerate(observers):
                guesses = np.where(coins != 0, observer(seen), 0)
                right[place] += (guesses == coins)[guesses != 0].sum()
                made[place] += (guesses != 0).sum()
            members += 1
            progress(max(members / most_members, min(1.0, float(made[0]) / needed)))
    chances = [CHANCE / 4] + [CHANCE / 4 / (len(observers) - 1)] * (len(observers) - 1)
    lower, name = max(
        (_log_odds(_lower_bound(int(r), int(m), chance)), each.__name__)
        for r, m, chance, each in zip(right, made, chances, observers, strict=True)
    )
    upper = -_log_odds(_lower_bound(int(made[0] - right[0]), int(made[0]), CHANCE / 2))
    return Verdict(study, lower, upper, int(made[0]), needed, members, name)


def guesses_needed(epsilon: float) -> int:
    """Return how many guesses tell EXCESS x epsilon from epsilon in 99 of 100 audits.

    By the normal approximation, for an observer whose guesses are as good as epsilon allows.
    """
    allowed, excessive = (1 / (1 + math.exp(-each)) for each in (epsilon, EXCESS * epsilon))
    alarm = NormalDist().inv_cdf(1 - CHANCE / 4) * math.sqrt(allowed * (1 - allowed))
    miss = NormalDist().inv_cdf(_FOUND) * math.sqrt(excessive * (1 - excessive))
    return math.ceil(((alarm + miss) / (excessive - allowed)) ** 2)


@dataclass(frozen=True)
class _Layout:
    """Which rows of the invented catalogue the coins of a week decide about.

    Weeks take turns between blocks of rows, so that the rows of a week's coins are unwatched in the weeks before. The
    crowd's rows follow the blocks, and beside each row that is used there is one that nobody ever watches.
    """

    study: Study

    @property
    def coins(self) -> int:
        return 1 if self.study.unit == "week" else _TARGETS

    @property
    def width(self) -> int:
        """Rows that one coin decides about: more than a week may count, where the whole week is the unit."""
        return (self.study.max_shows_per_week or 0) + 2 if self.study.unit == "week" else 1

    @property
    def rows(self) -> int:
        return _SPREAD * (_BLOCKS * self.coins * self.width + _CROWD)

    @property
    def views_in(self) -> int:
        return self.study.max_views_per_show if self.study.unit == "view" else _MANY * self.study.max_views_per_show

    @property
    def views_out(self) -> int:
        return self.views_in - 1 if self.study.unit == "view" else 0

    @property
    def high(self) -> int:
        """The bounded count where the coin says in."""
        return self.study.max_views_per_show

    @property
    def low(self) -> int:
        """The bounded count where the coin says out."""
        return min(self.views_out, self.high)

    def crowded(self, week: int) -> bool:
        """Tell whether a week has one coin, about its most viewed show, and a crowd of less viewed ones."""
        return self.study.unit == "show" and week % _CROWDED == 0

    def targets(self, week: int, coin: int) -> range:
        """Return the rows of a coin."""
        start = ((week % _BLOCKS) * self.coins + coin) * self.width
        return range(_SPREAD * start, _SPREAD * (start + self.width), _SPREAD)

    def crowd(self) -> range:
        return range(self.rows - _SPREAD * _CROWD, self.rows, _SPREAD)

    def toss(self) -> Guesses:
        """Return fair coins: 1 for in, -1 for out, 0 where a crowded week has none."""
        tossed = np.array([[1 - 2 * secrets.randbits(1) for _ in range(self.coins)] for _ in range(WEEKS)])
        return np.where(self._has_coin(), tossed, 0)

    def coins_out(self) -> Guesses:
        """Return coins that all say out."""
        return np.where(self._has_coin(), -1, 0)

    def _has_coin(self) -> npt.NDArray[np.bool_]:
        return np.array([[coin == 0 or not self.crowded(week) for coin in range(self.coins)] for week in range(WEEKS)])

    def views(self, coins: Guesses) -> Iterator[tuple[int, int, int]]:
        """Yield (week, row, number of views) of the history that the coins decide."""
        for week in range(WEEKS):
            for coin in np.flatnonzero(coins[week]).tolist():
                number = self.views_in if coins[week, coin] == 1 else self.views_out
                yield from ((week, row, number) for row in self.targets(week, coin) if number)
            if self.crowded(week):
                yield from ((week, row, _CROWD - place) for place, row in enumerate(self.crowd()))

    def observers(self, known: Cells) -> list[Callable[[Cells], Guesses]]:
        """Return the observers, the first one reading the cells as they are.

        Each takes all versions of a file, shape (versions, weeks, rows). `known` is what a member published of whom
        every coin was known to say out.
        """
        counted = self.study.max_shows_per_week or 1
        rows = np.array([[list(self.targets(w, c))[:counted] for c in range(self.coins)] for w in range(WEEKS)])
        weeks = np.arange(WEEKS)[:, None, None]

        def guess(most: Cells, least: Cells, high: int, low: int) -> Guesses:
            return np.where((least >= high).all(axis=-1), 1, 0) - np.where((most <= low).all(axis=-1), 1, 0)

        def reads(seen: Cells) -> Guesses:
            cells = seen[:, weeks, rows]
            return guess(cells.max(axis=0), cells.min(axis=0), self.high, self.low)

        def subtracts_a_week_before(back: int, parity: int) -> Callable[[Cells], Guesses]:
            def subtracts_a_week_before(seen: Cells) -> Guesses:
                gap = abs(seen[0][weeks, rows] - seen[0][weeks - back, rows])
                guesses = guess(gap, gap, self.high, self.low)
                guesses[[week % 2 != parity or week < back for week in range(WEEKS)]] = 0
                return guesses

            return subtracts_a_week_before

        def subtracts_the_next_row(seen: Cells) -> Guesses:
            gap = abs(seen[0][weeks, rows] - seen[0][weeks, rows + 1])
            return guess(gap, gap, self.high, self.low)

        def subtracts_a_known_member(seen: Cells) -> Guesses:
            gap = abs(seen[0][weeks, rows] - known[weeks, rows])
            return guess(gap, gap, self.high - self.low, 0)

        def sees_who_made_room(other: int) -> Callable[[Cells], Guesses]:
            def sees_who_made_room(seen: Cells) -> Guesses:
                target, beside = seen[0][weeks[..., 0], rows[..., 0]], seen[0][:, other][:, None]
                guesses = np.where((target >= self.high) & (beside <= 0), 1, 0)
                guesses -= np.where((target <= self.low) & (beside >= 1), 1, 0)
                guesses[[not self.crowded(week) for week in range(WEEKS)]] = 0
                return guesses

            return sees_who_made_room

        return [
            reads,
            *(subtracts_a_week_before(back, parity) for back in range(1, _BLOCKS) for parity in (0, 1)),
            subtracts_the_next_row,
            subtracts_a_known_member,
            *(sees_who_made_room(row) for row in self.crowd()),
        ]


class _InventedMachine:
    """A workspace with the participant app and a coordinator's study, in a folder that is removed afterwards."""

    def __init__(self, box: Path, study: Study) -> None:
        self.layout = _Layout(study)
        rows = self.layout.rows
        catalogue = format_catalogue([Show(f"Show {row}", "series") for row in range(rows)])
        self._pair = _invented_pair() if study.trust == "two-coordinators" else {}
        first = dataclasses.replace(
            study,
            leader=_named(self._pair, "leader"),
            helper=_named(self._pair, "helper"),
            catalogue_rows=rows,
            catalogue_sha256=parse_catalogue(catalogue).sha256(),
            weeks=WEEKS,
            open_weeks=WEEKS,
            predecessor=None,
        )
        self._studies = (first, dataclasses.replace(first, predecessor=first.id))
        self._box = box
        (box / "apis").mkdir()
        self._workspace = Workspace(box, _ME, "", box / "config.json")
        self._results = self._workspace.results(_THEM)
        self._answers: dict[bytes, Cells] = {}
        write_atomically(self._results / "catalogue.csv", catalogue)
        for each in self._studies:
            write_atomically(self._results / "studies" / f"{each.id}.json", each.to_json())
        self._export = box / "NetflixViewingHistory.csv"
        limits = {"max_epsilon_per_week": study.epsilon, "max_epsilon_total": 1e9, "units": [study.unit]}
        consent = {"trust": [study.trust], "fingerprint": first.fingerprint}
        settings = {"aggregator": _THEM, "history": [str(self._export)], "timezone": "UTC", **limits, **consent}
        write_settings(self._workspace.app(PARTICIPANT_APP) / "settings.toml", TEMPLATE, settings)

    def publish(self, coins: Guesses) -> list[Cells]:
        """Return every version of the file that a new member publishes, each of shape (weeks, rows).

        The member's app runs, is started again, and runs once more after the coordinator has published a new study.
        """
        shutil.rmtree(self._box / "private", ignore_errors=True)
        shutil.rmtree(self._workspace.api_data(_ME), ignore_errors=True)
        self._download(coins)
        versions = []
        for study in (self._studies[0], self._studies[0], self._studies[1]):
            for email in (_THEM, *(email for email, _ in self._pair.values())):
                write_atomically(self._workspace.results(email) / "study.json", study.to_json())
            app.run(self._workspace, _NOW, self._box)
            versions.append(self._summed() if self._pair else self._released())
        return versions

    def _released(self) -> Cells:
        """Return the cells of the release file."""
        data = (self._workspace.api_data(_ME) / RELEASE_FILE).read_bytes()
        return decode_records(data)["count"].astype(np.int64)

    def _summed(self) -> Cells:
        """Return what one coordinator learns of the sum over this one member: the other one's noise alone protects it.

        A report is answered once: the same bytes get the same answer.
        """
        weeks = []
        for number in range(WEEKS):
            data = (self._workspace.shares(_ME) / f"{_LAST_WEEK.plus(number - WEEKS + 1)}{SHARE_SUFFIX}").read_bytes()
            if data not in self._answers:
                report = parse_report(data)
                study = next(each for each in self._studies if each.id == report.study)
                halves = [open_half(report, role, keys, study, _ME) for role, (_, keys) in self._pair.items()]
                noise = noised_sum_of(study).draw(report.rows)
                self._answers[data] = (halves[0] + halves[1] + noise).view(np.int32).astype(np.int64)
            weeks.append(self._answers[data])
        return np.stack(weeks)

    def _download(self, coins: Guesses) -> None:
        lines = ["Title,Date"]
        for week, row, number in self.layout.views(coins):
            day = _LAST_WEEK.plus(week - WEEKS + 1).first_day.isoformat()
            lines += [f"Show {row}: Season 1: Episode {episode},{day}" for episode in range(number)]
        self._export.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.utime(self._export, (_NOW.timestamp(), _NOW.timestamp()))


def _named(pair: Mapping[Role, tuple[str, Keys]], role: Role) -> Coordinator | None:
    """Return an invented coordinator as a study names it; None where there is one coordinator."""
    email, keys = pair.get(role, ("", None))
    return keys.coordinator(email) if keys else None


def _invented_pair() -> dict[Role, tuple[str, Keys]]:
    return {"leader": (_THEM, Keys.generate()), "helper": ("helper@audit.invalid", Keys.generate())}


@contextmanager
def _invented_machine(study: Study) -> Iterator[_InventedMachine]:
    where = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="netflix-trend-audit-", dir=where) as folder:
        yield _InventedMachine(Path(folder).resolve(), study)


def _lower_bound(right: int, made: int, chance: float) -> float:
    """Return the Clopper-Pearson lower bound on the probability of a right guess, wrong with probability `chance`."""
    if not right:
        return 0.0
    number = np.arange(right, made + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, made + 1)))])  # of factorials
    ways = logs[made] - logs[number] - logs[made - number]
    low, high = 0.0, 1.0
    while high - low > 1e-12:  # far finer than any interval
        middle = (low + high) / 2
        tail = np.exp(ways + number * math.log(middle) + (made - number) * math.log1p(-middle)).sum()
        low, high = (middle, high) if tail <= chance else (low, middle)
    return low


def _log_odds(probability: float) -> float:
    if probability <= 0:
        return -math.inf
    return math.inf if probability >= 1 else math.log(probability) - math.log1p(-probability)
