"""Putting an app into a SyftBox workspace and removing it: the same for both apps."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

from shared.errors import FilesError
from shared.files import make_folder, write_atomically, write_if_changed
from shared.runner import UNINSTALLED
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
    with contextlib.suppress(OSError):
        (workspace.private(app) / UNINSTALLED).unlink(missing_ok=True)


def remove(*paths: Path) -> None:
    """Remove files, and folders with all that is in them; of a symbolic link, the link alone.

    Raises: FilesError if the machine refuses.
    """
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise FilesError(f"cannot remove {path}: {error.strerror}; mend the permissions") from None


def mark_uninstalled(workspace: Workspace, app: str) -> None:
    """Let an instance of the app that stays up come to its end."""
    make_folder(workspace.private(app), private=True)
    write_atomically(workspace.private(app) / UNINSTALLED, b"", private=True)
