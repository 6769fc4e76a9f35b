"""`make bench`: every benchmark, printed as tables and written to benchmarks/results.json."""

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks import accuracy, pair, people, reading, scale
from benchmarks.tables import table

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Run all benchmarks."""
    packages = {name: version(name) for name in ("netflix-trend", "numpy", "pandas", "opendp")}
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    sys.stdout.write(f"{machine}; {', '.join(f'{name} {number}' for name, number in packages.items())}\n\n")
    rows = reading.measure()
    sys.stdout.write("Reading and reducing an export beside pandas.read_csv of the same file\n\n" + table(rows))
    scaled = scale.measure()
    sys.stdout.write("\nThe aggregator over many datasites beside the floor on the same files\n\n" + table(scaled))
    paired = pair.measure()
    sys.stdout.write("\n" + pair.tables(paired))
    needed = people.measure()
    sys.stdout.write("\nPeople needed to name the true top show in 95 of 100 weeks\n\n" + table(needed))
    figures = accuracy.measure()
    sys.stdout.write("\n" + accuracy.tables(figures))
    found = {"machine": machine, "packages": packages, "reading": rows, "scale": scaled, **paired, "people": needed}
    found |= figures
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
