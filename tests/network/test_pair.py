"""Two coordinators on a real SyftBox network: who gets which file, and what comes of a week while people come and go.

Leader, helper, six members and a bystander, each a real client. The clients carry the files; the test carries out the
apps' passes, each on a day of its own. One member leaves between the leader's batch and the helper's answer, and the
helper's client is off until the batch is there. With `-s` it prints every file that is exchanged, with its day:

    2024-11-26  helper -> leader: public/.../keys.json
    2024-11-26  leader -> all: public/.../catalogue.csv, public/.../study.json
    2024-11-26  helper -> all: public/.../study.json, the same bytes; then its client is off
    2024-11-27  each of six members -> leader: shares/2024-W46.bin, shares/2024-W47.bin
    2024-12-09  leader -> server: batch-2024-W46.bin, batch-2024-W47.bin
    2024-12-10  dora takes her shares back
    2024-12-11  the helper's client is on: leader -> helper, both batches; five members -> helper, their shares
    2024-12-12  helper -> leader: answer-2024-W46.bin, answer-2024-W47.bin
    2024-12-13  leader -> all: weeks/2024-W46.json, weeks/2024-W47.json, final
"""

import csv
import json
import os
import re
import time
from datetime import date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aggregator.pair import answer_name, batch_name
from aggregator.pair_record import RECORD, open_record
from demo.network import SyftBoxClient, SyftBoxNetwork, wait_until
from participant.arrival import is_arriving
from participant.settings import TEMPLATE
from shared.keys import PRIVATE_SCHEMA, Keys
from shared.mechanism import noised_sum_of
from shared.settings import write_settings
from shared.study import Study, parse_study
from shared.week import IsoWeek
from shared.workspace import Workspace
from tests.network.conftest import PATIENCE_SECONDS, Flavour
from tests.network.test_network import (
    AGGREGATOR,
    ENCODINGS,
    PARTICIPANT,
    PERMISSIONS,
    RELEASE,
    RESULTS,
    fetch,
    files_below,
    mark,
    private_things,
)

LEADER, HELPER, BYSTANDER = "leader@example.org", "helper@example.org", "zoe@example.org"
MEMBERS = [f"{name}@example.org" for name in ("ann", "bob", "cleo", "dora", "emil", "fay")]
LEAVES = MEMBERS[3]
STAY = [email for email in MEMBERS if email != LEAVES]
EVERYBODY = [LEADER, HELPER, *MEMBERS, BYSTANDER]
WEEKS = [IsoWeek(2024, 46), IsoWeek(2024, 47)]
"""The weeks that are open on the day when members join."""
SHOWS = {email: ["Dark", "Elite" if email == MEMBERS[0] else "Money Heist"] for email in MEMBERS}
EPSILON = 20.0  # so much that the truth is told from the noise by six people
SHARES = f"api_data/{PARTICIPANT}/shares"
EXCHANGE = f"api_data/{AGGREGATOR}"
CONFIDENTIAL = re.compile(rf"[^/]+/({SHARES}/.*|{EXCHANGE}/.*)\.bin")

ON_A_DAY = """
import sys
from datetime import datetime
import aggregator.cli, aggregator.install, participant.cli, participant.install
now, app = datetime.fromisoformat(sys.argv[1]).astimezone(), {"aggregator": aggregator, "participant": participant}
for each in app.values():
    each.cli.local_now = lambda: now
    each.install.write_run_script = lambda *_: None  # the client would start the app on the real day
sys.exit(app[sys.argv[2]].cli.call(sys.argv[3:]))
"""
"""A command of ours on a day: time, app, arguments."""


