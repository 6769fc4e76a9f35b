"""Putting the participant app into a workspace, taking back what it published, and removing it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from participant.app import (
    COORDINATOR,
    LIMITS,
    WITHDRAWN,
    claim,
    ledger_path,
    may_be_published_elsewhere,
    published_device,
    read_history_of,
    remove_published,
    take_stock,
)
from participant.full_history import full_history_files
from participant.history import DateOrder
from participant.ledger import Ledger, open_ledger
from participant.settings import TEMPLATE, Settings, check_fingerprint, read_settings
from shared.errors import NetflixTrendError, SettingsError, WorkspaceError
from shared.files import PATIENCE, only_instance
from shared.glance import STAMP
from shared.install import mark_uninstalled, remove, write_run_script
from shared.settings import read_toml, write_settings
from shared.workspace import PARTICIPANT_APP, REPORT_FILE, Workspace, check_email

_TAKEN_BACK: Final = (
    "withdrawn: no figure of yours is published any more; a random identifier stays, device, which keeps your other "
    "machines from publishing. Final weeks keep what you added, and a copy someone made stays a copy, noised as it was"
)
_REMOVED: Final = (REPORT_FILE, STAMP, "last_error.txt")


def install_participant(
    workspace: Workspace,
    aggregator: str | None,
    histories: Sequence[str],
    now: datetime,
    *,
    take_over: bool,
    profile: str | None = None,
    date_order: DateOrder | None = None,
    fingerprint: str | None = None,
) -> str:
    """Write run.sh and settings.toml into the client's app folder; return what was done and read.

    Repeating it updates both and keeps what the person changed in settings.toml.

    Raises: SettingsError if there is no coordinator, or another one than before; WorkspaceError if it is too early to
    take over; LedgerError.
    """
    path = workspace.app(PARTICIPANT_APP) / "settings.toml"
    with (
        only_instance(workspace.private(PARTICIPANT_APP), PATIENCE),
        open_ledger(ledger_path(workspace)) as ledger,
    ):
        before = str(read_toml(path, "").get("aggregator", "")) if path.exists() else ""
        before = ledger.fact(COORDINATOR) or before.lower()
        coordinator = check_email(aggregator or before) if aggregator or before else ""
        if not coordinator:
            raise SettingsError("name the coordinator: netflix-trend-participant install --aggregator EMAIL")
        if before and coordinator != before:
            raise SettingsError(
                f"this app takes part with {before}; to change to {coordinator}, first take back what is published"
                f"{'' if ledger.weeks() else ' (nothing is yet: nothing is lost)'}: netflix-trend-participant withdraw"
            )
        if take_over and may_be_published_elsewhere(workspace, ledger, coordinator):
            raise WorkspaceError(
                "SyftBox is still bringing what your other devices have published: run this again in half a minute"
            )
        changes: dict[str, object] = {"aggregator": coordinator}
        if not path.exists() and (limits := ledger.fact(LIMITS)):  # removing the app does not loosen them
            changes |= json.loads(limits)
        if histories:
            changes["history"] = [_absolute(text) for text in histories]
        if profile:
            changes["profile"] = profile
        if date_order:
            changes["date_order"] = date_order
        if fingerprint and check_fingerprint(fingerprint):  # the member's word: these two, and no others
            trusted = read_toml(path, "").get("trust", []) if path.exists() else []
            changes["fingerprint"] = fingerprint
            changes["trust"] = list(dict.fromkeys([*(trusted or ["one-coordinator"]), "two-coordinators"]))
        write_settings(path, TEMPLATE, changes)
        settings = read_settings(path)
        returns = published_device(workspace) == f"{ledger.device} {WITHDRAWN}"
        notes = take_stock(workspace, ledger, coordinator, now, over=True) if take_over else []
        if take_over or returns:
            claim(workspace, ledger, coordinator)
        ledger.note(COORDINATOR, coordinator)
        ledger.note(WITHDRAWN, "")
        ledger.set_clock(now)
        read = _read(settings, ledger)
        write_run_script(workspace, PARTICIPANT_APP, "participant")
    return "\n".join([f"installed in {path.parent}", *notes, *read])


def withdraw_participant(workspace: Workspace, now: datetime) -> str:
    """Remove what is published and forget the coordinator; the ledger keeps every draw, also those of other devices.

    What the coordinator has read is not taken back by this: it stays theirs, under the promise it was released under.
    """
    path = workspace.app(PARTICIPANT_APP) / "settings.toml"
    with (
        only_instance(workspace.private(PARTICIPANT_APP), PATIENCE),
        open_ledger(ledger_path(workspace)) as ledger,
    ):
        take_stock(workspace, ledger, ledger.fact(COORDINATOR), now)
        done = _TAKEN_BACK if ledger.weeks() or ledger.blocked else "withdrawn: nothing of yours was published"
        ledger.note(WITHDRAWN, "yes")
        remove_published(workspace, ledger)
        ledger.note(COORDINATOR, "")
        if path.exists():
            write_settings(path, TEMPLATE, {"aggregator": ""})
    return f"{done}. To take part again: netflix-trend-participant install --aggregator EMAIL"


def uninstall_participant(workspace: Workspace, now: datetime) -> str:
    """Take back what this machine published and remove the app with what it kept of the history; the ledger stays.

    What another device of the member publishes stays as it is.
    """
    folder, private = workspace.app(PARTICIPANT_APP), workspace.private(PARTICIPANT_APP)
    if not folder.exists() and not ledger_path(workspace).exists():
        return "nothing is installed here, and nothing of yours is published from here"
    done = []
    with only_instance(private, PATIENCE), open_ledger(ledger_path(workspace)) as ledger:
        mine = published_device(workspace).split(" ")[0] in {"", ledger.device}
    if mine:
        withdraw_participant(workspace, now)
        done.append(_TAKEN_BACK)
    with only_instance(private, PATIENCE):
        history, link = full_history_files(workspace)
        remove(folder, history, link, *(private / name for name in _REMOVED))
        for parent in (history.parent, link.parent):
            with contextlib.suppress(OSError):  # something else is in it
                parent.rmdir()
        mark_uninstalled(workspace, PARTICIPANT_APP)
    done.append(f"removed {folder} and what the app kept of your history; your exports stay where you put them")
    done.append(
        f"kept {ledger_path(workspace)}, private: it knows which weeks were released, so that none is ever drawn "
        f"again, which would tell more about you; taking part again goes on from it"
    )
    done.append("the program itself: pip uninstall netflix-trend")
    return "\n".join(done)


def _absolute(text: str) -> str:
    """Return `name=path` or `path` with an absolute path: the app runs in another folder."""
    name, separator, path = text.partition("=")
    if not separator or "/" in name:
        return str(Path(text).expanduser().absolute())
    return f"{name}={Path(path).expanduser().absolute()}"


def _read(settings: Settings, ledger: Ledger) -> list[str]:
    """Return what the exports hold, in counts, or what to do where they cannot be read. For the terminal alone."""
    try:
        return read_history_of(settings, ledger, Path.home()).report()
    except NetflixTrendError as error:
        return [f"first: {error}"]
