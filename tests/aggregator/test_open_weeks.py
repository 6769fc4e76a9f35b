"""Sums that are kept from pass to pass: always those that all files would give, whatever came, changed or went."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator import collect, open_weeks, workers
from aggregator.collect import Reason, Rules
from aggregator.open_weeks import OpenWeeks, open_sums
from aggregator.workers import dask_executor
from shared.errors import FilesError, LedgerError, SettingsError
from shared.files import read_regular_file
from shared.mechanism import NoisedCounts
from shared.release import Release, encode_releases
from shared.week import IsoWeek
from tests.aggregator.test_collect import LARGE, NOW, STUDY, noised, put, rules

WEEKS = [IsoWeek(2024, 40).plus(number) for number in range(8)]
LONG_AGO = 1_000_000_000


class Community:
    """Members whose releases come, change and go; every member's cells are unique, so that a double count is seen."""

    def __init__(self, root: Path) -> None:
        self.datasites, self.file = root / "datasites", root / "private" / "open_weeks.sqlite"
        self.datasites.mkdir(parents=True)
        self.released: dict[int, dict[IsoWeek, int]] = {}
        self.rules = rules()
        self.basis = "as always"
        self.ticks = LONG_AGO

    def release(self, member: int, weeks: dict[IsoWeek, int]) -> None:
        """Let a member's file hold these weeks, each with cells drawn from a number; no week: no file."""
        path = self.datasites / f"m{member}@example.org/api_data/netflix_trend_participant/netflix_reduced.npy"
        self.released[member] = weeks
        if not weeks:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = [NoisedCounts(np.array([number >> bit & 1 for bit in range(3)], np.int16)) for number in weeks.values()]
        path.write_bytes(
            encode_releases([Release(week, STUDY.id, counts) for week, counts in zip(weeks, cells, strict=True)])
        )
        self.ticks += 1
        os.utime(path, (self.ticks, self.ticks))

    def update(self, executor: Executor | None = None, counts: Callable[[str], bool] = lambda _: True) -> None:
        """Do what a pass does."""
        with open_sums(self.file) as sums:
            sums.update(self.datasites, self.rules, counts, self.basis, time.time_ns(), executor)

    @property
    def sums(self) -> dict[str, tuple[int, list[int]]]:
        """What the file says."""
        with open_sums(self.file) as sums:
            return {
                str(week): (of[STUDY.id].participants, of[STUDY.id].sums.tolist()) for week, of in sums.totals().items()
            }

    @property
    def truth(self) -> dict[str, tuple[int, list[int]]]:
        """What all files together say."""
        found: dict[str, tuple[int, list[int]]] = {}
        for weeks in self.released.values():
            for week, number in weeks.items():
                if self.rules.takes(week.key):
                    people, sums = found.get(str(week), (0, [0, 0, 0]))
                    found[str(week)] = people + 1, [total + (number >> bit & 1) for bit, total in enumerate(sums)]
        return found


