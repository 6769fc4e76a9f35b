"""The demo on a real SyftBox network: a server and a few clients, which start the apps themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from demo.community import simulate
from demo.local import EXPORT, OPEN_WEEKS, WARM_UP, YOU, Outcome, Progress, limits, outcome, own_views
from demo.network import SyftBoxClient, SyftBoxNetwork, wait_until
from participant.settings import TEMPLATE
from shared.catalogue import bundled_catalogue, parse_catalogue
from shared.errors import NetflixTrendError
from shared.settings import write_settings
from shared.week import latest_closed, weeks_between
from shared.workspace import AGGREGATOR_APP, PARTICIPANT_APP

ARRIVAL_SECONDS = 300.0


def run_network_demo(
    root: Path, members: int, epsilon: float, history: Path | None, now: datetime, progress: Progress
) -> Outcome:
    """Start a server and `members` clients, the first one the coordinator's; return what reached the last one.

    The clients keep the real time, so the weeks are those that are open now.

    Raises: NetflixTrendError if an app cannot be installed, or its results do not arrive.
    """
    catalogue = parse_catalogue(bundled_catalogue())
    own = own_views(history)
    last = latest_closed(now.date())
    community = simulate(members, weeks_between(last.plus(1 - OPEN_WEEKS - WARM_UP), last), catalogue)
    progress("starting server and clients", 0, 4)
    with SyftBoxNetwork(root / "network") as network:
        emails = [member.email for member in community.members]
        clients = network.add_clients(*emails, *([YOU] if history else []))
        exports = [member.export(now.date()) for member in community.members] + (
            [history.read_bytes()] if history else []
        )
        progress("installing the apps", 1, 4)
        _command(clients[0], "aggregator", "install")
        _command(clients[0], "aggregator", "study", "new", "--epsilon", str(epsilon))
        for client, export in zip(clients, exports, strict=True):
            path = client.home / "Downloads" / EXPORT
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(export)
            os.utime(path, (now.timestamp(), now.timestamp()))
            settings = client.apps / PARTICIPANT_APP / "settings.toml"
            write_settings(settings, TEMPLATE, limits(epsilon, OPEN_WEEKS))
            _command(client, "participant", "install", "--aggregator", clients[0].email)
        progress("waiting for the trend to arrive", 2, 4)
        results = clients[-1].box / "datasites" / clients[0].email / "public" / AGGREGATOR_APP
        try:
            wait_until(lambda: _participants(results) == len(clients), ARRIVAL_SECONDS, "the trend of all members")
        except TimeoutError as error:
            raise NetflixTrendError(f"{error}: see the logs in {network.logs} and in each app's folder") from None
        progress("done", 4, 4)
        return outcome(results, community, own, [])


def _participants(results: Path) -> int:
    """Return how many members the arrived result counts, -1 while there is none."""
    try:
        top = _read(results / "most_common_show.json")
        trends = _read(results / "trends.json")
    except (OSError, ValueError):
        return -1
    same = top["generated_at"] == trends["generated_at"] and (results / "index.html").exists()
    return int(top["participants"]) if same else -1


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def _command(client: SyftBoxClient, module: str, *arguments: str) -> None:
    """Run one of our commands in a member's place."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], env=client.environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NetflixTrendError(f"{module} {arguments[0]} for {client.email}: {done.stderr.strip()}")
