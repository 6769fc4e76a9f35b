"""Whether SyftBox may still be bringing what another device of the member has published, as far as its traces tell.

A client that is new on a machine fetches the coordinator's study and the member's own files in one go, in no order that
it promises. An app that drew as soon as the study is there could draw what another device has drawn before.
"""

from __future__ import annotations

import json
import time
from typing import Final

from shared.workspace import Workspace

SETTLED_SECONDS: Final = 20.0
"""A study that came longer ago came with an earlier round of sync: the Go client's rounds are five seconds apart, the
Python clients' one, and a file that failed is fetched again in the next."""


def is_arriving(workspace: Workspace, coordinator: str) -> bool:
    """Tell whether a client is at work here, and its first sync is under way or just over."""
    if not (workspace.has_python_client or (workspace.box / ".data").is_dir()):
        return False  # neither a Python nor a Go client has been here: nothing will come
    try:
        came = (workspace.results(coordinator) / "study.json").stat().st_mtime
    except OSError:
        return True  # it may come while the pass goes on
    fetching = workspace.has_python_client and _has_fetched_nothing(workspace)
    return abs(time.time() - came) < SETTLED_SECONDS or fetching


def _has_fetched_nothing(workspace: Workspace) -> bool:
    """Tell whether a Python client is within its first download: what it has fetched it notes at the end of it."""
    try:
        return not json.loads((workspace.box / "plugins" / "local_syncstate.json").read_bytes())["states"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True  # it is not there yet, or being written
