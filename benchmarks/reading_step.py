"""One measurement of `benchmarks.reading`, in a process of its own: `python -m benchmarks.reading_step STEP FILE`."""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC
from pathlib import Path

import pandas as pd

from benchmarks.reading import SHOWS
from participant.exports import Source, read_exports
from participant.reduce import count_views
from shared.catalogue import Show, format_catalogue, parse_catalogue


def main() -> None:
    """Do one step, and print its seconds and the peak memory of the process in megabytes."""
    step, path = sys.argv[1], Path(sys.argv[2])
    catalogue = parse_catalogue(
        format_catalogue([Show(f"Invented Show {number}", "series") for number in range(SHOWS)])
    )
    begin = time.perf_counter()
    if step == "pandas":
        pd.read_csv(path)
    else:
        history = read_exports([Source(path)], zone=UTC)
        if step == "read+reduce":
            count_views(history.views, catalogue)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)  # bytes there
    sys.stdout.write(json.dumps({"s": seconds, "mb": peak / (1_048_576 if sys.platform == "darwin" else 1)}) + "\n")


if __name__ == "__main__":
    main()
