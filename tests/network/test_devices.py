"""Two devices of one member on a real SyftBox network: whatever comes between them, no week is drawn twice.

A coordinator, and Ann with two clients of the same address. Every version of her release file that the server ever has
is collected, by whatever name: all of them together may hold one draw of each week.
"""

import io
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from demo.network import SyftBoxClient, SyftBoxNetwork, wait_until
from participant.ledger import Draw, read_ledger
from shared.errors import ReleaseError
from shared.files import write_atomically
from shared.glance import state
from shared.release import decode_records
from tests.network.conftest import PATIENCE_SECONDS, Flavour
from tests.network.test_network import COORDINATOR, DEVICE, OPEN_WEEKS, OTHERS, PARTICIPANT, RELEASE, write_export

ANN = OTHERS[0]
STEPS_ASIDE = "install --take-over"
CONFLICT = RELEASE.replace(".npy", ".conflict.npy")  # what the Go client makes of a file that both sides have changed


@pytest.mark.network
def test_of_two_devices_one_draws_and_no_week_is_drawn_twice(flavour: Flavour, network: SyftBoxNetwork) -> None:
    ann = Devices(flavour, network)
    with ann.every_version_is_collected():
        released = ann.first_publishes()

        ann.second_is_set_up_as_early_as_its_client_allows()
        ann.its_client_logs(ann.second, STEPS_ASIDE)
        ann.steps_aside(ann.second)
        assert (ann.draws(ann.second), ann.on_the_server(RELEASE)) == ([], released)

        ann.takes_over(ann.second)
        assert [draw.origin for draw in ann.draws(ann.second)] == ["adopted"] * OPEN_WEEKS
        ann.steps_aside(ann.first)

        ann.loses_its_ledger(ann.second)
        ann.steps_aside(ann.second)
        ann.takes_over(ann.second)
        assert [draw.origin for draw in ann.draws(ann.second)] == ["adopted"] * OPEN_WEEKS

        for other in (b"no release", without_its_newest_week(released)):
            ann.is_replaced_through_the_other_device(other)
            ann.is_restored(released)
        ann.is_renamed_as_a_conflict()
        ann.is_restored(released)
        ann.is_removed_through_the_other_device()
        ann.is_restored(released)

    assert ann.payloads_by_week() == {draw.week.key: {draw.payload} for draw in ann.draws(ann.first)}
    assert len(ann.draws(ann.first)) == len(ann.draws(ann.second)) == OPEN_WEEKS


