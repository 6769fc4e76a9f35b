"""One step of a benchmark in a process of its own: its peak memory is nobody else's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent


def run_step(module: str, step: str, folder: str, *arguments: str) -> dict[str, float]:
    """Return the figures that `python -m benchmarks.MODULE` prints as JSON for a step."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", step, folder, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
