"""Both apps on a real SyftBox network: what arrives at whom, what stays at home, and what outlasts a restart.

A coordinator who takes part too, five other participants (one joins late) and a bystander, each a real client.
Every title that is watched here carries its member's mark, so that a search of the bytes finds it wherever it went.
"""

import csv
import http.client
import json
import math
import re
import sqlite3
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aggregator.store import open_store
from demo.network import SyftBoxClient, SyftBoxNetwork, wait_until
from participant.ledger import open_ledger
from shared.week import IsoWeek, still_open
from tests.network.conftest import PATIENCE_SECONDS, Flavour

AGGREGATOR, PARTICIPANT = "netflix_trend_aggregator", "netflix_trend_participant"
COORDINATOR, LATECOMER, BYSTANDER = "coordinator@example.org", "emil@example.org", "zoe@example.org"
OTHERS = ["ann@example.org", "bob@example.org", "cleo@example.org", "dora@example.org"]
EARLY = [COORDINATOR, *OTHERS]
VIEWERS = [*EARLY, LATECOMER]

OPEN_WEEKS = 5
RECENT_WEEKS = 8  # more than are open: those before are released by nobody
CATALOGUE_SHOWS = ["Dark", "Elite", "Money Heist", "3%"]

PERMISSIONS = r"(syftperm\.yaml|syft\.pub\.yaml)"
RELEASE = f"api_data/{PARTICIPANT}/netflix_reduced.npy"
DEVICE = f"api_data/{PARTICIPANT}/device"
FULL_HISTORY = "private/netflix_data/netflix_full.npy"
RESULTS = f"public/{AGGREGATOR}"
RESULT_NAME = re.compile(
    rf"{RESULTS}/(study\.json|studies/[0-9a-f]{{64}}\.json|catalogue\.csv|most_common_show\.json|trends\.json|trends\.csv"
    rf"|weeks/\d{{4}}-W\d\d\.json|index\.html|feed\.xml|deployment\.yaml|keys\.json|{PERMISSIONS})"
)
RELEASE_NAME = re.compile(f"{RELEASE}|{DEVICE}|api_data/{PARTICIPANT}/{PERMISSIONS}")

Document = dict[str, Any]
Releases = dict[str, npt.NDArray[np.void]]


@pytest.mark.network
def test_the_trend_arrives_private_things_stay_and_restarts_lose_nothing(
    flavour: Flavour, network: SyftBoxNetwork
) -> None:
    community = Community(flavour, network)
    ann, bob, emil = (community.clients[email] for email in ("ann@example.org", "bob@example.org", LATECOMER))

    community.join(ann)
    the_app_waits_and_says_for_what(ann)
    address = community.coordinate()
    for email in (COORDINATOR, *OTHERS[1:]):
        community.join(community.clients[email])
    the_trend_reaches_the_bystander_and_is_the_sum_of_what_was_released(community, EARLY)
    the_server_shows_the_page_at(address, community)
    each_release_reaches_the_coordinator_alone(community, EARLY)
    the_commands_tell_what_happened(community, EARLY)

    before = community.published(EARLY), community.draws(EARLY)
    bob.stop()
    network.stop_server()
    community.join(emil)
    wait_until(lambda: community.release_of(emil).exists(), PATIENCE_SECONDS, "a release made without a server")
    network.start_server()
    bob.start()
    the_trend_reaches_the_bystander_and_is_the_sum_of_what_was_released(community, VIEWERS)
    assert (community.published(EARLY), community.draws(EARLY)) == before

    community.command(bob, "netflix-trend-participant", "withdraw")
    still_in = [email for email in VIEWERS if email != bob.email]
    the_trend_reaches_the_bystander_and_is_the_sum_of_what_was_released(community, still_in)
    each_release_reaches_the_coordinator_alone(community, still_in)
    the_commands_tell_what_happened(community, still_in)
    assert community.draws(EARLY) == before[1]

    nothing_lies_below_datasites_but_what_the_design_names(community)
    nothing_private_is_on_the_server(community)
    nothing_private_is_in_any_file_but_its_owners_own(community)
    the_search_finds_a_leak_once_there_is_one(community)


