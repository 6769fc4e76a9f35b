"""The three networks that the apps have to work on: syftbox 0.3.5 and 0.4.0, and the Go programs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.network import SyftBoxClient, SyftBoxNetwork
from tests.network.go_network import GoSyftBoxNetwork

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 300.0  # on two free cores nothing takes a fifth of it


@dataclass(frozen=True)
class Flavour:
    """A kind of network: `apps` is the folder that its clients run, `python` the interpreter that installs our apps."""

    apps: str
    python: Path
    start: Callable[[Path], SyftBoxNetwork]

    def command(self, client: SyftBoxClient, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Carry out one of our commands in a member's place; it must succeed."""
        program, *rest = arguments
        done = subprocess.run(
            [self.python.parent / program, *rest],
            env=client.environment,
            cwd=client.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, (arguments, client.email, done.stderr)
        return done


def syftbox_03() -> Flavour:
    return _of_the_package(Path(sys.executable), "0.3.", "apis")


def syftbox_04() -> Flavour:
    python = ROOT / ".venv-syftbox-0.4" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python.relative_to(ROOT)} is not there: make test, or make .venv-syftbox-0.4/.ready, makes it")
    return _of_the_package(python, "0.4.", "apps")


def go() -> Flavour:
    client, server = os.environ.get("SYFTBOX_GO_CLIENT"), os.environ.get("SYFTBOX_GO_SERVER")
    if not (client and server):
        pytest.skip("SYFTBOX_GO_CLIENT and SYFTBOX_GO_SERVER do not name the two programs of the Go network")
    moto = Path(os.environ.get("SYFTBOX_GO_MOTO") or sys.executable)
    if not _succeeds(moto, "import moto.server"):
        pytest.skip(f"{moto} has no moto[server], the store of the Go server: name one that has in SYFTBOX_GO_MOTO")
    return Flavour("apps", Path(sys.executable), lambda root: GoSyftBoxNetwork(root, Path(client), Path(server), moto))


def _of_the_package(python: Path, version: str, apps: str) -> Flavour:
    check = f"from importlib.metadata import version as v; assert v('syftbox').startswith({version!r})"
    if not _succeeds(python, check):
        pytest.skip(f"{python} has another syftbox than {version}x: run the tests by make test")
    return Flavour(apps, python, lambda root: SyftBoxNetwork(root, python))


def _succeeds(python: Path, code: str) -> bool:
    return subprocess.run([python, "-I", "-c", code], capture_output=True, check=False).returncode == 0


@pytest.fixture(params=[syftbox_03, syftbox_04, go], ids=["syftbox-0.3", "syftbox-0.4", "go"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Return each kind of network in turn; one that this machine lacks is skipped with the reason."""
    found: Flavour = request.param()
    return found


@pytest.fixture
def network(flavour: Flavour, tmp_path: Path) -> Iterator[SyftBoxNetwork]:
    """Return a running network without members; all its processes end with the test, its files stay."""
    with flavour.start(tmp_path / "network") as started:
        # pytest shows this where a test failed.
        print(f"logs: {started.logs}, and logs/ in each app's folder: {started.root}/*/SyftBox/{flavour.apps}/*/logs")  # noqa: T201
        yield started