@pytest.fixture
def community(tmp_path: Path) -> Community:
    """Return nine members with three weeks each, added up."""
    found = Community(tmp_path)
    for member in range(9):
        found.release(member, {week: member + number for number, week in enumerate(WEEKS[:3])})
    found.update()
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of files that are opened from now on."""
    opened: list[str] = []
    original = read_regular_file

    def reading(path: str, limit: int) -> bytes:
        opened.append(path)
        return original(path, limit)

    monkeypatch.setattr(collect, "read_regular_file", reading)
    return opened


def test_a_first_pass_adds_everyone_once(community: Community) -> None:
    assert community.sums == community.truth
    assert community.sums[str(WEEKS[0])][0] == 9


def test_an_unchanged_pass_opens_no_release_and_writes_nothing(community: Community, read: list[str]) -> None:
    before = community.file.read_bytes()
    community.update()
    assert read == []
    assert community.file.read_bytes() == before


def test_a_new_week_from_one_costs_one_file(community: Community, read: list[str]) -> None:
    community.release(4, community.released[4] | {WEEKS[3]: 7})
    community.update()
    assert len(read) == 1
    assert community.sums == community.truth


@pytest.mark.parametrize("change", ["withdrawn", "altered", "shortened", "spoilt", "moved to another week"])
def test_what_is_gone_makes_the_sums_anew(community: Community, read: list[str], change: str) -> None:
    weeks = community.released[4]
    match change:
        case "withdrawn":
            community.release(4, {})
        case "altered":
            community.release(4, weeks | {WEEKS[1]: 0})
        case "shortened":
            community.release(4, {WEEKS[0]: weeks[WEEKS[0]]})
        case "moved to another week":
            community.release(4, {WEEKS[0]: weeks[WEEKS[0]], WEEKS[1]: weeks[WEEKS[1]], WEEKS[4]: weeks[WEEKS[2]]})
        case "spoilt":
            path = put(community.datasites.parent / "x", "x", b"garbage")
            path.replace(community.datasites / "m4@example.org/api_data/netflix_trend_participant" / path.name)
            community.released[4] = {}
    community.update()
    assert community.sums == community.truth
    assert len(read) >= 8


def test_a_rejected_file_that_goes_or_comes_back_costs_nobody_else(community: Community, read: list[str]) -> None:
    bad = put(community.datasites, "bad@example.org", b"garbage")
    os.utime(bad, (LONG_AGO, LONG_AGO))
    community.update()
    bad.unlink()
    community.update()
    assert len(read) == 1
    with open_sums(community.file) as sums:
        assert sums.reasons() == {None: 9}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 5), st.dictionaries(st.sampled_from(WEEKS), st.integers(0, 7), max_size=4)),
            max_size=5,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_comes_changes_and_goes_the_sums_are_those_of_the_files(
    tmp_path_factory: pytest.TempPathFactory, passes: list[list[tuple[int, dict[IsoWeek, int]]]]
) -> None:
    community = Community(tmp_path_factory.mktemp("community"))
    for changes in passes:
        for member, weeks in changes:
            community.release(member, weeks)
        community.update()
        assert community.sums == community.truth


def test_that_check_notices_a_file_that_is_not_read(community: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_weeks, "find_releases", lambda _: {"m0@example.org": {"m0@example.org": "1:2:3:4"}})
    community.basis = "other"
    community.update()
    assert community.sums != community.truth


def test_a_final_week_is_forgotten_and_what_happens_to_it_later_costs_nothing(
    community: Community, read: list[str]
) -> None:
    community.rules = replace(community.rules, final=frozenset(WEEKS[:2]))
    community.update()
    assert list(community.sums) == [str(WEEKS[2])]
    community.release(4, dict.fromkeys(WEEKS[:2], 0) | {WEEKS[2]: community.released[4][WEEKS[2]]})
    community.update()
    assert len(read) == 1
    assert community.sums == community.truth


def test_other_settings_or_studies_make_the_sums_anew(community: Community, read: list[str]) -> None:
    community.basis = "another study"
    community.update(counts=lambda email: email != "m4@example.org")
    assert len(read) == 8
    with open_sums(community.file) as sums:
        assert sums.reasons() == {None: 8, Reason.NOT_A_MEMBER: 1}
    del community.released[4]
    assert community.sums == community.truth


def test_a_file_rejected_for_a_week_that_is_not_over_is_taken_once_it_is(community: Community) -> None:
    future = IsoWeek(2024, 48)
    community.release(4, community.released[4] | {future: 7})
    community.update()
    assert community.sums[str(WEEKS[0])][0] == 8
    community.rules = replace(community.rules, newest=future)
    community.update()
    assert community.sums == community.truth


def test_a_file_rewritten_in_place_within_one_tick_of_the_clock_is_noticed(community: Community) -> None:
    path = community.datasites / "m4@example.org/api_data/netflix_trend_participant/netflix_reduced.npy"
    now = time.time_ns()
    community.release(4, {WEEKS[0]: 0})
    os.utime(path, ns=(now, now))
    community.update()
    community.release(4, {WEEKS[0]: 7})
    os.utime(path, ns=(now, now))
    community.update()
    assert community.sums == community.truth


@pytest.mark.parametrize("stop", ["INSERT INTO participants", "INSERT INTO verdicts", "INSERT OR REPLACE", "COMMIT"])
def test_a_pass_that_is_killed_anywhere_counts_nothing_twice(community: Community, stop: str) -> None:
    class Killed(BaseException):
        pass

    before = community.sums
    community.release(4, community.released[4] | {WEEKS[3]: 7})
    with closing(sqlite3.connect(community.file, isolation_level=None)) as connection:

        def kill(statement: str) -> None:
            if statement.startswith(stop):
                raise Killed

        class Dying:
            """A connection that dies at a statement: what was not committed is rolled back, as after kill -9."""

            def __enter__(self) -> None: ...

            def __exit__(self, kind: object, *_: object) -> None:
                if kind is None:
                    kill("COMMIT")
                connection.close()

            def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
                kill(statement)
                return connection.execute(statement, *values)  # type: ignore[arg-type]

            def executemany(self, statement: str, rows: object) -> sqlite3.Cursor:
                kill(statement)
                return connection.executemany(statement, rows)  # type: ignore[arg-type]

        with pytest.raises(Killed):
            OpenWeeks(Dying()).update(  # type: ignore[arg-type]
                community.datasites, community.rules, lambda _: True, community.basis, time.time_ns()
            )
    assert community.sums == before
    community.update()
    assert community.sums == community.truth


@pytest.mark.parametrize("content", [b"no database", b"", None])
def test_a_broken_or_missing_file_is_made_anew(community: Community, content: bytes | None) -> None:
    if content is None:
        community.file.unlink()
    else:
        community.file.write_bytes(content)
    community.update()
    assert community.sums == community.truth


@pytest.mark.parametrize("version", [open_weeks.VERSION - 1, open_weeks.VERSION + 1])
def test_a_file_of_another_version_is_made_anew(community: Community, version: int) -> None:
    with closing(sqlite3.connect(community.file)) as connection:
        connection.execute("DROP TABLE verdicts")
        connection.execute(f"PRAGMA user_version = {version}")
    community.update()
    assert community.sums == community.truth


def test_a_file_that_breaks_later_is_removed_and_made_anew_by_the_next_pass(community: Community) -> None:
    data = bytearray(community.file.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    community.file.write_bytes(data)
    with pytest.raises(LedgerError, match="anew"):
        community.update()
    community.update()
    assert community.sums == community.truth


def test_a_copy_of_anothers_bytes_counts_and_both_are_flagged(tmp_path: Path) -> None:
    data = noised(LARGE)
    for name, content in (("ann", data), ("copy", data), ("bob", noised(LARGE))):
        put(tmp_path / "datasites", f"{name}@example.org", content)
    with open_sums(tmp_path / "private" / "sums.sqlite") as sums:
        sums.update(tmp_path / "datasites", rules(), lambda _: True, "", time.time_ns())
        assert sums.flagged() == 2
        assert sums.totals()[IsoWeek(2024, 47)][LARGE.id].participants == 3
        flags = {verdict.datasite: verdict.flagged for verdict in sums.verdicts()}
    assert flags == {"ann@example.org": True, "copy@example.org": True, "bob@example.org": False}


def test_people_who_agree_by_chance_are_not_flagged(community: Community) -> None:
    with open_sums(community.file) as sums:  # three shows: equal cells prove nothing
        assert sums.flagged() == 0


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Yield an executor with two workers of each kind."""
    if request.param == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    elif request.param == "processes":
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
            yield processes
    else:
        distributed = pytest.importorskip(
            "distributed", reason="Dask is not installed: pip install 'netflix-trend[dask]'"
        )
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            client.wait_for_workers(2, timeout=30)
            with dask_executor(cluster.scheduler_address) as workers:
                yield workers