class Community:
    """The members of one network, and what they do."""

    def __init__(self, flavour: Flavour, network: SyftBoxNetwork) -> None:
        self.network = network
        self._flavour = flavour
        added = network.add_clients(*VIEWERS, BYSTANDER)
        self.clients = {client.email: client for client in added}
        self.coordinator, self.bystander = self.clients[COORDINATOR], self.clients[BYSTANDER]
        assert {client.apps.name for client in added} == {flavour.apps}
        for email in VIEWERS:
            write_export(self.clients[email])

    def command(self, client: SyftBoxClient, *arguments: str) -> str:
        """Return what one of our commands says in a member's place; it must succeed and cite no title."""
        done = self._flavour.command(client, *arguments)
        assert not private_things(f"{done.stdout} {done.stderr}".encode())
        return done.stdout

    def join(self, client: SyftBoxClient) -> None:
        """Install the participant app; SyftBox starts it."""
        self.command(client, "netflix-trend-participant", "install", "--aggregator", COORDINATOR)

    def coordinate(self) -> str:
        """Install the aggregator app; SyftBox starts it. Return the address that it names for the page."""
        said = self.command(self.coordinator, "netflix-trend-aggregator", "install")
        return said.split("the page will be at ")[1].strip()

    @staticmethod
    def release_of(client: SyftBoxClient) -> Path:
        """Return where a member publishes."""
        return client.datasite / RELEASE

    def results_at(self, client: SyftBoxClient) -> Path:
        """Return where the coordinator's results are in a member's workspace."""
        return client.box / "datasites" / COORDINATOR / RESULTS

    def published(self, emails: list[str]) -> dict[str, bytes]:
        """Return the bytes of the release files of members, as they are in their own workspaces."""
        return {email: self.release_of(self.clients[email]).read_bytes() for email in emails}

    def releases(self, emails: list[str]) -> Releases:
        """Return what members released, read as anybody would."""
        return {
            email: np.load(path, allow_pickle=False)
            for email in emails
            if (path := self.release_of(self.clients[email])).exists()
        }

    def draws(self, emails: list[str]) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that the ledgers of members say about draws."""
        found = {}
        for email in emails:
            ledger = self.clients[email].box / "private" / PARTICIPANT / "ledger.sqlite"
            with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
                found[email] = connection.execute("SELECT * FROM draws ORDER BY number").fetchall()
        return found


def mark(email: str) -> str:
    """Return what every title that a member watched contains: plain letters, to be found in any spelling."""
    return f"zqvx{email.partition('@')[0]}"


def write_export(client: SyftBoxClient) -> None:
    """Place a member's export into Downloads: in each week shows of the catalogue and shows that only they know."""
    monday = date.today() - timedelta(days=date.today().weekday())  # noqa: DTZ011  # as the app: the member's own day
    rows = []
    for back in range(1, RECENT_WEEKS + 1):
        day = monday - timedelta(days=7 * back - 3)
        token = f"{mark(client.email)}{back}"
        show = CATALOGUE_SHOWS[(VIEWERS.index(client.email) + back) % len(CATALOGUE_SHOWS)]
        rows += [
            (f"Dark: Season 1: Überraschung {token}", day),
            (f"{show}: Temporada {back}: «¿Qué pasó, {token}?»", day),
            (f"Żółć i Łąka {token}: 第{back}シーズン: Épisode {back}", day),
        ]
    path = client.home / "Downloads" / "NetflixViewingHistory.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("Title,Date\n")
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)


def the_app_waits_and_says_for_what(client: SyftBoxClient) -> None:
    """Check that an app that is there before the coordinator's study says in its log that it waits for it."""
    line = f"waiting for study.json of {COORDINATOR}"
    logs = client.apps / PARTICIPANT / "logs"

    def says_so() -> bool:
        return any(line in log.read_text(encoding="utf-8", errors="replace") for log in logs.glob("*"))

    wait_until(says_so, PATIENCE_SECONDS, f"{line!r} in {logs}")
    assert not Community.release_of(client).exists()


