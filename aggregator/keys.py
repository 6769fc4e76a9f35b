"""A coordinator's keys for measuring together with another: the private file, and the public one for all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aggregator.pair_record import RECORD, open_record
from shared import keys as formats
from shared.errors import SettingsError, StudyError
from shared.files import read_regular_file, write_atomically, write_if_changed
from shared.keys import Keys, format_public, parse_keys, parse_public
from shared.study import Coordinator
from shared.workspace import AGGREGATOR_APP, EVERYTHING, Workspace, permit

FILE: Final = "keys.json"


def private_keys_path(workspace: Workspace) -> Path:
    """Return where the private keys are: the file to back up."""
    return workspace.private(AGGREGATOR_APP) / FILE


def ensure_keys(workspace: Workspace) -> Keys:
    """Return this coordinator's keys, made at the first call, and publish their public halves.

    New keys are noted in the record of what was collected: where it does not know the keys, an earlier one is lost.

    Raises: SettingsError if the private file is damaged, FilesError or LedgerError if it cannot be written.
    """
    path = private_keys_path(workspace)
    if not path.exists():
        new = Keys.generate()
        with open_record(workspace.private(AGGREGATOR_APP) / RECORD) as record:
            record.note_new(new.coordinator(workspace.email).hpke_public_key)
        write_atomically(path, new.to_json(), private=True)
    try:
        keys = parse_keys(read_regular_file(path, formats.MAX_BYTES))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror or error}; restore it from your backup") from None
    results = workspace.results(workspace.email)
    permit(results, pattern=EVERYTHING, readers=["*"])
    write_if_changed(results / FILE, format_public(keys.coordinator(workspace.email)))
    return keys


def published_keys(workspace: Workspace, email: str) -> Coordinator:
    """Return another coordinator as its public keys say, once they have arrived.

    Raises: StudyError if they are not here, broken, or another's.
    """
    path = workspace.results(email) / FILE
    try:
        found = parse_public(read_regular_file(path, formats.MAX_BYTES))
    except OSError:
        raise StudyError(
            f"no keys of {email} at {path}: they run netflix-trend-aggregator install --leader {workspace.email}, and "
            f"SyftBox brings their keys"
        ) from None
    if found.email != email:
        raise StudyError(f"the keys at {path} are those of {found.email}")
    return found
