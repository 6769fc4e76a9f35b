"""The demo in one local workspace: every member's app, and the coordinators', run as SyftBox would run them.

Every member has a SyftBox of their own; all of them share one `datasites` folder, which stands for the sync.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

from aggregator import app as aggregator
from aggregator.install import install_aggregator
from aggregator.pairing import follow, pair_terms
from aggregator.terms import publish_study
from demo.community import Community, simulate
from participant import app as participant
from participant.exports import Source, read_exports
from participant.install import install_participant
from participant.reduce import count_views
from participant.settings import TEMPLATE as PARTICIPANT_SETTINGS
from participant.settings import local_zone
from shared.catalogue import bundled_catalogue, parse_catalogue
from shared.errors import NetflixTrendError
from shared.settings import write_settings
from shared.study import Study, Trust
from shared.week import IsoWeek, latest_closed, weeks_between
from shared.workspace import PARTICIPANT_APP, Workspace, load_workspace

COORDINATOR: Final = "coordinator@example.org"
HELPER: Final = "helper@example.org"
YOU: Final = "you@example.org"
WARM_UP: Final = 12  # weeks that members watched before the community began: an export is never that short
OPEN_WEEKS: Final = 5
EXPORT: Final = "NetflixViewingHistory.csv"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What a demo ends with."""

    top: dict[str, Any]
    """`most_common_show.json`."""
    trends: dict[str, Any]
    """`trends.json`."""
    true_count: int | None
    """How many members truly watched the show named first; None where no show is named."""
    page: Path
    stopped: list[str]
    """What the apps that stopped said."""


