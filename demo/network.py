"""A real SyftBox network on this machine: a server and its clients as processes of their own, on loopback.

The demo and the network tests share it. It runs the programs of the `syftbox` package, 0.3.5 (`apis/`) or 0.4.0
(`apps/`), whichever the given interpreter has; the network of the Go programs derives from it. Authentication is off on
such a server: whoever reaches it may say who they are. It listens on 127.0.0.1 only.

    with SyftBoxNetwork(root) as network:
        ann, bob = network.add_clients("ann@example.org", "bob@example.org")
        subprocess.run([..., "install"], env=ann.environment)
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections: a program that is stopped for a while finds its port free.
PORTS = range(20_000, 30_000)
START_SECONDS = 90.0
GRACE_SECONDS = 10.0
LOG_LINES_SHOWN = 20


class SyftBoxNetwork:
    """A SyftBox server and any number of clients; entering starts the server, leaving ends every process.

    While it is entered, SIGTERM is taken as Ctrl-C is, so that it is left, and nothing stays behind.

    `python` is the interpreter whose environment has the `syftbox` package that server and clients are run from.
    They write nothing outside `root`: every client has a home of its own. What they say stays in `root/logs`.
    """

    def __init__(self, root: Path, python: Path = Path(sys.executable)) -> None:
        self.root = root.absolute()
        self.logs = self.root / "logs"
        self.server_data = self.root / "server" / "data"
        self.server_port = free_port()
        self.server_url = f"http://{LOOPBACK}:{self.server_port}"
        self.clients: list[SyftBoxClient] = []
        self._python = python.absolute()
        self._on_sigterm = signal.getsignal(signal.SIGTERM)
        self._server = self.program("server", self.server_command(), {"SYFTBOX_DATA_FOLDER": str(self.server_data)})

    def __enter__(self) -> Self:
        self._on_sigterm = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self.start_server()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all clients and the server."""
        stop_all([*(client.program for client in self.clients), self._server])
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def start_server(self) -> None:
        """Return when the server answers, started on the data and the port it had before; harmless while it runs."""
        self.server_data.mkdir(parents=True, exist_ok=True)
        self._server.start()
        self._server.wait_until_ready(lambda: is_listening(self.server_port))

    def stop_server(self) -> None:
        """End the server; its data stays."""
        self._server.stop()

    def server_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of every file the server keeps: what the members sent it, its databases and its logs."""
        for path in sorted(self.server_data.rglob("*")):
            with suppress(FileNotFoundError):  # the server removed it meanwhile
                if path.is_file():
                    yield path.relative_to(self.server_data).as_posix(), path.read_bytes()

    def served_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of every file the server keeps, without versions that were overwritten or removed."""
        return self.server_files()

    def add_client(self, email: str) -> SyftBoxClient:
        """Return a new member of the network, its workspace new and its client running."""
        return self.add_clients(email)[0]

    def add_clients(self, *emails: str) -> list[SyftBoxClient]:
        """Return new members, their clients started side by side, which takes less time than one by one."""
        added = [SyftBoxClient(self, email) for email in emails]
        self.clients += added
        for client in added:
            client.program.start()
        for client in added:
            client.start()
        return added

    def add_device(self, first: SyftBoxClient) -> SyftBoxClient:
        """Return another machine of a member: the same address, a workspace of its own, its client not yet started."""
        device = SyftBoxClient(self, first.email, f"{first.email} on another device")
        self.clients.append(device)
        return device

    def program(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
    ) -> Program:
        """Return a program of this network, with a home in `folder` and little of the caller's environment."""
        folder = folder or self.root / name
        home = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
        # The caller's PATH, for the system's tools; SyftBox itself takes virtual environments out of what apps see.
        base = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "SYFTBOX_DISABLE_ICONS": "true"}
        return Program(name, command, {**base, **home, **environment}, folder, self.logs / f"{name}.log")

    def server_command(self) -> list[str]:
        """Return the command line of the server."""
        application = "syftbox.server.server:app"
        return self._module("uvicorn", application, "--host", LOOPBACK, "--port", str(self.server_port))

    def client_command(self, client: SyftBoxClient) -> list[str]:
        """Return the command line of a client; the client writes its config itself."""
        where = ["-c", str(client.config), "-d", str(client.box), "-s", self.server_url, "-p", str(client.port)]
        return self._module("syftbox.main", "client", "-e", client.email, *where, "--no-open-dir")

    def is_ready(self, client: SyftBoxClient) -> bool:
        """Say whether a client that was started has set up its workspace and runs its apps."""
        return client.apps.is_dir() and is_listening(client.port)

    def _module(self, *arguments: str) -> list[str]:
        # -I: no modules of the current folder or PYTHONPATH; -B: no byte code is written beside the modules.
        return [str(self._python), "-I", "-B", "-m", *arguments]


