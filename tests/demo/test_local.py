"""The demo ends with what it promises: a week measured, by one coordinator or by two, and the truth beside it."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aggregator.terms import read_terms
from demo.__main__ import report
from demo.local import COORDINATOR, HELPER, run_demo
from shared.mechanism import noised_sum_of
from shared.study import Trust
from shared.week import IsoWeek
from shared.workspace import PARTICIPANT_APP

MEMBERS, WEEKS = 8, 2
EPSILON = 20.0  # so much that the truth is told from the noise by eight people
TODAY = datetime(2024, 11, 26, 12, tzinfo=UTC)
LAST = IsoWeek(2024, 47)


def silent(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


@pytest.mark.parametrize(("trust", "measured"), [("one-coordinator", LAST), ("two-coordinators", LAST.plus(-2))])
def test_a_demo_ends_with_the_last_week_that_can_be_measured(tmp_path: Path, trust: Trust, measured: IsoWeek) -> None:
    outcome = run_demo(tmp_path, MEMBERS, WEEKS, EPSILON, None, TODAY, silent, trust)
    assert outcome.stopped == []
    top = outcome.top
    assert (top["week"], top["participants"], top["withheld"]) == (str(measured), MEMBERS, False)
    assert top["privacy"]["trust"] == trust
    assert report(outcome)[0].startswith(f"most common show of {measured}: {top['show']}, ")
    assert report(outcome)[-1] == f"page: {outcome.page.as_uri()}"
    assert outcome.page.is_file()


def test_two_coordinators_measure_every_week_of_a_demo_and_members_share_instead_of_releasing(tmp_path: Path) -> None:
    outcome = run_demo(tmp_path, MEMBERS, WEEKS, EPSILON, None, TODAY, silent, "two-coordinators")
    weeks = {week["week"]: week["final"] and not week["withheld"] for week in outcome.trends["weeks"]}
    ahead = [LAST.plus(-3), LAST.plus(-2), LAST.plus(-1), LAST]
    assert weeks == {str(week): week <= LAST.plus(-2) for week in ahead}
    datasites = tmp_path / "datasites"
    study = read_terms(datasites / HELPER / "public" / "netflix_trend_aggregator").study
    assert outcome.true_count is not None
    assert noised_sum_of(study).bound < MEMBERS
    assert abs(outcome.top["estimate"] - outcome.true_count) <= noised_sum_of(study).bound
    shared = [path.parent for path in datasites.glob(f"*/api_data/{PARTICIPANT_APP}/shares/{LAST}.bin")]
    assert len(shared) == MEMBERS
    for folder in shared:
        rules = json.loads((folder / "syftperm.yaml").read_bytes())
        assert {rule["user"] for rule in rules} == {COORDINATOR, HELPER}
    assert list(datasites.rglob("netflix_reduced.npy")) == []


def test_a_demo_without_a_terminal_tells_what_it_is_doing_line_by_line(tmp_path: Path) -> None:
    line = ["--members", "3", "--weeks", "1", "--workspace", str(tmp_path / "demo")]
    done = subprocess.run([sys.executable, "-m", "demo", *line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "simulating the community\n" in done.stderr
    assert done.stderr.count("members' apps\n") == 1
