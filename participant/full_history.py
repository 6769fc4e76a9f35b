"""Keeping the full history where SyftBox never looks."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from shared.errors import FilesError
from shared.files import make_folder, read_regular_file, write_atomically
from shared.workspace import Workspace

FULL_HISTORY: Final = "netflix_full.npy"
_MOST_BYTES: Final = 2**32


def keep_full_history(workspace: Workspace, views: pd.DataFrame) -> None:
    """Keep the full history outside the synced tree, and a symbolic link to it inside, which no client follows.

    The link is a file's worth of nothing to SyftBox: it uploads real files only. A real file at the link's place
    would be uploaded, so it is never written there, and one that is found there is replaced by the link.
    """
    target, link = full_history_files(workspace)
    text = np.column_stack(
        [views["title"].to_numpy(dtype=str), views["date"].dt.strftime("%Y-%m-%d").to_numpy(dtype=str)]
    )
    buffer = io.BytesIO()
    np.save(buffer, text, allow_pickle=False)
    if not target.is_file() or target.read_bytes() != buffer.getvalue():
        write_atomically(target, buffer.getvalue(), private=True)
    if not (link.is_symlink() and link.readlink() == target):
        make_folder(link.parent)
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
        except OSError as error:
            raise FilesError(f"cannot link {link}: {error.strerror}; mend what is in its place") from error


def read_full_history(workspace: Workspace) -> pd.DataFrame | None:
    """Return the views that were kept, as `keep_full_history` was given them; None if there are none that are whole."""
    try:
        data = read_regular_file(full_history_files(workspace)[0], _MOST_BYTES)
        text = np.load(io.BytesIO(data), allow_pickle=False)
        dates = pd.to_datetime(pd.Series(text[:, 1]), format="%Y-%m-%d")
        return pd.DataFrame({"title": text[:, 0].astype(object), "date": dates})
    except (OSError, ValueError, EOFError, IndexError):
        return None


def full_history_files(workspace: Workspace) -> tuple[Path, Path]:
    """Return where the full history is, and the place in the datasite that links to it."""
    target = workspace.private("netflix_data") / FULL_HISTORY
    return target, workspace.my_datasite / "private" / "netflix_data" / FULL_HISTORY