class SyftBoxClient:
    """A member's SyftBox client with its workspace; made by `SyftBoxNetwork.add_client` and `add_device`."""

    def __init__(self, network: SyftBoxNetwork, email: str, name: str = "") -> None:
        name = name or email
        folder = network.root / name
        self.email = email
        self.box = folder / "SyftBox"
        self.home = folder / "home"
        self.config = self.home / ".syftbox" / "config.json"
        self.port = free_port()
        self.program = network.program(name, network.client_command(self), {}, folder)
        self._network = network

    @property
    def apps(self) -> Path:
        """The folder whose apps this client runs: only the one it uses exists in its workspace."""
        apis = self.box / "apis"
        return apis if apis.is_dir() else self.box / "apps"

    @property
    def datasite(self) -> Path:
        """The member's own part of the synced tree."""
        return self.box / "datasites" / self.email

    @property
    def environment(self) -> dict[str, str]:
        """The environment for running a command in this member's place."""
        return {**self.program.environment, "SYFTBOX_CLIENT_CONFIG_PATH": str(self.config)}

    def start(self) -> None:
        """Start the client, on the workspace and the port it had before, and return when it is ready."""
        self.program.start()
        self.program.wait_until_ready(lambda: self._network.is_ready(self))

    def stop(self) -> None:
        """End the client and every app it started; the workspace stays."""
        self.program.stop()


class Program:
    """A program that runs until it is ended: in a session of its own, with what it says appended to a log."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self.name = name
        self.environment = dict(environment)
        self._command = list(command)
        self._folder = folder
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program without waiting for it; harmless while it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        for folder in (self._folder, self._log.parent, *(Path(self.environment[name]) for name in ("HOME", "TMPDIR"))):
            folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self, ready: Callable[[], bool]) -> None:
        """Return when `ready` holds.

        Raises: RuntimeError with the end of the log if the program ends before that, TimeoutError if it takes too long.
        """

        def ready_or_ended() -> bool:
            if self._process is None or self._process.poll() is not None:
                said = self._log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
                raise RuntimeError("\n".join([f"{self.name} ended while starting; the end of {self._log}:", *said]))
            return ready()

        wait_until(ready_or_ended, START_SECONDS, f"{self.name} to start (see {self._log})")

    def ask_to_end(self) -> None:
        """Send the program SIGTERM, and nothing to what it started, and do not wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """End the program, then whatever it left running; those that do not follow SIGTERM in time get SIGKILL."""
        if self._process is None:
            return
        self.ask_to_end()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(TimeoutError):
                self._signal_all(number)
                wait_until(self._has_ended, GRACE_SECONDS, f"{self.name} to end")
        self._process = None

    def _has_ended(self) -> bool:
        return self._process is None or (self._process.poll() is not None and not _session(self._process.pid))

    def _signal_all(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):  # nobody left in the group
            os.killpg(self._process.pid, number)
        for process in _session(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(process, number)


def stop_all(programs: Sequence[Program]) -> None:
    """End all programs, asked at once and then waited for in turn."""
    for program in programs:
        program.ask_to_end()
    for program in programs:
        program.stop()


def wait_until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Return as soon as `condition` holds; looks ten times a second.

    Raises: TimeoutError naming `what` after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout:.0f} seconds for {what}")
        time.sleep(0.1)


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    for port in random.sample(PORTS, k=len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return port
    raise OSError(f"no port of {PORTS.start} to {PORTS.stop} is free on {LOOPBACK}")


def is_listening(port: int) -> bool:
    """Say whether somebody accepts connections on a port of loopback."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def _session(leader: int) -> list[int]:
    """Return the processes still running in the session that `leader` began; none where the system has no /proc."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            state, _parent, _group, session = stat.read_text(errors="replace").rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                members.append(int(stat.parent.name))
    return members
