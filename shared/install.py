"""Putting an app into a SyftBox workspace: the same for both apps."""

from __future__ import annotations

import shlex
import sys
from typing import Final

from shared.files import write_if_changed
from shared.workspace import Workspace

_RUN: Final = """\
#!/bin/sh
# SyftBox starts this file. {command} install wrote it; called again it writes it anew.
# {mode_is_right}
exec {python} -I -m {module} run {mode}
"""


def write_run_script(workspace: Workspace, app: str, module: str) -> None:
    """Write `run.sh` in the mode that the member's client needs, for the interpreter that runs now."""
    stays_up = workspace.stays_up
    text = _RUN.format(
        command=f"netflix-trend-{module}",
        mode_is_right=(
            "This client starts it once and not again: it stays up."
            if stays_up
            else "This client starts it every ten seconds and waits for its end."
        ),
        python=shlex.quote(sys.executable),
        module=module,
        mode="--watch" if stays_up else "--once",
    )
    path = workspace.app(app) / "run.sh"
    write_if_changed(path, text.encode())
    path.chmod(0o755)
