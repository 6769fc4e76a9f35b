"""Finding and reading the participant's export files, and keeping the full history where SyftBox never looks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from participant.history import DOWNLOAD_PAGE, DateOrder, merge_exports, read_history
from shared.errors import HistoryError
from shared.files import make_folder, read_regular_file, write_atomically
from shared.workspace import Workspace

MAX_BYTES: Final = 256_000_000
PATTERN: Final = "NetflixViewingHistory*.csv"
FULL_HISTORY: Final = "netflix_full.npy"


@dataclass(frozen=True)
class History:
    """All views of the exports together, and the last day that every profile's newest export was made after."""

    views: pd.DataFrame
    covered_until: date


def find_exports(stated: Sequence[str], home: Path) -> dict[str, list[Path]]:
    """Return the export files by profile: the stated ones (`path` or `name=path`), else the newest in ~/Downloads.

    Raises: HistoryError if none is there.
    """
    profiles: dict[str, list[Path]] = {}
    for text in stated:
        name, separator, path = text.partition("=")
        if not separator or "/" in name:
            name, path = "", text
        profiles.setdefault(name, []).append(Path(path).expanduser())
    if not profiles:
        downloads = home / "Downloads"
        found = sorted(downloads.glob(PATTERN), key=lambda path: (path.stat().st_mtime, path.name))
        if not found:
            raise HistoryError(
                f"no {PATTERN} in {downloads}: download your history from {DOWNLOAD_PAGE} (Download all), "
                f"or name the file under history in settings.toml"
            )
        profiles[""] = [found[-1]]
    return profiles


def export_files(stated: Sequence[str], home: Path) -> list[Path]:
    """Return every place where an export may appear or change."""
    try:
        found = [path for paths in find_exports(stated, home).values() for path in paths]
    except HistoryError:
        found = []
    return found if stated else [home / "Downloads", *found]


def read_exports(profiles: dict[str, list[Path]], date_order: DateOrder | None) -> History:
    """Return the views of all profiles, added up; several exports of one profile are merged.

    Raises: HistoryError, naming the file.
    """
    views, made = [], []
    for paths in profiles.values():
        readings = []
        days = []
        for path in paths:
            data, day = _read(path)
            try:
                readings.append(read_history(data, day, date_order).views)
            except HistoryError as error:
                raise type(error)(f"{path.name}: {error}") from None
            days.append(day)
        views.append(merge_exports(readings))
        made.append(max(days))
    return History(pd.concat(views, ignore_index=True), min(made))


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
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def full_history_files(workspace: Workspace) -> tuple[Path, Path]:
    """Return where the full history is, and the place in the datasite that links to it."""
    target = workspace.private("netflix_data") / FULL_HISTORY
    return target, workspace.my_datasite / "private" / "netflix_data" / FULL_HISTORY


def _read(path: Path) -> tuple[bytes, date]:
    try:
        data = read_regular_file(path.resolve(), MAX_BYTES)
        return data, datetime.fromtimestamp(path.stat().st_mtime).astimezone().date()
    except FileNotFoundError:
        raise HistoryError(
            f"no export at {path}: download it from {DOWNLOAD_PAGE} (Download all), or mend history in settings.toml"
        ) from None
    except OSError as error:
        raise HistoryError(f"cannot read {path}: {error.strerror or error}") from None