@pytest.mark.network
def test_two_coordinators_measure_a_week_while_one_is_off_and_a_member_leaves(
    flavour: Flavour, network: SyftBoxNetwork
) -> None:
    pair = Pair(flavour, network)

    pair.is_on(date(2024, 11, 26))
    study = pair.both_publish_a_study()
    pair.stops(HELPER)

    pair.is_on(date(2024, 11, 27))
    for email in MEMBERS:
        pair.joins(email, study)
    for email in MEMBERS:
        pair.shares(email, LEADER)
    pair.does(LEADER, "aggregator", "run")
    assert "are collected from 9 December 2024 on" in pair.published(LEADER, WEEKS[-1])["reason"]

    pair.is_on(date(2024, 12, 9))
    pair.does(LEADER, "aggregator", "run")
    for week in WEEKS:
        pair.reaches_the_server(LEADER, f"{EXCHANGE}/{batch_name(week)}")
    assert pair.published(LEADER, WEEKS[-1])["reason"] == f"{HELPER}, the second coordinator, has not answered yet"

    pair.is_on(date(2024, 12, 10))
    pair.leaves(LEAVES)

    pair.is_on(date(2024, 12, 11))
    pair.starts(HELPER)
    for week in WEEKS:
        pair.travels(LEADER, f"{EXCHANGE}/{batch_name(week)}", HELPER)
    for email in STAY:
        pair.shares(email, HELPER)

    said = pair.does(HELPER, "aggregator", "run")
    for week in WEEKS:
        assert f"{week}: {len(STAY)} of {len(MEMBERS)} reports are here; the others are waited for" in said

    pair.is_on(date(2024, 12, 12))
    said = pair.does(HELPER, "aggregator", "run")
    for week in WEEKS:
        assert f"{week}: answered with {len(STAY)} reports" in said
        pair.travels(HELPER, f"{EXCHANGE}/{answer_name(week)}", LEADER)

    pair.is_on(date(2024, 12, 13))
    pair.does(LEADER, "aggregator", "run")
    for week in WEEKS:
        pair.travels(LEADER, f"{RESULTS}/weeks/{week}.json", *EVERYBODY)
        pair.the_figures_are_the_truth_within_the_noise(study, week)
    pair.a_further_pass_changes_nothing()

    pair.nobody_else_has_a_share_a_batch_or_an_answer()
    pair.nothing_private_lies_below_datasites_or_on_the_server()


