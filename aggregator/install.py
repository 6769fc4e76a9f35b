"""Putting the aggregator app into the coordinator's workspace, and removing it."""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.keys import FILE as PUBLIC_KEYS
from aggregator.keys import ensure_keys, private_keys_path
from aggregator.settings import TEMPLATE, read_settings
from aggregator.terms import read_terms
from shared.errors import NotYet, SettingsError
from shared.files import PATIENCE, only_instance
from shared.glance import STAMP
from shared.install import mark_uninstalled, remove, write_run_script
from shared.promise import ANYONE, promise
from shared.settings import write_settings
from shared.wording import DOWNLOAD_PAGE
from shared.workspace import AGGREGATOR_APP, Workspace, check_email


def install_aggregator(workspace: Workspace, leader: str | None = None) -> Iterator[str]:
    """Write run.sh and settings.toml into the client's app folder; yield what was done and what happens next.

    Repeating it updates both and keeps what the person changed in settings.toml. With a `leader` this becomes the
    helper, the second of two coordinators.
    """
    folder = workspace.app(AGGREGATOR_APP)
    if leader is not None and check_email(leader) == workspace.email:
        raise SettingsError(f"{leader} is this datasite: the helper of a leader is somebody else")
    write_settings(folder / "settings.toml", TEMPLATE, {"leader": check_email(leader)} if leader else {})
    leader = read_settings(folder / "settings.toml").leader
    ensure_keys(workspace)
    write_run_script(workspace, AGGREGATOR_APP, "aggregator")
    yield f"installed in {folder}"
    yield f"workspace: {workspace.box}, datasite {workspace.email}, client config {workspace.config}"
    if not workspace.my_datasite.is_dir():
        yield "your datasite's folder is not here yet: start SyftBox"
    yield f"private keys: {private_keys_path(workspace)}. Keep a copy: weeks shared for lost keys are never told"
    starts = "within seconds" if workspace.stays_up else "every ten seconds"
    if leader:
        yield f"helper of {leader}: SyftBox brings them your keys, {workspace.results(workspace.email) / PUBLIC_KEYS}"
        yield f"send {leader} this line:"
        yield f"  netflix-trend-aggregator study new --trust two-coordinators --helper {workspace.email}"
        yield f"next: while SyftBox is running it starts the app by itself, {starts}; it publishes that study as well"
        yield "then: tell your members the fingerprint that netflix-trend-aggregator status prints, outside SyftBox"
        return
    trusted = ""
    try:
        study = read_terms(workspace.results(workspace.email)).study
    except NotYet:
        yield (
            f"next: while SyftBox is running it starts the app by itself, {starts}; the first run publishes the "
            f"default study. For other terms, before that: netflix-trend-aggregator plan --people N, then study new"
        )
    else:
        trusted = study.fingerprint
        yield f"study: {study.id[:8]} is published. {promise(study, ANYONE)}"
        yield f"next: while SyftBox is running it starts the app by itself, {starts}"
    yield "then: a result each week, once enough members have released it; netflix-trend-aggregator status lists them"
    yield (
        f"send this to your members: start SyftBox (https://syftbox.net), download your history from {DOWNLOAD_PAGE} "
        f"(Download all), leave it in Downloads, and then, in a terminal:"
    )
    yield "  pip install netflix-trend"
    fingerprint = f' --fingerprint "{trusted}"' if trusted else ""
    yield f"  netflix-trend-participant install --aggregator {workspace.email}{fingerprint}"
    yield f"the page will be at {workspace.results_url}"


def uninstall_aggregator(workspace: Workspace) -> Iterator[str]:
    """Remove the app from the client's app folder; yield what was done and what stays."""
    folder, private = workspace.app(AGGREGATOR_APP), workspace.private(AGGREGATOR_APP)
    with only_instance(private, PATIENCE):
        remove(folder, private / STAMP, private / "last_error.txt")
        mark_uninstalled(workspace, AGGREGATOR_APP)
    yield f"removed {folder}: nothing new is added up or published"
    yield (
        f"kept {workspace.results(workspace.email)}, which stays public: study and results. Members' apps go on "
        f"releasing under that study; tell them to withdraw, or remove the folder to take the results down"
    )
    yield f"kept {private}, private: the sums of the final weeks; install goes on from them"
    yield "the program itself: pip uninstall netflix-trend"
