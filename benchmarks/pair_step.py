"""One measurement of `benchmarks.pair`, in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aggregator.keys import ensure_keys, private_keys_path
from aggregator.pair import help_leader, lead
from aggregator.pair_record import RECORD, open_record
from aggregator.pairing import follow, open_pair, pair_terms
from aggregator.settings import TEMPLATE
from aggregator.terms import publish_study, read_terms
from shared.catalogue import Show, format_catalogue
from shared.files import write_atomically
from shared.keys import _SUITE as SUITE
from shared.keys import Keys, parse_keys
from shared.mechanism import ExactCounts, NoisedSum
from shared.settings import write_settings
from shared.sharing import Role, _info, parse_report, share_counts
from shared.study import Study
from shared.week import latest_closed
from shared.workspace import AGGREGATOR_APP, Workspace, load_workspace

SHOWS: Final = 3_000
WATCHED: Final = 5
SHARED: Final = 1_000
"""So many times a week is shared to be timed."""
SEED: Final = 20_240_101  # of the counts, fixed; keys and halves are new in every run
TODAY: Final = datetime.now(UTC).date()
WEEK: Final = latest_closed(TODAY)
EMAILS: Final[dict[Role, str]] = {"leader": "leader@example.org", "helper": "helper@example.org"}


def main() -> None:
    """Do one step, and print its seconds and the peak memory of the process in megabytes."""
    step, folder, arguments = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    if step == "make":
        found = make(folder, int(arguments[0]))
    elif step == "share":
        found = share(folder)
    elif step == "floor":
        found = floor(folder, "leader" if arguments[0] == "leader" else "helper")
    else:
        found = run(folder, step)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)  # bytes there
    found["mb"] = peak / (1_048_576 if sys.platform == "darwin" else 1)
    sys.stdout.write(json.dumps(found) + "\n")


def make(folder: Path, size: int) -> dict[str, float]:
    """Make a leader's and a helper's workspace and `size` datasites with a report of WEEK, whose open time is over."""
    leader, helper = (_workspace(folder, role) for role in EMAILS)
    for box in (leader, helper):
        ensure_keys(box)
    shows = [Show(f"Invented Show {number}", "series") for number in range(SHOWS)]
    write_atomically(leader.results(leader.email) / "catalogue.csv", format_catalogue(shows))
    study = publish_study(leader.results(leader.email), pair_terms(leader, None, {"open_weeks": 1}, helper.email))
    follow(helper, leader.email)
    luck = np.random.default_rng(SEED)
    for number in range(size):
        email = f"member{number}@example.org"
        path = Path(_report(folder, email))
        path.parent.mkdir(parents=True)
        path.write_bytes(share_counts(_counts(luck), study, WEEK, email))
    return {}


def share(folder: Path) -> dict[str, float]:
    """Share one week of counts; the floor seals the same bytes for the same keys."""
    study = _study(folder)
    counts = _counts(np.random.default_rng(SEED))
    begin = time.perf_counter()
    for _ in range(SHARED):
        share_counts(counts, study, WEEK, "member@example.org")
    seconds = time.perf_counter() - begin
    half, seed, nonce = counts.astype("<u4").tobytes(), bytes(32), bytes(16)
    infos = [_info(role, study, WEEK, SHOWS, "member@example.org", nonce) for role in EMAILS]
    publics = [_keys(folder, role).hpke.public_key() for role in EMAILS]
    begin = time.perf_counter()
    for _ in range(SHARED):
        for text, public, info in zip((half, seed), publics, infos, strict=True):
            SUITE.encrypt(text, public, info=info)
    return {"s": seconds / SHARED, "floor": (time.perf_counter() - begin) / SHARED}


def floor(folder: Path, role: Role) -> dict[str, float]:
    """Read the files, open the ciphertexts of one coordinator, and add as many integers with NumPy; nothing else."""
    study, private = _study(folder), _keys(folder, role).hpke
    names = [entry.name for entry in os.scandir(folder / "members") if entry.name.startswith("member")]
    found = []
    for name in names:
        path = _report(folder, name)
        report = parse_report(Path(path).read_bytes())
        found.append((path, _info(role, study, WEEK, SHOWS, name, report.nonce)))
    middle = len(report.helper)
    start, stop = (-middle - len(report.leader), -middle) if role == "leader" else (-middle, None)
    sums, expanded = np.zeros(SHOWS, dtype=np.uint32), bytes(4 * SHOWS)
    begin = time.perf_counter()
    for path, info in found:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - the floor does no more than it must
            data = file.read()
        text = SUITE.decrypt(data[start:stop], private, info=info)
        sums += np.frombuffer(text if role == "leader" else expanded, dtype="<u4")
    return {"s": time.perf_counter() - begin}


def run(folder: Path, step: str) -> dict[str, float]:
    """Do a coordinator's part of a pass; return its seconds, and those of drawing noise (OpenDP's import included)."""
    role: Role = "helper" if step == "answer" else "leader"
    if step == "batch":
        for each in EMAILS:
            box = _workspace(folder, each)
            shutil.rmtree(box.exchange(box.email), ignore_errors=True)
            path = box.private(AGGREGATOR_APP) / RECORD
            path.unlink(missing_ok=True)
            with open_record(path) as record:
                record.first_week(ensure_keys(box).coordinator(box.email).hpke_public_key, WEEK, WEEK)
    spent = []
    draw = NoisedSum.draw

    def timed(self: NoisedSum, cells: int) -> npt.NDArray[np.uint32]:
        begin = time.perf_counter()
        noise = draw(self, cells)
        spent.append(time.perf_counter() - begin)
        return noise

    NoisedSum.draw = timed  # type: ignore[method-assign]
    box = _workspace(folder, role)
    published = read_terms(box.results(box.email)).published
    begin = time.perf_counter()
    with open_pair(box, published, role, TODAY + timedelta(weeks=1)) as pair:
        if role == "helper":
            done = any("answered" in line for line in help_leader(pair, EMAILS["leader"]))
        else:
            done = lead(pair, {})[WEEK].done is (step == "conclusion")
    seconds = time.perf_counter() - begin
    if not done:
        raise AssertionError(step)
    return {"s": seconds, "noise": sum(spent)}


def _workspace(folder: Path, role: Role) -> Workspace:
    """Return a coordinator's workspace, made at the first call; both see the same datasites."""
    home = folder / role
    config = home / "config.json"
    if not config.exists():
        (home / "apis").mkdir(parents=True)
        (folder / "members" / EMAILS[role]).mkdir(parents=True)
        (home / "datasites").symlink_to(folder / "members")
        addresses = {"server_url": "http://127.0.0.1:5001", "client_url": "http://127.0.0.1:8080"}
        config.write_text(json.dumps({"data_dir": str(home), "email": EMAILS[role], **addresses}))
        box = load_workspace(config)
        write_settings(box.app(AGGREGATOR_APP) / "settings.toml", TEMPLATE, {})
    return load_workspace(config)


def _report(folder: Path, email: str) -> str:
    return f"{folder}/members/{email}/api_data/netflix_trend_participant/shares/{WEEK}.bin"


def _study(folder: Path) -> Study:
    return read_terms(_workspace(folder, "leader").results(EMAILS["leader"])).study


def _keys(folder: Path, role: Role) -> Keys:
    return parse_keys(private_keys_path(_workspace(folder, role)).read_bytes())


def _counts(luck: np.random.Generator) -> ExactCounts:
    """Return a week in which WATCHED shows were watched."""
    counts = np.zeros(SHOWS, dtype=np.int64)
    counts[luck.choice(SHOWS, WATCHED, replace=False)] = 1
    return ExactCounts(counts)


if __name__ == "__main__":
    main()