def the_trend_reaches_the_bystander_and_is_the_sum_of_what_was_released(
    community: Community, participants: list[str]
) -> None:
    """Check that the published JSON arrives through sync, each of its figures a closed form of the release files."""
    folder = community.results_at(community.bystander)

    def has_arrived() -> bool:
        releases, documents = community.releases(participants), read_results(folder)
        weeks = [IsoWeek.from_key(int(week)) for release in releases.values() for week in release["week"]]
        # A Monday may come while the test runs: then the oldest week is final and counts no more of what happens.
        counted = Counter(week for week in weeks if still_open(week, OPEN_WEEKS, date.today()))  # noqa: DTZ011
        published = {} if documents is None else weeks_of(documents, final=False)
        return (
            len(releases) == len(participants) == max(published.values(), default=0) and +Counter(published) == counted
        )

    wait_until(has_arrived, PATIENCE_SECONDS, f"the trend of {len(participants)} participants in {folder}")
    releases = community.releases(participants)
    sizes = {len(data) - releases[email].nbytes for email, data in community.published(participants).items()}
    assert len(sizes) == len({release.dtype for release in releases.values()}) == 1  # no size tells people apart
    documents = read_results(folder)
    assert documents
    for name in ("study.json", "catalogue.csv"):
        assert (folder / name).read_bytes() == (community.results_at(community.coordinator) / name).read_bytes()
    the_figures_are_sums_of(releases, documents, folder)


def read_results(folder: Path) -> dict[str, Document] | None:
    """Return the published documents by name once they have all arrived from one and the same pass."""
    try:
        found = {name: json.loads((folder / name).read_bytes()) for name in ("trends.json", "most_common_show.json")}
        for week in [*weeks_of(found, final=False), *weeks_of(found, final=True)]:
            name = f"weeks/{week}.json"
            found[name] = json.loads((folder / name).read_bytes())
    except (OSError, ValueError):
        return None
    return found if len({document["generated_at"] for document in found.values()}) == 1 else None


def weeks_of(documents: Mapping[str, Document], *, final: bool) -> dict[IsoWeek, int]:
    """Return the participants of each week, as the trends tell them, of those that are final or of the others."""
    weeks = documents["trends.json"]["weeks"]
    return {IsoWeek.parse(week["week"]): week["participants"] for week in weeks if week["final"] == final}


def the_figures_are_sums_of(releases: Releases, documents: dict[str, Document], folder: Path) -> None:
    """Check that every figure that is not final yet follows from the release files by the closed forms."""
    study = json.loads((folder / "study.json").read_bytes())
    with (folder / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        rows = {line["show"]: int(line["row"]) for line in csv.DictReader(file)}
    q = 1 / (1 + math.exp(study["epsilon"]))
    top = None
    estimates = {}
    ranks: dict[str, dict[str, int]] = {}
    for week in weeks_of(documents, final=False):
        document = documents[f"weeks/{week}.json"]
        cells = [release["count"][release["week"] == week.key] for release in releases.values()]
        counts = np.concatenate(cells).astype(np.int64)
        assert document["participants"] == len(counts)
        assert document["withheld"] == (len(counts) < study["min_participants"])
        if document["withheld"]:
            assert document["ranking"] == []
            continue
        assert counts.shape[1] == len(rows) == study["catalogue_rows"]
        assert set(np.unique(counts)) == {0, 1}
        estimate = (counts.sum(axis=0) - len(counts) * q) / (1 - 2 * q)
        estimates[str(week)] = estimate
        ranking = document["ranking"]
        shrunken = [show["shrunken"] for show in ranking]  # what the ranks go by
        assert shrunken == sorted(shrunken, reverse=True)
        ranks[str(week)] = {show["show"]: show["rank"] for show in ranking}
        assert list(ranks[str(week)].values()) == sorted(ranks[str(week)].values())
        assert ranking[0]["rank"] == 1
        for show in ranking:
            assert show["estimate"] == pytest.approx(estimate[rows[show["show"]]], abs=0.006)
            assert show["share"] == pytest.approx(estimate[rows[show["show"]]] / len(counts), abs=0.00001)
        assert {name: document[name] for name in ("show", "estimate", "share")}.items() <= ranking[0].items()
        top = document
    assert top
    assert documents["most_common_show.json"] == top
    for show in documents["trends.json"]["shows"]:
        for figures in show["weeks"]:
            if figures["week"] in estimates:
                estimate = estimates[figures["week"]]
                assert figures["estimate"] == pytest.approx(estimate[rows[show["show"]]], abs=0.006)
                assert figures["rank"] == ranks[figures["week"]].get(show["show"], figures["rank"])


def the_server_shows_the_page_at(address: str, community: Community) -> None:
    """Check that the address that install names shows the page, and that a release is shown to no passer-by."""
    page = community.results_at(community.coordinator) / "index.html"

    wait_until(lambda: fetch(address) == page.read_bytes(), PATIENCE_SECONDS, f"the page at {address}")
    for email in EARLY:
        assert b"NUMPY" not in fetch(f"{community.network.server_url}/datasites/{email}/{RELEASE}")


def fetch(address: str) -> bytes:
    """Return what a passer-by gets at an address on loopback, whatever the status; no proxy is asked."""
    parts = urllib.parse.urlsplit(address)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=30)) as connection:
        # The Python server fails on a request that does not say from whom it is.
        connection.request("GET", parts.path, headers={"User-Agent": "netflix-trend tests"})
        return connection.getresponse().read()