class Pair:
    """Two coordinators, their members and a bystander on a network; and the day."""

    def __init__(self, flavour: Flavour, network: SyftBoxNetwork) -> None:
        self._flavour, self._network = flavour, network
        self._clients = dict(zip(EVERYBODY, network.add_clients(*EVERYBODY), strict=True))
        self._day = date.min
        self._holders: dict[str, set[str]] = {}
        """Of each file that travelled: who may have it."""

    def is_on(self, day: date) -> None:
        """Let a day come."""
        self._day = day

    def does(self, email: str, app: str, *arguments: str) -> str:
        """Return what one of our commands says on this day at noon; it must succeed and cite no title."""
        noon = datetime.combine(self._day, time_of_day(12)).isoformat()
        done = self._flavour.command(self._clients[email], "python", "-I", "-c", ON_A_DAY, noon, app, *arguments)
        assert not is_private(f"{done.stdout} {done.stderr}".encode())
        return f"{done.stdout}\n{done.stderr}"

    def stops(self, email: str) -> None:
        """End a client."""
        self._clients[email].stop()
        self._note(f"the client of {email} is off")

    def starts(self, email: str) -> None:
        """Start a client again."""
        self._clients[email].start()
        self._note(f"the client of {email} is on")

    def both_publish_a_study(self) -> Study:
        """Install both coordinators and let them agree; return their study once all have it of both."""
        self.does(LEADER, "aggregator", "install")
        self.does(HELPER, "aggregator", "install", "--leader", LEADER)
        self.travels(HELPER, f"{RESULTS}/keys.json", LEADER)
        terms = [
            "--trust",
            "two-coordinators",
            "--helper",
            HELPER,
            "--epsilon",
            str(EPSILON),
            "--min-participants",
            "5",
        ]
        said = self.does(LEADER, "aggregator", "study", "new", *terms)
        for name in ("catalogue.csv", "study.json"):
            self.travels(LEADER, f"{RESULTS}/{name}", *EVERYBODY)
        self.does(HELPER, "aggregator", "run")
        self.travels(HELPER, f"{RESULTS}/study.json", *EVERYBODY)
        self.does(LEADER, "aggregator", "run")
        study = parse_study(self._read(BYSTANDER, HELPER, f"{RESULTS}/study.json") or b"")
        for each in (said, *(self.does(email, "aggregator", "status") for email in (LEADER, HELPER))):
            assert study.fingerprint in each
        return study

    def joins(self, email: str, study: Study) -> None:
        """Let a member take part who was told the fingerprint, and share both weeks."""
        client = self._clients[email]
        write_export(client, self._day)
        settings = client.apps / PARTICIPANT / "settings.toml"
        write_settings(settings, TEMPLATE, {"max_epsilon_per_week": EPSILON})
        self.does(email, "participant", "install", "--aggregator", LEADER, "--fingerprint", study.fingerprint)
        box = Workspace(client.box, email, self._network.server_url, client.config)
        wait_until(lambda: not is_arriving(box, LEADER), PATIENCE_SECONDS, f"the first sync of {email} to be over")
        self.does(email, "participant", "run")

    def shares(self, email: str, reader: str) -> None:
        """Check that a member's reports reach a coordinator."""
        for week in WEEKS:
            self.travels(email, f"{SHARES}/{week}.bin", reader)

    def leaves(self, email: str) -> None:
        """Let a member withdraw, and wait until nothing that was shared is anywhere."""
        self.does(email, "participant", "withdraw")
        for week in WEEKS:
            name = f"{SHARES}/{week}.bin"

            def is_gone(name: str = name) -> bool:
                here = [each for each in EVERYBODY if self._read(each, email, name) is not None]
                return not here and self._on_the_server(email, name) is None

            wait_until(is_gone, PATIENCE_SECONDS, f"{name} of {email} to be gone")
            self._holders[f"{email}/{name}"] = set()
            self._note(f"{email} takes back {name}")

    def travels(self, sender: str, name: str, *readers: str) -> None:
        """Wait until a file in a sender's datasite is at its readers', byte for byte."""
        data = self._read(sender, sender, name)
        assert data is not None, name

        def has_arrived() -> bool:
            return all(self._read(reader, sender, name) == data for reader in readers)

        running = [reader for reader in readers if reader != sender]
        wait_until(has_arrived, PATIENCE_SECONDS, f"{name} of {sender} at {', '.join(running)}")
        self._holders.setdefault(f"{sender}/{name}", {sender}).update(readers)
        to = "all" if set(readers) == set(EVERYBODY) else ", ".join(running)
        self._note(f"{sender} -> {to}: {name}, {len(data):,} bytes")

    def reaches_the_server(self, sender: str, name: str) -> None:
        """Wait until the server has a file."""
        data = self._read(sender, sender, name)
        assert data is not None, name
        wait_until(lambda: self._on_the_server(sender, name) == data, PATIENCE_SECONDS, f"{name} on the server")
        self._note(f"{sender} -> server: {name}, {len(data):,} bytes")

    def published(self, reader: str, week: IsoWeek) -> dict[str, Any]:
        """Return what the leader says of a week, as a reader has it."""
        found: dict[str, Any] = json.loads(self._read(reader, LEADER, f"{RESULTS}/weeks/{week}.json") or b"")
        return found

    def the_figures_are_the_truth_within_the_noise(self, study: Study, week: IsoWeek) -> None:
        """Check every figure of a week against what those who stayed have watched, and what all are told of them."""
        catalogue = (self._clients[LEADER].datasite / RESULTS / "catalogue.csv").read_text(encoding="utf-8")
        rows = [row["show"] for row in csv.DictReader(catalogue.splitlines())]
        truth = np.array([sum(show in SHOWS[email] for email in STAY) for show in rows])
        with open_record(self._clients[LEADER].box / "private" / AGGREGATOR / RECORD) as record:
            sums: npt.NDArray[np.int64] = record.results()[week].total.sums
        bound = noised_sum_of(study).bound
        assert bound < len(STAY)  # else the noise would let anything pass
        assert np.abs(sums - truth).max() <= bound
        found = self.published(BYSTANDER, week)
        assert (found["participants"], found["final"], found["withheld"]) == (len(STAY), True, False)
        assert found["show"] == "Dark"
        for show in found["ranking"]:
            assert show["estimate"] == pytest.approx(sums[rows.index(show["show"])], abs=0.006)

    def a_further_pass_changes_nothing(self) -> None:
        """Check that both coordinators' later passes leave what they wrote to each other and of the weeks."""
        before = self._written()
        for email in (HELPER, LEADER):
            self.does(email, "aggregator", "run")
        assert self._written() == before

    def nobody_else_has_a_share_a_batch_or_an_answer(self) -> None:
        """Check that what is for one or two is with its writer and with them, in no other workspace, on no page."""
        found: dict[str, set[str]] = {}
        for email, client in self._clients.items():
            for name, _ in files_below(client.box / "datasites"):
                if CONFIDENTIAL.fullmatch(name):
                    found.setdefault(name, set()).add(email)
        expected = {
            name: holders for name, holders in self._holders.items() if CONFIDENTIAL.fullmatch(name) and holders
        }
        assert found == expected
        assert {len(holders) for name, holders in found.items() if SHARES in name} == {3}
        assert {len(holders) for name, holders in found.items() if EXCHANGE in name} == {2}
        for name in found:
            assert not re.search(b"NFT(SHARE|BATCH|REPLY)", fetch(f"{self._network.server_url}/datasites/{name}"))

    def nothing_private_lies_below_datasites_or_on_the_server(self) -> None:
        """Check all files that are synced, and all that the server keeps; and that there is no release file."""
        kept = [name for name, _ in self._network.served_files()]
        synced = [found[0] for name in kept if (found := re.search(r"[^/]+@[^/]+/.*", name))]
        assert set(self._holders) - set(synced) == {f"{LEAVES}/{SHARES}/{week}.bin" for week in WEEKS}
        for client in self._clients.values():
            for name, path in files_below(client.box / "datasites"):
                assert not name.endswith(RELEASE.rpartition("/")[2])
                if not path.is_symlink():
                    assert not is_private(path.read_bytes()), path
        for name, data in self._network.server_files():
            assert not is_private(name.encode() + b"\0" + data), name
            assert b"netflix_reduced" not in name.encode()
        others = {rest for name in synced if PARTICIPANT in (rest := name.partition("/")[2])}
        allowed = rf"api_data/{PARTICIPANT}/(device|{PERMISSIONS}|shares/(\d{{4}}-W\d\d\.bin|{PERMISSIONS}))"
        assert [name for name in others if not re.fullmatch(allowed, name)] == []

    def _written(self) -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for email in (LEADER, HELPER)
            for folder in (EXCHANGE, f"{RESULTS}/weeks")
            for path in (self._clients[email].datasite / folder).glob("*")
        }

    def _read(self, reader: str, sender: str, name: str) -> bytes | None:
        try:
            return (self._clients[reader].box / "datasites" / sender / name).read_bytes()
        except FileNotFoundError:
            return None

    def _on_the_server(self, sender: str, name: str) -> bytes | None:
        return next((data for key, data in self._network.served_files() if key.endswith(f"{sender}/{name}")), None)

    def _note(self, line: str) -> None:
        print(f"{self._day}  {line}")  # noqa: T201  # the transcript