def test_any_executor_gives_the_same_sums(tmp_path: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "CHUNK", 3)  # many chunks, more than are ahead
    community = Community(tmp_path)
    for member in range(40):
        community.release(member, dict.fromkeys(WEEKS[: 1 + member % 8], member % 8))
    community.update(executor)
    assert community.sums == community.truth
    community.release(7, {})
    community.release(8, community.released[8] | {WEEKS[5]: 1})
    community.update(executor)
    assert community.sums == community.truth


def test_rules_tell_which_weeks_are_taken() -> None:
    by = Rules({}, newest=IsoWeek(2024, 47), first=IsoWeek(2024, 10), final=frozenset({IsoWeek(2024, 11)}))
    assert [by.takes(week) for week in (202409, 202410, 202411, 202412)] == [False, True, False, True]
    assert by.open_places([202409, 202410, 202411, 202412]) == [1, 3]
    assert by.most_weeks == 0
    assert collect.newest_week(NOW) == IsoWeek(2024, 47)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", ""])
def test_a_scheduler_that_is_not_there_is_one_clear_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'netflix-trend[dask]'")
    monkeypatch.setattr(workers, "PATIENCE_SECONDS", 0.5)
    with pytest.raises(FilesError, match="no Dask scheduler"), dask_executor(address):
        pass


def test_without_dask_the_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError, match="pip install"), dask_executor("tcp://127.0.0.1:1"):
        pass