def each_release_reaches_the_coordinator_alone(community: Community, participants: list[str]) -> None:
    """Check that a release is at the coordinator's, byte for byte, and at nobody else's; `device` is at nobody's."""
    releases = community.published(participants)

    def at_the_coordinator() -> dict[str, bytes]:
        datasites = community.coordinator.box / "datasites"
        return {path.relative_to(datasites).parts[0]: path.read_bytes() for path in datasites.glob(f"*/{RELEASE}")}

    wait_until(lambda: at_the_coordinator() == releases, PATIENCE_SECONDS, "the releases at the coordinator")
    for client in community.clients.values():
        for member in set(VIEWERS) - {client.email}:
            theirs = client.box / "datasites" / member / "api_data" / PARTICIPANT
            expected = [theirs / "netflix_reduced.npy"] if client.email == COORDINATOR and member in releases else []
            assert [path for path in theirs.rglob("*") if not re.fullmatch(PERMISSIONS, path.name)] == expected


def the_commands_tell_what_happened(community: Community, participants: list[str]) -> None:
    """Check that both `status` commands run in these workspaces and say who takes part and what was released."""
    status = json.loads(community.command(community.coordinator, "netflix-trend-aggregator", "status", "--json"))
    assert sorted(entry["datasite"] for entry in status["accepted"]) == sorted(participants)
    assert status["rejected"] == []
    releases = community.releases(participants)
    for email in participants:
        said = community.command(community.clients[email], "netflix-trend-participant", "status")
        weeks = [f"{week // 100}-W{week % 100:02}" for week in releases[email]["week"].tolist()]
        assert re.findall(r"^  (\S+)", said, re.MULTILINE) == weeks
        assert str(community.release_of(community.clients[email])) in said


