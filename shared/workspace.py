"""Where things are in a SyftBox workspace, and who may read them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.email import is_email
from shared.errors import SettingsError, WorkspaceError
from shared.files import write_if_changed

PARTICIPANT_APP: Final = "netflix_trend_participant"
AGGREGATOR_APP: Final = "netflix_trend_aggregator"
RELEASE_FILE: Final = "netflix_reduced.npy"
DEVICE_FILE: Final = "device"
SHARES: Final = "shares"
SHARE_SUFFIX: Final = ".bin"
"""A report for two coordinators is `shares/<week>.bin`, beside the release file."""
REPORT_FILE: Final = "report.html"
EVERYTHING: Final = "**"
"""The pattern of all files in a folder and below it."""


@dataclass(frozen=True)
class Workspace:
    """A member's SyftBox: `box` is its data directory, `email` the member's datasite, in lower case."""

    box: Path
    email: str
    server_url: str
    config: Path
    """The client config that names it."""

    @property
    def datasites(self) -> Path:
        """The synced tree: everything below it reaches the server, whatever the permissions say."""
        return self.box / "datasites"

    def datasite(self, email: str) -> Path:
        """Return the folder of a member, whose e-mail may be spelled there in other case."""
        folder = self.datasites / email
        if not folder.is_dir() and self.datasites.is_dir():
            for found in sorted(self.datasites.iterdir()):
                if found.name.lower() == email:
                    return found
        return folder

    @property
    def my_datasite(self) -> Path:
        """The member's own folder in the synced tree."""
        return self.datasite(self.email)

    def private(self, app: str) -> Path:
        """Return the folder of an app's private files, outside the synced tree."""
        return self.box / "private" / app

    def api_data(self, email: str) -> Path:
        """Return the folder where a member's participant app publishes."""
        return self.datasite(email) / "api_data" / PARTICIPANT_APP

    def shares(self, email: str) -> Path:
        """Return the folder of a member's reports for two coordinators."""
        return self.api_data(email) / SHARES

    def exchange(self, coordinator: str) -> Path:
        """Return the folder in which one of two coordinators writes to the other."""
        return self.datasite(coordinator) / "api_data" / AGGREGATOR_APP

    def results(self, coordinator: str) -> Path:
        """Return the public folder of a coordinator: study, catalogue, results."""
        return self.datasite(coordinator) / "public" / AGGREGATOR_APP

    @property
    def apps(self) -> Path:
        """The folder whose apps the member's client runs: `apps`, or `apis` on clients up to 0.3.5.

        Never the other one of the two: a Python client that finds it takes it for an older or newer installation and
        replaces its own by it. Where both are there, the version that the client left decides. Before a client's first
        start neither is: then it is the one that the installed syftbox would make.
        """
        present = [name for name in ("apis", "apps") if (self.box / name).is_dir()]
        if len(present) == 1:
            return self.box / present[0]
        if present:
            return self.box / ("apis" if self._python_client_version().startswith("0.3.") else "apps")
        from syftbox.lib.workspace import SyftWorkspace

        return Path(SyftWorkspace(self.box).apps)

    @property
    def has_python_client(self) -> bool:
        """Whether a Python client has been started here."""
        return bool(self._python_client_version())

    def _python_client_version(self) -> str:
        """Return the version of the Python client at work here, empty for the Go client."""
        try:
            return str(json.loads((self.box / ".metadata.json").read_bytes())["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    @property
    def results_url(self) -> str:
        """Where the server shows this member's results; the Python server leaves `public/` out."""
        public = "" if self.has_python_client else "public/"
        return f"{self.server_url}/datasites/{self.email}/{public}{AGGREGATOR_APP}/"

    @property
    def stays_up(self) -> bool:
        """Whether the client starts an app once and not again (`apps`), rather than every ten seconds (`apis`)."""
        return self.apps.name == "apps"

    def app(self, name: str) -> Path:
        """Return the folder of an app: run.sh, settings.toml, the client's logs."""
        return self.apps / name


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the active client config, as SyftBox itself finds it."""
    return Path(environment.get("SYFTBOX_CLIENT_CONFIG_PATH") or Path.home() / ".syftbox" / "config.json")


def load_workspace(config: Path) -> Workspace:
    """Return the workspace that a client config names.

    Raises: WorkspaceError if there is no config, it is broken, or its data directory is not there.
    """
    if not config.is_file():
        raise WorkspaceError(
            f"no SyftBox client config at {config}: start SyftBox once, or set SYFTBOX_CLIENT_CONFIG_PATH to its config"
        )
    from syftbox.lib import Client
    from syftbox.lib.exceptions import ClientConfigException

    try:
        client = Client.load(config)
    except (ClientConfigException, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise WorkspaceError(f"cannot read the SyftBox client config: {reason[:300]}; mend {config}") from None
    box = Path(client.workspace.data_dir)
    try:
        present = box.is_dir()
    except (OSError, ValueError):
        present = False
    if not present:
        raise WorkspaceError(f"{config} names the data directory {str(box)[:200]!r}, which is not there: start SyftBox")
    return Workspace(box, str(client.email).lower(), str(client.config.server_url).rstrip("/"), config)


def check_email(text: str) -> str:
    """Return an e-mail address in lower case.

    Raises: SettingsError if it is none, or could lead out of the datasites folder.
    """
    if not is_email(text):
        raise SettingsError(f"{text[:80]!r} is no e-mail address of a datasite; expected a form like name@example.org")
    return text.lower()


def permit(folder: Path, *, pattern: str, readers: Sequence[str]) -> None:
    """Let `readers` (e-mails as their datasites are spelled, or `*`) read what matches `pattern` in `folder`.

    Nobody else may read anything there. Written in both formats, saying the same: the Python clients compare e-mails
    as they are spelled, the Go client in lower case. To be written before what they protect.
    """
    rules = [{"path": pattern, "user": reader, "permissions": ["read"]} for reader in readers]
    access: dict[str, list[str]] = {"admin": [], "write": [], "read": [reader.lower() for reader in readers]}
    go_rules = [{"pattern": pattern, "access": access}]
    if pattern != EVERYTHING:
        go_rules.append({"pattern": EVERYTHING, "access": {"admin": [], "write": [], "read": []}})
    # JSON is YAML: both clients read these files with a YAML parser.
    for name, content in (
        ("syftperm.yaml", rules),
        ("syft.pub.yaml", {"terminal": False, "rules": go_rules}),
    ):
        write_if_changed(folder / name, json.dumps(content, indent=2).encode() + b"\n")
