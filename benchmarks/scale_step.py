"""One measurement of `benchmarks.scale`, in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

SHOWS: Final = 3_000
WEEKS: Final = 26
GROWING: Final = 100
"""So many datasites (at most half of them) release their last week later."""
SEED: Final = 20_240_101  # fixed: the same files in every run
NOW: Final = datetime.now(UTC).astimezone()
EMAIL: Final = "coordinator@example.org"
RELEASE: Final = "api_data/netflix_trend_participant/netflix_reduced.npy"


def main() -> None:
    """Do one step, and print its seconds and the peak memory of the process in megabytes."""
    step, folder = sys.argv[1], Path(sys.argv[2])
    found = {}
    if step == "make":
        make(folder, int(sys.argv[3]))
    elif step in {"load", "fromfile"}:
        names = (entry.name for entry in os.scandir(folder / "members") if entry.name != EMAIL)
        paths = [f"{folder}/members/{name}/{RELEASE}" for name in names]
        begin = time.perf_counter()
        add(paths, whole=step == "load")
        found["s"] = time.perf_counter() - begin
    else:
        found = run(folder, step)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)  # bytes there
    found["mb"] = round(peak / (1_048_576 if sys.platform == "darwin" else 1), 1)
    sys.stdout.write(json.dumps({name: round(value, 4) for name, value in found.items()}) + "\n")


def make(folder: Path, size: int) -> None:
    """Make a coordinator's workspace and `size` datasites with a release of every week."""
    from aggregator.settings import TEMPLATE
    from aggregator.terms import publish_study
    from shared.catalogue import Show, format_catalogue
    from shared.files import write_atomically
    from shared.release import Release, encode_releases, record_dtype
    from shared.settings import write_settings
    from shared.week import latest_closed
    from shared.workspace import AGGREGATOR_APP, load_workspace

    (folder / "apis").mkdir()
    (folder / "members" / EMAIL).mkdir(parents=True)
    (folder / "datasites").symlink_to("members")
    addresses = {"server_url": "http://127.0.0.1:5001", "client_url": "http://127.0.0.1:8080"}
    (folder / "config.json").write_text(json.dumps({"data_dir": str(folder), "email": EMAIL, **addresses}))
    box = load_workspace(folder / "config.json")
    write_settings(box.app(AGGREGATOR_APP) / "settings.toml", TEMPLATE, {})
    shows = [Show(f"Invented Show {number}", "series") for number in range(SHOWS)]
    write_atomically(box.results(EMAIL) / "catalogue.csv", format_catalogue(shows))
    study = publish_study(box.results(EMAIL), {"open_weeks": WEEKS})
    weeks = [latest_closed(NOW.date()).plus(number - WEEKS + 1) for number in range(WEEKS)]
    records = np.zeros(WEEKS, dtype=record_dtype(SHOWS))
    records["week"], records["study"] = [week.key for week in weeks], study.id.encode()
    numbers = np.random.default_rng(SEED)
    cells = (numbers.random(50 * SHOWS * WEEKS) < 1 / (1 + np.e**2)).astype(np.int16)
    for number in range(size):
        start = number * 379 % (len(cells) - SHOWS * WEEKS)  # a cut of its own: copies would be flagged
        records["count"] = cells[start : start + SHOWS * WEEKS].reshape(WEEKS, SHOWS)
        for path, kept in _files(folder, number, size):
            path.parent.mkdir(parents=True, exist_ok=True)
            head = encode_releases([Release(week, study.id, records["count"][0]) for week in weeks[:kept]])
            path.write_bytes(head[: head.index(b"\n") + 1] + records[:kept].tobytes())
            os.utime(path, (NOW.timestamp() - 86_400,) * 2)  # settled: a file of this second would be read twice


def _files(folder: Path, number: int, size: int) -> Iterator[tuple[Path, int]]:
    """Yield where a datasite's release goes, and with how many weeks; some come with their last week later."""
    later = number < min(GROWING, size // 2)
    yield folder / "members" / f"member{number}@example.org" / RELEASE, WEEKS - later
    if later:
        yield folder / "later" / f"member{number}@example.org" / RELEASE, WEEKS


def add(paths: list[str], *, whole: bool) -> None:
    """Open, read and add release files with NumPy and nothing else."""
    from shared.release import record_dtype

    sums = np.zeros((WEEKS, SHOWS), dtype=np.int64)
    for path in paths:
        records = np.load(path) if whole else np.fromfile(path, dtype=record_dtype(SHOWS), offset=192)
        counts = records["count"]
        sums[: len(counts)] += counts


def run(folder: Path, step: str) -> dict[str, float]:
    """Do a pass after what the step says happened; return its seconds, and those of the summing alone."""
    from aggregator import app
    from aggregator.open_weeks import OpenWeeks
    from shared.workspace import AGGREGATOR_APP, load_workspace

    box = load_workspace(folder / "config.json")
    if step == "first":
        for name in ("weeks.sqlite", "open_weeks.sqlite"):
            (box.private(AGGREGATOR_APP) / name).unlink(missing_ok=True)
    if step == "rebuilt":
        (folder / "members" / "member99@example.org" / RELEASE).unlink()
    if step == "news":
        for path in (folder / "later").rglob(Path(RELEASE).name):
            shutil.move(path, folder / "members" / path.relative_to(folder / "later"))
    spent = []
    update = OpenWeeks.update

    def timed(*arguments: object) -> None:
        begin = time.perf_counter()
        update(*arguments)  # type: ignore[arg-type]
        spent.append(time.perf_counter() - begin)

    OpenWeeks.update = timed  # type: ignore[assignment, method-assign]
    begin = time.perf_counter()
    line = app.run(box, NOW)
    seconds = time.perf_counter() - begin
    if "accepted, 0 rejected" not in line:  # nor flagged
        raise AssertionError(line)
    return {"s": seconds, "summing": sum(spent)}


if __name__ == "__main__":
    main()