def nothing_lies_below_datasites_but_what_the_design_names(community: Community) -> None:
    """Check workspaces and server: results, releases, the link, and what a client makes without our apps."""
    # What SyftBox itself puts into a datasite is what the bystander has, who installed nothing.
    of_syftbox = {name for name, _ in files_below(community.bystander.datasite)}

    def allowed(name: str) -> bool:
        email, _, rest = name.partition("/")
        results = email == COORDINATOR and RESULT_NAME.fullmatch(rest)
        release = email in VIEWERS and RELEASE_NAME.fullmatch(rest)
        return bool(results or release or rest in of_syftbox or not rest)

    for client in community.clients.values():
        for name, path in files_below(client.box / "datasites"):
            if name == f"{client.email}/{FULL_HISTORY}" and client.email in VIEWERS:
                assert path.readlink() == client.box / FULL_HISTORY
            else:
                assert allowed(name), path
                assert not path.is_symlink(), path
    kept = [name for name, _ in community.network.server_files()]
    synced = [found[0] for name in kept if (found := re.search(r"[^/]+@[^/]+/.*", name))]
    assert [name for name in synced if not allowed(name)] == []
    assert {f"{email}/{RELEASE}" for email in [COORDINATOR, LATECOMER]} <= set(synced)


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and path of all that is no folder, symbolic links as themselves; not what is being written."""
    for path in sorted(folder.rglob("*")):
        being_written = path.name.startswith(".") and path.name.endswith(".tmp")
        if (path.is_symlink() or path.is_file()) and not being_written:
            yield path.relative_to(folder).as_posix(), path


# What must not travel, by what its bytes contain in lower case. A mark is plain letters: no escaping changes it.
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
PRIVATE = {
    "an export": (b"title,date",),
    "a history": (b"'descr': '<u",),
    "a ledger": (b"create table draws", b"a_week_is_drawn_once"),
    "the coordinator's record": (b"create table final_totals",),
    **{f"titles of {email}": tuple(mark(email).encode(encoding) for encoding in ENCODINGS) for email in VIEWERS},
}
PRIVATE_NAMES = (b"netflix_full", b"netflixviewinghistory", b"ledger.sqlite", b"weeks.sqlite")


def private_things(data: bytes) -> set[str]:
    """Return which private things are in the bytes."""
    lower = data.lower()
    return {thing for thing, signs in PRIVATE.items() if any(sign in lower for sign in signs)}


def test_the_search_finds_a_title_a_history_an_export_and_a_ledger_in_every_form(tmp_path: Path) -> None:
    title = f"Überraschung {mark(COORDINATOR)}1: Épisode 2".upper()
    for encoding in ENCODINGS:
        assert private_things(b"\0" + title.encode(encoding)) == {f"titles of {COORDINATOR}"}
    assert private_things(json.dumps({"line": title}).encode()) == {f"titles of {COORDINATOR}"}
    np.save(tmp_path / "history.npy", np.array([[title, "2026-11-16"]]))
    assert private_things((tmp_path / "history.npy").read_bytes()) == {"a history", f"titles of {COORDINATOR}"}
    assert private_things(b"Title,Date\nDark,2026-11-16\n") == {"an export"}
    with open_ledger(tmp_path / "ledger.sqlite"):
        assert private_things((tmp_path / "ledger.sqlite").read_bytes()) == {"a ledger"}
    with open_store(tmp_path / "weeks.sqlite"):
        assert private_things((tmp_path / "weeks.sqlite").read_bytes()) == {"the coordinator's record"}
    assert private_things(b"Dark, Stranger Things") == set()


def nothing_private_is_on_the_server(community: Community) -> None:
    """Check names and bytes of all that the server keeps, databases and logs included."""
    kept = list(community.network.server_files())
    for name, data in kept:
        assert private_things(name.encode() + b"\0" + data) == set(), name
        assert [secret for secret in PRIVATE_NAMES if secret in name.encode().lower() + b"\0" + data.lower()] == [], (
            name
        )
    # These were the files: the shows of the public catalogue are among them, and so is each release.
    assert any(b"Stranger Things" in data for _, data in kept)
    assert community.release_of(community.coordinator).read_bytes() in [data for _, data in kept]


def nothing_private_is_in_any_file_but_its_owners_own(community: Community) -> None:
    """Check all files of all members and all logs: private things are where their owner keeps them, nowhere else."""
    expected = {}
    for email in VIEWERS:
        client = community.clients[email]
        expected[client.home / "Downloads" / "NetflixViewingHistory.csv"] = {"an export", f"titles of {email}"}
        expected[client.box / FULL_HISTORY] = {"a history", f"titles of {email}"}
        expected[client.box / "private" / PARTICIPANT / "ledger.sqlite"] = {"a ledger"}
    expected[community.coordinator.box / "private" / AGGREGATOR / "weeks.sqlite"] = {"the coordinator's record"}
    found, logs = {}, 0
    for name, path in files_below(community.network.root):
        with suppress(FileNotFoundError):  # a client removed it meanwhile
            if not path.is_symlink() and (things := private_things(path.read_bytes())):
                found[path] = things
        logs += name.endswith(".log") and f"{PARTICIPANT}/logs/" in name
    assert found == expected
    assert logs >= len(VIEWERS)


def the_search_finds_a_leak_once_there_is_one(community: Community) -> None:
    """Check that a history that lies in a datasite as a real file, and so is uploaded, is found on the server."""
    client = community.clients[LATECOMER]
    (client.datasite / "private" / "leak.npy").write_bytes((client.box / FULL_HISTORY).read_bytes())

    def is_found() -> bool:
        return any("a history" in private_things(data) for _, data in community.network.server_files())

    wait_until(is_found, PATIENCE_SECONDS, "a planted leak on the server")