class Devices:
    """Ann's two devices, the coordinator whom they release to, and all that the server has had of hers."""

    def __init__(self, flavour: Flavour, network: SyftBoxNetwork) -> None:
        self._flavour, self._network = flavour, network
        self.coordinator, self.first = network.add_clients(COORDINATOR, ANN)
        self.second = network.add_device(self.first)
        self._versions: set[bytes] = set()
        for device in (self.first, self.second):
            write_export(device)

    def first_publishes(self) -> bytes:
        """Install both apps, and return the release when the coordinator has it."""
        self._flavour.command(self.coordinator, "netflix-trend-aggregator", "install")
        self._participant(self.first, "install", "--aggregator", COORDINATOR)
        arrived = self.coordinator.box / "datasites" / ANN / RELEASE

        def has_arrived() -> bool:
            self._participant(self.first, "run")  # sooner than its client does
            return arrived.exists()

        _wait(has_arrived, "the first release at the coordinator")
        _wait(lambda: self.on_the_server(DEVICE) is not None, "the first device's identifier on the server")
        assert [draw.origin for draw in self.draws(self.first)] == ["drawn"] * OPEN_WEEKS
        return (self.first.datasite / RELEASE).read_bytes()

    def second_is_set_up_as_early_as_its_client_allows(self) -> None:
        """Start the second client, new on its machine, and hand it the app before anything can have arrived."""
        self.second.program.start()
        _wait((self.second.box / self.first.apps.name).is_dir, "the second client's folder of apps")
        app = self.second.apps / PARTICIPANT
        app.mkdir()
        for name in ("settings.toml", "run.sh"):
            shutil.copy(self.first.apps / PARTICIPANT / name, app)
        self.second.start()

    def steps_aside(self, device: SyftBoxClient) -> None:
        """Check that the app of a device says that another one publishes, and how to take over."""
        _wait(lambda: STEPS_ASIDE in self._participant(device, "run"), f"{device.box} to step aside")

    def its_client_logs(self, device: SyftBoxClient, line: str) -> None:
        """Check that the app, started by the client, said a line."""
        logs = device.apps / PARTICIPANT / "logs"

        def is_there() -> bool:
            return any(line in log.read_text(encoding="utf-8", errors="replace") for log in logs.glob("*"))

        _wait(is_there, f"{line!r} in {logs}")

    def takes_over(self, device: SyftBoxClient) -> None:
        """Make a device the one that draws, and wait until the other knows."""
        before = self.on_the_server(RELEASE)
        said = self._participant(device, "install", "--aggregator", COORDINATOR, "--take-over")
        assert f"kept and charged {OPEN_WEEKS} weeks published elsewhere" in said
        mine = (device.datasite / DEVICE).read_bytes()
        other = self.first if device is self.second else self.second
        _wait(lambda: _read(other.datasite / DEVICE) == mine, "the identifier at the other device")
        assert self.on_the_server(RELEASE) == before

    def loses_its_ledger(self, device: SyftBoxClient) -> None:
        """Remove all that a device keeps outside the synced tree."""

        def is_removed() -> bool:
            shutil.rmtree(device.box / "private", ignore_errors=True)  # the app may be writing there
            return not self.draws(device)

        _wait(is_removed, "an empty ledger")

    def is_replaced_through_the_other_device(self, other: bytes) -> None:
        """Put other bytes in the release's place on the device that steps aside, and see them reach the server."""
        write_atomically(self.first.datasite / RELEASE, other)
        _wait(lambda: other in self._versions or self.on_the_server(RELEASE) == other, "the other bytes on the server")

    def is_removed_through_the_other_device(self) -> None:
        """Remove the release on the device that steps aside, and see it go on the one that draws."""
        mine = self.second.datasite / RELEASE
        before = state(str(mine))

        def is_removed() -> bool:
            # Again and again: a client that is just bringing the file takes no notice of its removal.
            (self.first.datasite / RELEASE).unlink(missing_ok=True)
            return state(str(mine)) != before

        _wait(is_removed, "the removal on the second device")

    def is_renamed_as_a_conflict(self) -> None:
        """Rename the release of the device that draws, as the Go client does where it finds a conflict."""
        (self.second.datasite / RELEASE).rename(self.second.datasite / CONFLICT)

    def is_restored(self, released: bytes) -> None:
        """Check that the device that draws brings the release back, byte for byte, to the server and all devices."""

        def is_back() -> bool:
            self._participant(self.second, "run")
            boxes = (self.first.datasite, self.second.datasite, self.coordinator.box / "datasites" / ANN)
            return [*(_read(box / RELEASE) for box in boxes), self.on_the_server(RELEASE)] == [released] * 4

        _wait(is_back, "the release to be as it was, everywhere")

    @contextmanager
    def every_version_is_collected(self) -> Iterator[None]:
        """Collect what the server has: the Python server's files as they come and go, the Go server's at the end."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.2):
                for path in self._network.server_data.rglob("netflix_reduced*"):
                    with suppress(OSError):
                        self._versions.add(path.read_bytes())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        self._versions |= {data for name, data in self._network.server_files() if "netflix_reduced" in name}

    def payloads_by_week(self) -> dict[int, set[bytes]]:
        """Return what the server has ever had of each week."""
        found: dict[int, set[bytes]] = defaultdict(set)
        for data in self._versions:
            with suppress(ReleaseError):  # damaged, or still being written
                for record in decode_records(data):
                    found[int(record["week"])].add(record["count"].tobytes())
        return dict(found)

    def on_the_server(self, name: str) -> bytes | None:
        """Return a file of Ann's as the server has it now; of a removed one the Go server still has the last."""
        return next((data for key, data in self._network.server_files() if key.endswith(f"{ANN}/{name}")), None)

    def draws(self, device: SyftBoxClient) -> list[Draw]:
        """Return what a device's ledger holds."""
        with read_ledger(device.box / "private" / PARTICIPANT / "ledger.sqlite") as ledger:
            return ledger.draws()

    def _participant(self, device: SyftBoxClient, *arguments: str) -> str:
        return self._flavour.command(device, "netflix-trend-participant", *arguments).stdout


def without_its_newest_week(released: bytes) -> bytes:
    """Return a release as it was a week ago."""
    file = io.BytesIO()
    np.save(file, np.load(io.BytesIO(released))[:-1])
    return file.getvalue()


def _read(path: Path) -> bytes | None:
    """Return what a file holds at the moment, None if it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _wait(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, PATIENCE_SECONDS, what)