def run_demo(
    root: Path,
    members: int,
    weeks: int,
    epsilon: float,
    history: Path | None,
    today: datetime,
    progress: Progress,
    trust: Trust = "one-coordinator",
) -> Outcome:
    """Simulate a community below `root` and run both apps week by week; return what was published and the truth.

    Two coordinators measure a week when its open time is over: the community goes on until the last one's is.

    Raises: NetflixTrendError if `history` cannot be read, or `epsilon` is no study's.
    """
    catalogue = parse_catalogue(bundled_catalogue())
    own = own_views(history)
    coordinators, study = _coordinate(root, epsilon, trust)
    wait = study.open_weeks if trust == "two-coordinators" else 0
    last = IsoWeek.of(own["date"].max().date()) if own is not None else latest_closed(today.date()).plus(-wait)
    counted = weeks_between(last.plus(1 - weeks), last)
    lived = weeks_between(counted[0], last.plus(wait))
    progress("simulating the community", 0, 1)
    community = simulate(members, weeks_between(lived[0].plus(-WARM_UP), lived[-1]), catalogue)
    boxes = {member.email: _join(root, member.email, study, len(lived), today) for member in community.members}
    if history:
        boxes[YOU] = _join(root, YOU, study, len(lived), today)
        _write_export(boxes[YOU], history.read_bytes(), _morning_after(last))
    stopped: dict[str, str] = {}
    passes = lived[study.open_weeks - 1 :] or lived[-1:]  # a newcomer's first pass releases all weeks that are open
    total = len(passes) * len(boxes)
    # Members are independent of each other: as many are at work at once as this machine has cores.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for number, week in enumerate(passes):
            now = _morning_after(week)
            for member in community.members:
                _write_export(boxes[member.email], member.export(now.date()), now)
            said = pool.map(_pass, boxes.values(), repeat(now), chunksize=max(1, len(boxes) // 20))
            for index, (email, error) in enumerate(zip(boxes, said, strict=True)):
                progress(f"week {week}: members' apps", number * len(boxes) + index, total)
                stopped[email] = error
            for box in coordinators:
                aggregator.run(box, now)
    progress("done", total, total)
    said_last = sorted({error for error in stopped.values() if error})
    return outcome(coordinators[0].results(COORDINATOR), community, own, said_last)


def own_views(history: Path | None) -> pd.DataFrame | None:
    """Return the views of the person's own export, None without one. Raises: HistoryError."""
    return read_exports([Source(history)], zone=ZoneInfo(local_zone())).views if history else None


def outcome(results: Path, community: Community, own: pd.DataFrame | None, stopped: list[str]) -> Outcome:
    """Return what a results folder says, and the truth: the simulated members', and that of one's own export."""
    top = json.loads((results / "most_common_show.json").read_bytes())
    trends = json.loads((results / "trends.json").read_bytes())
    true_count = None
    if top["show"]:
        week = IsoWeek.parse(top["week"])
        catalogue = parse_catalogue(bundled_catalogue())
        mine = count_views(own, catalogue).get(week, {}) if own is not None else {}
        watched = any(catalogue.shows[row].name == top["show"] for row in mine)
        true_count = community.viewers(week)[top["show"]] + watched
    return Outcome(top, trends, true_count, results / "index.html", stopped)


def _pass(box: Workspace, now: datetime) -> str:
    """Run a member's app once; return what it said if it stopped, else nothing."""
    try:
        participant.run(box, now, _home(box))
    except NetflixTrendError as error:
        return str(error)
    return ""


def _coordinate(root: Path, epsilon: float, trust: Trust) -> tuple[list[Workspace], Study]:
    """Install the coordinators; return their workspaces, in the order in which their apps run, and their study."""
    leader = _new_box(root, COORDINATOR)
    list(install_aggregator(leader))
    if trust == "one-coordinator":
        return [leader], publish_study(leader.results(COORDINATOR), {"epsilon": epsilon})
    helper = _new_box(root, HELPER)
    list(install_aggregator(helper, COORDINATOR))
    study = publish_study(leader.results(COORDINATOR), pair_terms(leader, None, {"epsilon": epsilon}, HELPER))
    follow(helper, COORDINATOR)
    return [leader, helper, leader], study  # the leader asks, the helper answers, the leader publishes


def _new_box(root: Path, email: str) -> Workspace:
    """Return a workspace as a client with `apis/` leaves it after its first start, on the shared datasites."""
    box = root / "boxes" / email
    (root / "datasites" / email).mkdir(parents=True)
    (box / "apis").mkdir(parents=True)
    (box / "datasites").symlink_to(os.path.relpath(root / "datasites", box))
    config = box / "config.json"
    addresses = {"server_url": "http://127.0.0.1:5001", "client_url": "http://127.0.0.1:8080"}
    config.write_text(json.dumps({"data_dir": str(box), "email": email, **addresses}), encoding="utf-8")
    return load_workspace(config)


def _join(root: Path, email: str, study: Study, weeks: int, today: datetime) -> Workspace:
    """Install the participant app for a member whose limits allow the demo's study, and who trusts its coordinators."""
    box = _new_box(root, email)
    export, trusted = str(_home(box) / "Downloads" / EXPORT), study.fingerprint or None
    install_participant(box, COORDINATOR, [export], today, take_over=False, fingerprint=trusted)
    write_settings(box.app(PARTICIPANT_APP) / "settings.toml", PARTICIPANT_SETTINGS, limits(study.epsilon, weeks))
    return box


def _write_export(box: Workspace, data: bytes, made: datetime) -> None:
    """Put an export into a member's Downloads, as made at that time."""
    path = _home(box) / "Downloads" / EXPORT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (made.timestamp(), made.timestamp()))


def _home(box: Workspace) -> Path:
    return box.box / "home"


def _morning_after(week: IsoWeek) -> datetime:
    """Return nine o'clock on the Monday after a week, where this machine is."""
    return datetime.combine(week.end, time(9)).astimezone()


def limits(epsilon: float, weeks: int) -> dict[str, float]:
    """Return the settings of a member who agrees to what the demo costs."""
    return {"max_epsilon_per_week": epsilon, "max_epsilon_total": epsilon * max(weeks, OPEN_WEEKS)}


def clear(root: Path) -> None:
    """Make `root` an empty demo workspace; a folder that no demo made is refused.

    Raises: NetflixTrendError.
    """
    mark = root / ".netflix-trend-demo"
    if root.exists():
        if not mark.exists():
            raise NetflixTrendError(f"{root} is there and is no demo workspace: name another one with --workspace")
        shutil.rmtree(root)
    root.mkdir(parents=True)
    mark.touch()
