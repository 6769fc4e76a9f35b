"""The aggregator over many datasites, beside the floor on the same files and a bare walk that only stats.

Run with `python -m benchmarks.scale`. Each measurement is a process of its own, so that its peak memory is its own.

- walk: list the datasites and stat each release file, start of Python included
- floor: open and read each file with NumPy (`numpy.load`, and `numpy.fromfile`, which reads no header), and add it
- first: a whole first pass: read, judge, sum, estimate, publish; all 26 weeks are open. `summing` is what depends on
  the number of datasites; estimates and pages depend on shows and weeks alone
- unchanged: `run --once` when nothing changed, start of Python included
- news: a pass when 100 datasites released one more week
- rebuilt: a pass when one datasite withdrew: sums cannot forget, all files are read again
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any, Final

from benchmarks.steps import ROOT, run_step
from benchmarks.tables import table

SIZES: Final = (100, 1_000, 10_000)
REPEATS: Final = 3  # the fastest counts: the others were disturbed


def main() -> None:
    """Print the table, and the rows as JSON with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of a table")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    chosen = parser.parse_args()
    rows = measure(tuple(chosen.sizes))
    sys.stdout.write(json.dumps(rows, indent=1) + "\n" if chosen.json else table(rows))


def measure(sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """Return one row for each number of datasites: seconds, ratios and peak memory."""
    return [_measure(size) for size in sizes]


def _measure(size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        run_step("scale_step", "make", folder, str(size))
        floors = {name: _fastest(name, folder)["s"] for name in ("load", "fromfile")}
        first = _fastest("first", folder)
        rebuilt = run_step("scale_step", "rebuilt", folder)
        news = run_step("scale_step", "news", folder)
        for _ in range(3):
            _once(folder)
        unchanged = min(_once(folder) for _ in range(REPEATS))
        walk = min(_walk(folder) for _ in range(REPEATS))
        start = min(_timed([sys.executable, "-I", "-c", "pass"]) for _ in range(REPEATS))
    return {
        "datasites": size,
        "load_s": floors["load"],
        "fromfile_s": floors["fromfile"],
        "first_s": first["s"],
        "first_to_load": round(first["s"] / floors["load"], 2),
        "summing_s": first["summing"],
        "summing_to_load": round(first["summing"] / floors["load"], 2),
        "first_peak_mb": first["mb"],
        "start_s": round(start, 4),
        "walk_s": round(walk, 4),
        "unchanged_s": round(unchanged, 4),
        "unchanged_to_walk": round(unchanged / walk, 2),
        "news_s": news["s"],
        "news_summing_s": news["summing"],
        "rebuilt_s": rebuilt["s"],
    }


def _fastest(step: str, folder: str) -> dict[str, float]:
    return min((run_step("scale_step", step, folder) for _ in range(REPEATS)), key=lambda run: run["s"])


def _once(folder: str) -> float:
    """Return how long the command takes that SyftBox calls every ten seconds."""
    return _timed(
        [sys.executable, "-m", "aggregator", "run", "--once"], SYFTBOX_CLIENT_CONFIG_PATH=f"{folder}/config.json"
    )


def _walk(folder: str) -> float:
    code = (
        "import os, sys\n"
        "for entry in os.scandir(sys.argv[1]):\n"
        "    os.path.lexists(entry.path + '/api_data/netflix_trend_participant/netflix_reduced.npy')"
    )
    return _timed([sys.executable, "-I", "-c", code, f"{folder}/members"])


def _timed(command: list[str], **environment: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env={**os.environ, **environment})
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
