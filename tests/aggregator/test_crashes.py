"""Killed anywhere, twice at once, on a full disk: what is published stays whole, and the next pass mends the rest."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from aggregator import app as aggregator
from aggregator.collect import look
from aggregator.terms import publish_study
from shared.errors import Busy, CatalogueError, ExitCode
from shared.files import only_instance
from shared.mechanism import NoisedCounts
from shared.release import Release, encode_releases
from shared.week import IsoWeek
from shared.workspace import AGGREGATOR_APP, RELEASE_FILE, Workspace
from tests.conftest import COORDINATOR, SHOWS, TUESDAY, Neighbourhood

ROOT = Path(__file__).parents[2]
LATER = TUESDAY + timedelta(weeks=1)
"""By then 2024-W43 is final."""

CHILD = """
import os, resource, signal, sqlite3, sys
from datetime import datetime
from pathlib import Path
from aggregator import app, open_weeks, store
from shared import files
from shared.workspace import load_workspace

def kill_at(owner, name, number):
    original, calls = getattr(owner, name), []
    def dying(*arguments, **options):
        calls.append(1)
        if len(calls) > number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)
    setattr(owner, name, dying)

{before}
try:
    print(app.run(load_workspace(Path(sys.argv[1])), datetime.fromisoformat(sys.argv[2])))
except Exception as error:
    print(error)
    sys.exit(getattr(error, "exit_code", 1))
"""


def community(root: Path) -> Workspace:
    """Return a coordinator's workspace after its first pass over six members: always the same."""
    box = Neighbourhood(root).coordinator()
    aggregator.run(box, TUESDAY)
    for member in range(6):
        release(box, member, range(43, 48))
    aggregator.run(box, TUESDAY)
    return box


def release(box: Workspace, member: int, weeks: range) -> None:
    study = json.loads((box.results(COORDINATOR) / "study.json").read_bytes())["id"]
    cells = [np.array([(member + week) >> row & 1 for row in range(len(SHOWS))], dtype=np.int16) for week in weeks]
    path = box.datasites / f"member{member}@example.org" / "api_data" / "netflix_trend_participant" / RELEASE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    released = zip(weeks, cells, strict=True)
    path.write_bytes(
        encode_releases([Release(IsoWeek(2024, week), study, NoisedCounts(counts)) for week, counts in released])
    )


def news(box: Workspace) -> None:
    """Let a week pass: five members release it, one withdraws."""
    for member in range(1, 6):
        release(box, member, range(43, 49))
    (box.api_data("member0@example.org") / RELEASE_FILE).unlink()


def command(box: Workspace, before: str = "") -> list[str]:
    return [sys.executable, "-c", CHILD.format(before=before), str(box.config), LATER.isoformat()]


def in_child(box: Workspace, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(box, before), cwd=ROOT, capture_output=True, text=True, check=False)


def files(box: Workspace) -> dict[str, bytes]:
    folder = box.results(COORDINATOR)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def said(box: Workspace) -> dict[str, str]:
    """Return what is published, but for the time."""
    return {
        name: re.sub(r"2024-1[0-9-]+T[0-9:+]+", "TIME", data.decode())
        for name, data in files(box).items()
        if not name.endswith(".tmp")
    }


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, str]:
    """Return what is published where nothing goes wrong."""
    box = community(tmp_path / "undisturbed")
    news(box)
    aggregator.run(box, LATER)
    found = said(box)
    final = json.loads(found["weeks/2024-W43.json"])
    assert (final["participants"], final["final"]) == (5, True)
    assert json.loads(found["most_common_show.json"])["week"] == "2024-W48"
    return found


@pytest.mark.parametrize(
    "before",
    [
        "kill_at(open_weeks.OpenWeeks, '_keep', 1)",  # while sums are written
        "kill_at(open_weeks.OpenWeeks, 'reasons', 0)",  # they are written, no week is final yet
        "kill_at(store.Store, 'finish', 0)",
        "kill_at(app, '_publish', 0)",  # the week is final, nothing is published
        "kill_at(files, 'write_atomically', 0)",
        "kill_at(files, 'write_atomically', 1)",
        "kill_at(files, 'write_atomically', 5)",
        "kill_at(files, 'write_atomically', 8)",  # all but the page
        "kill_at(files, '_sync_folder', 6)",
        "kill_at(os, 'fsync', 6)",  # a temporary file is left behind
    ],
)
def test_killed_anywhere_every_file_is_whole_and_the_next_pass_mends_them_all(
    tmp_path: Path, undisturbed: dict[str, str], before: str
) -> None:
    box = community(tmp_path / "disturbed")
    old = said(box)
    news(box)
    assert in_child(box, before).returncode == -9
    for name, text in said(box).items():
        assert text in {old.get(name), undisturbed[name]}, name
    aggregator.run(box, LATER)
    assert said(box) == undisturbed
    made = {json.loads(text)["generated_at"] for name, text in files(box).items() if name.endswith("s.json")}
    assert len(made) == 1


@pytest.mark.parametrize("largest", [0, 2_000, 8_000, 30_000])
def test_on_a_full_disk_one_line_says_so_and_every_file_stays_whole(
    tmp_path: Path, undisturbed: dict[str, str], largest: int
) -> None:
    box = community(tmp_path / "disturbed")
    old = said(box)
    news(box)
    done = in_child(box, f"resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, resource.RLIM_INFINITY))")
    assert done.returncode in {ExitCode.LEDGER, ExitCode.FILES}, done
    assert "free space" in done.stdout
    assert done.stderr == ""
    for name, text in said(box).items():
        assert text in {old.get(name), undisturbed[name]}, name
    aggregator.run(box, LATER)
    assert said(box) == undisturbed


def test_two_at_once_publish_what_one_does(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    box = community(tmp_path / "disturbed")
    news(box)
    both = [subprocess.Popen(command(box), cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert any("published new results" in line for line in lines)
    assert said(box) == undisturbed


def test_while_one_is_at_work_the_other_steps_aside(tmp_path: Path) -> None:
    box = community(tmp_path)
    with only_instance(box.private(AGGREGATOR_APP)), pytest.raises(Busy, match="steps aside"):
        aggregator.run(box, LATER)


def test_a_study_that_is_published_while_a_pass_is_at_work_is_taken_up_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = community(tmp_path)
    news(box)

    def looking(*arguments: object) -> object:
        publish_study(box.results(COORDINATOR), {"epsilon": 1.0})
        return look(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("aggregator.open_weeks.look", looking)
    line = aggregator.run(box, LATER)
    assert "5 datasites accepted, 0 rejected" in line
    release(box, 1, range(43, 49))  # under the new study
    assert "5 datasites accepted, 0 rejected" in aggregator.run(box, LATER)
    trends = json.loads((box.results(COORDINATOR) / "trends.json").read_bytes())
    assert {week["week"]: week["participants"] for week in trends["weeks"]}["2024-W48"] == 5


def test_a_catalogue_that_breaks_while_a_pass_is_at_work_harms_the_next_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, str]
) -> None:
    box = community(tmp_path / "disturbed")
    news(box)
    catalogue = box.results(COORDINATOR) / "catalogue.csv"
    sound = catalogue.read_bytes()

    def looking(*arguments: object) -> object:
        catalogue.write_bytes(sound[:50])
        return look(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("aggregator.open_weeks.look", looking)
    aggregator.run(box, LATER)
    with pytest.raises(CatalogueError):
        aggregator.run(box, LATER)
    catalogue.write_bytes(sound)
    assert said(box) == undisturbed