def is_private(data: bytes) -> bool:
    """Tell whether the bytes have anything of a history, which all bear a mark, of a coordinator's keys or record."""
    lower = data.lower()
    signs = [mark("").encode(encoding) for encoding in ENCODINGS] + [PRIVATE_SCHEMA.encode(), b"create table batches"]
    return bool(private_things(data)) or any(sign in lower for sign in signs)


def test_the_search_finds_every_members_titles_and_the_coordinators_keys_and_record(tmp_path: Path) -> None:
    for email in MEMBERS:
        assert is_private(f"Dark: {mark(email)}1".upper().encode())
    assert is_private(Keys.generate().to_json())
    with open_record(tmp_path / RECORD):
        assert is_private((tmp_path / RECORD).read_bytes())
    assert not is_private(b"Dark")


def write_export(client: SyftBoxClient, day: date) -> None:
    """Place a member's export of a day into Downloads: the same shows in both weeks, and one that only they know."""
    rows = [
        (f"{show}: Season 1: {mark(client.email)}", week.first_day)
        for week in reversed(WEEKS)
        for show in [*SHOWS[client.email], f"Żółć {mark(client.email)}"]
    ]
    path: Path = client.home / "Downloads" / "NetflixViewingHistory.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("Title,Date\n" + "".join(f'"{title}","{on}"\n' for title, on in rows), encoding="utf-8")
    noon = time.mktime(datetime.combine(day, time_of_day(12)).timetuple())
    os.utime(path, (noon, noon))
