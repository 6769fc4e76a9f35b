"""The same network made of the Go programs: SyftBox's current client and server, with moto as the server's S3 store.

The programs are built from SyftBox's public source by whoever runs these tests; nothing of them is in this repository.
"""

from __future__ import annotations

import http.client
import json
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from demo.network import LOOPBACK, SyftBoxNetwork, free_port, is_listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from demo.network import SyftBoxClient

BUCKET = "syftbox"
TOKEN = "loopback-only"
S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class GoSyftBoxNetwork(SyftBoxNetwork):
    """A Go SyftBox server and its clients; `moto` is the interpreter whose environment has `moto[server]`.

    The store keeps every version of every file, so that `server_files` shows also what was overwritten or removed.
    It lives in the memory of its process: it stays up while the server is stopped.
    """

    def __init__(self, root: Path, client: Path, server: Path, moto: Path = Path(sys.executable)) -> None:
        self._client_program, self._server_program = client.absolute(), server.absolute()
        self._store_port = free_port()
        self._store_url = f"http://{LOOPBACK}:{self._store_port}"
        super().__init__(root, moto)
        command = self._module("moto.server", "-H", LOOPBACK, "-p", str(self._store_port))
        self._store = self.program("store", command, {})

    def __enter__(self) -> Self:
        try:
            self._store.start()
            self._store.wait_until_ready(lambda: is_listening(self._store_port))
            self._s3("PUT", BUCKET)
            versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
            self._s3("PUT", f"{BUCKET}?versioning", versioning)
        except BaseException:
            self.close()
            raise
        return super().__enter__()

    def close(self) -> None:
        """End all clients, the server and its store."""
        super().close()
        self._store.stop()

    def server_command(self) -> list[str]:
        """Return the command line of the server, its configuration written."""
        configuration = {
            "http": {"addr": f"{LOOPBACK}:{self.server_port}"},
            "blob": {
                "bucket_name": BUCKET,
                "region": "us-east-1",
                "endpoint": self._store_url,
                "access_key": "loopback",
                "secret_key": "loopback",
            },
            "auth": {"enabled": False},
            "data_dir": str(self.server_data),
            "log_dir": str(self.logs / "server"),
        }
        path = self.root / "server" / "server.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(configuration), encoding="utf-8")  # JSON is YAML
        return [str(self._server_program), "-f", str(path)]

    def client_command(self, client: SyftBoxClient) -> list[str]:
        """Return the command line of a client, its config written where the program looks for it: below its home."""
        configuration = {
            "data_dir": str(client.box),
            "email": client.email,
            "server_url": self.server_url,
            "client_url": f"http://{LOOPBACK}:{client.port}",
            "client_token": TOKEN,
            "refresh_token": TOKEN,
        }
        client.config.parent.mkdir(parents=True, exist_ok=True)
        client.config.write_text(json.dumps(configuration), encoding="utf-8")
        return [str(self._client_program), "daemon", "--http-addr", f"{LOOPBACK}:{client.port}", "--http-token", TOKEN]

    def is_ready(self, client: SyftBoxClient) -> bool:
        """Say whether a client has authenticated, started its apps and finished its first round of sync.

        Raises: RuntimeError when it has given up, which its process survives.
        """
        if not is_listening(client.port):
            return False
        answer = _ask(client.port, "GET", "/v1/status", {"Authorization": f"Bearer {TOKEN}"})
        datasite = json.loads(answer).get("datasite") or {}
        if datasite.get("status") == "ERROR":
            raise RuntimeError(f"{client.email} gave up: {datasite.get('error')}")
        return bool(datasite.get("status") == "PROVISIONED")

    def server_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of every version of every file in the store, then the server's own files."""
        for key, number, _ in self._versions():
            yield key, self._version(key, number)
        yield from super().server_files()

    def served_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of every file in the store as it is now."""
        return ((key, self._version(key, number)) for key, number, latest in self._versions() if latest)

    def _version(self, key: str, number: str) -> bytes:
        return self._s3("GET", f"{BUCKET}/{urllib.parse.quote(key)}?versionId={number}")

    def _versions(self) -> Iterator[tuple[str, str, bool]]:
        """Yield key and number of every version in the store, and whether it is the one of now."""
        after = ""
        while True:
            page = ET.fromstring(self._s3("GET", f"{BUCKET}?versions{after}"))  # noqa: S314 (from our own process)
            for version in page.iter(f"{S3}Version"):
                key, number = version.findtext(f"{S3}Key", ""), version.findtext(f"{S3}VersionId", "")
                yield key, number, version.findtext(f"{S3}IsLatest") == "true"
            if page.findtext(f"{S3}IsTruncated") != "true":
                break
            key, number = page.findtext(f"{S3}NextKeyMarker", ""), page.findtext(f"{S3}NextVersionIdMarker", "")
            after = "&" + urllib.parse.urlencode({"key-marker": key, "version-id-marker": number})

    def _s3(self, method: str, path: str, body: bytes | None = None) -> bytes:
        # moto checks no signature, but hides objects from those who send none, and takes a body of no type for a form.
        signature = (
            "AWS4-HMAC-SHA256 Credential=loopback/20200101/us-east-1/s3/aws4_request, SignedHeaders=, Signature="
        )
        headers = {"Authorization": signature, "Content-Type": "application/xml"}
        return _ask(self._store_port, method, f"/{path}", headers, body)


def _ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """Return the body of an answer from a program on loopback; unlike urllib it never asks a proxy."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise RuntimeError(f"{method} {path} on port {port} was answered with {response.status}: {content[:500]!r}")
    return content
