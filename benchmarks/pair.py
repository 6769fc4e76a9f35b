"""Two coordinators, how fast: sharing a week, and collecting it, beside the floor on the same bytes.

Run with `python -m benchmarks.pair`. Each measurement is a process of its own, so that its peak memory is its own.

- share: a participant's report of one week; the floor is HPKE sealing of the same bytes
- batch, conclusion: the leader's two passes over a week; answer: the helper's one
- floor: read the same files, HPKE opening of the same ciphertexts, a NumPy sum of as many integers, and nothing else:
  no hash, no expansion of the helper's seeds, no record on disk, no start of OpenDP
- noise: how much of a pass is starting OpenDP and drawing noise, which depends on shows alone
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from typing import Any, Final

from benchmarks.steps import run_step
from benchmarks.tables import table

SIZES: Final = (100, 1_000, 10_000)
REPEATS: Final = 3  # the fastest counts: the others were disturbed
_STEPS: Final = {
    "leader's floor": ("floor", "leader"),
    "helper's floor": ("floor", "helper"),
    "batch": ("batch",),
    "answer": ("answer",),
    "conclusion": ("conclusion",),
}

Row = dict[str, Any]


def main() -> None:
    """Print the tables, and the rows as JSON with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of tables")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    chosen = parser.parse_args()
    found = measure(tuple(chosen.sizes))
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if chosen.json else tables(found))


def measure(sizes: tuple[int, ...] = SIZES) -> dict[str, list[Row]]:
    """Return the rows of both tables: sharing, and collecting for each number of participants."""
    with tempfile.TemporaryDirectory() as folder:
        run_step("pair_step", "make", folder, "0")
        runs = [run_step("pair_step", "share", folder) for _ in range(REPEATS)]
    shared = {name: min(run[name] for run in runs) for name in ("s", "floor")}
    sharing = {
        "floor_us": round(1e6 * shared["floor"]),
        "share_us": round(1e6 * shared["s"]),
        "to_floor": round(shared["s"] / shared["floor"], 2),
    }
    return {"sharing": [sharing], "collecting": [row for size in sizes for row in _collecting(size)]}


def tables(found: dict[str, list[Row]]) -> str:
    """Return both tables as Markdown, each with what it says."""
    return (
        f"Sharing a week of 3,000 shows beside HPKE sealing of the same bytes\n\n{table(found['sharing'])}\n"
        f"Collecting it beside reading, HPKE opening and a NumPy sum\n\n{table(found['collecting'])}"
    )


def _collecting(size: int) -> list[Row]:
    """Return a row for each part of collecting a week."""
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        run_step("pair_step", "make", folder, str(size))
        for _ in range(REPEATS):
            for name, arguments in _STEPS.items():
                run = run_step("pair_step", arguments[0], folder, *arguments[1:])
                best[name] = min(best.get(name, run), run, key=lambda each: each["s"])
    leader = {name: best["batch"][name] + best["conclusion"][name] for name in ("s", "noise")}
    best["batch and conclusion"] = {**leader, "mb": max(best["batch"]["mb"], best["conclusion"]["mb"])}
    rows = []
    for name in ("batch", "conclusion", "batch and conclusion", "answer"):
        floor, run = best["helper's floor" if name == "answer" else "leader's floor"], best[name]
        rows.append(
            {
                "participants": size,
                "part": name,
                "floor_s": round(floor["s"], 4),
                "s": round(run["s"], 4),
                "noise_s": round(run["noise"], 4),
                "to_floor": round(run["s"] / floor["s"], 2),
                "to_floor_without_noise": round((run["s"] - run["noise"]) / floor["s"], 2),
                "floor_peak_mb": round(floor["mb"]),
                "peak_mb": round(run["mb"]),
            }
        )
    return rows


if __name__ == "__main__":
    main()
