"""Reading and reducing an export beside `pandas.read_csv` of the same file: time and peak memory.

Run with `python -m benchmarks.reading`. Each measurement is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.tables import table

ROWS: Final = (1_000, 10_000, 100_000, 1_000_000)
KINDS: Final = ("repeating titles", "distinct titles", "viewing activity")
REPEATS: Final = 3  # the fastest counts: the others were disturbed
SHOWS: Final = 3_000
TITLES: Final = 20_000  # distinct titles of a community's millionth row, where titles repeat
SEED: Final = 20_240_101  # fixed: the same files in every run
NEWEST: Final = date(2024, 12, 31)


def main() -> None:
    """Print the table, and the rows as JSON with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of a table")
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS)
    chosen = parser.parse_args()
    rows = measure(tuple(chosen.rows))
    sys.stdout.write(json.dumps(rows, indent=1) + "\n" if chosen.json else table(rows))


def measure(sizes: tuple[int, ...] = ROWS, kinds: tuple[str, ...] = KINDS) -> list[dict[str, Any]]:
    """Return one row for each kind of file and size: seconds and megabytes of both, and the ratios."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            for size in sizes:
                path = Path(folder) / "NetflixViewingHistory.csv"
                with path.open("w", encoding="utf-8", newline="") as file:
                    file.writelines(_lines(kind, size))
                pandas, read, both = (_fastest(step, path) for step in ("pandas", "read", "read+reduce"))
                found.append(
                    {
                        "file": kind,
                        "rows": size,
                        "megabytes": round(path.stat().st_size / 1e6, 2),
                        "pandas_s": pandas["s"],
                        "read_s": read["s"],
                        "read_reduce_s": both["s"],
                        "time_ratio": round(both["s"] / pandas["s"], 2),
                        "pandas_peak_mb": pandas["mb"],
                        "read_peak_mb": read["mb"],
                        "read_reduce_peak_mb": both["mb"],
                        "memory_ratio": round(both["mb"] / pandas["mb"], 2),
                    }
                )
    return found


def _lines(kind: str, rows: int) -> Iterator[str]:
    """Yield the lines of an invented export, newest first."""
    numbers = random.Random(SEED)  # noqa: S311  # not a secret
    activity = kind == "viewing activity"
    yield (
        "Profile Name,Start Time,Duration,Attributes,Title,Supplemental Video Type,Device Type,Bookmark,"
        "Latest Bookmark,Country\n"
        if activity
        else "Title,Date\n"
    )
    known = [_title(number % SHOWS, number) for number in range(TITLES)]
    now = datetime(NEWEST.year, NEWEST.month, NEWEST.day, tzinfo=UTC)
    step = timedelta(days=4_000) / rows
    for row in range(rows):
        now -= step
        title = _title(numbers.randrange(SHOWS), row) if kind == "distinct titles" else numbers.choice(known)
        if activity:
            length = f"0{numbers.randrange(2)}:{numbers.randrange(60):02}:{numbers.randrange(60):02}"
            yield (f"Someone,{now:%Y-%m-%d %H:%M:%S},{length},,{title},,Invented TV,{length},{length},XX (Nowhere)\n")
        else:
            yield f'"{title}","{now.month}/{now.day}/{now:%y}"\n'


def _title(show: int, episode: int) -> str:
    return f"Invented Show {show}: Season {episode % 7 + 1}: The one with the number {episode}"


def _fastest(step: str, path: Path) -> dict[str, float]:
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.reading_step", step, str(path)],
                check=True,
                capture_output=True,
                text=True,
                cwd=Path(__file__).parent.parent,
            ).stdout
        )
        for _ in range(REPEATS)
    ]
    return {"s": round(min(run["s"] for run in runs), 4), "mb": round(min(run["mb"] for run in runs), 1)}


if __name__ == "__main__":
    main()
