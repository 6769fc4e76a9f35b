"""A small community on disk for the tests: one coordinator and any number of members on shared datasites."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from aggregator.settings import TEMPLATE as AGGREGATOR_SETTINGS
from participant import app as participant
from participant.install import install_participant
from shared.catalogue import Show, format_catalogue
from shared.files import write_atomically
from shared.settings import write_settings
from shared.workspace import AGGREGATOR_APP, Workspace, load_workspace
from tests.browser import CHROMIUM

# CI tries the same examples each time, so that a landing does not hang on luck; everyone else tries new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

COORDINATOR = "coordinator@example.org"
TUESDAY = datetime(2024, 11, 26, 12, tzinfo=UTC)
"""A day in 2024-W48: the last week that is over is 2024-W47."""

SHOWS = [
    Show("Dark", "series"),
    Show("The Blacklist", "series", ("Lista negra",)),
    Show("Star Trek: Deep Space Nine", "series"),
    Show("Star Trek", "series"),
    Show("Spider-Man: Homecoming", "film"),
    Show("Élite", "series"),
]


@dataclass(frozen=True)
class Neighbourhood:
    """Workspaces whose `datasites` are one folder, which stands for the sync."""

    root: Path

    def box(self, email: str, apps: str = "apis") -> Workspace:
        """Return the workspace of a member, made at the first call."""
        box = self.root / "boxes" / email
        config = box / "config.json"
        if not box.exists():
            (self.root / "datasites" / email).mkdir(parents=True)
            (box / apps).mkdir(parents=True)
            (box / "datasites").symlink_to(self.root / "datasites")
            addresses = {"server_url": "http://127.0.0.1:5001", "client_url": "http://127.0.0.1:8080"}
            config.write_text(json.dumps({"data_dir": str(box), "email": email, **addresses}), encoding="utf-8")
        return load_workspace(config)

    def home(self, email: str) -> Path:
        """Return the member's home folder."""
        return self.root / "boxes" / email / "home"

    def coordinator(self) -> Workspace:
        """Return the coordinator's workspace, the aggregator installed, with a catalogue of six shows."""
        box = self.box(COORDINATOR)
        settings = box.app(AGGREGATOR_APP) / "settings.toml"
        if not settings.exists():
            write_settings(settings, AGGREGATOR_SETTINGS, {})
            write_atomically(box.results(COORDINATOR) / "catalogue.csv", format_catalogue(SHOWS))
        return box

    def join(self, email: str, export: str, made: datetime = TUESDAY) -> Workspace:
        """Return the workspace of a member who installed the participant app and downloaded an export."""
        box = self.box(email)
        self.download(email, export, made)
        install_participant(box, COORDINATOR, [], TUESDAY, take_over=False)
        return box

    def download(self, email: str, export: str, made: datetime = TUESDAY) -> Path:
        """Put an export into the member's Downloads, as made at that time."""
        path = self.home(email) / "Downloads" / "NetflixViewingHistory.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(export, encoding="utf-8")
        os.utime(path, (made.timestamp(), made.timestamp()))
        return path

    def run(self, email: str, now: datetime = TUESDAY) -> participant.Pass:
        """Run the member's app once."""
        return participant.run(self.box(email), now, self.home(email))


@pytest.fixture
def neighbourhood(tmp_path: Path) -> Neighbourhood:
    """Return an empty neighbourhood."""
    return Neighbourhood(tmp_path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser, for tests that are marked `in_a_browser`."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def history() -> Callable[..., str]:
    """Return a function that writes views, (title, date) newest first, as an export with dates like 2024-11-21."""

    def write(*views: tuple[str, date]) -> str:
        rows = "".join(f'"{title}","{day.isoformat()}"\n' for title, day in views)
        return f"Title,Date\n{rows}"

    return write


EXPORT = 'Title,Date\n"The Blacklist: Season 1: Wujing (No. 84)","21/11/2024"\n"Dark: Season 1: Secrets","13/11/2024"\n'
"""One view in 2024-W47 and one in 2024-W46, as Netflix writes them for a British member."""
