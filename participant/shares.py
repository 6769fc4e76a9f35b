"""The reports of a study with two coordinators: which files the ledger asks for, and which of those found to keep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from participant.ledger import SHARES, Draw
from participant.publish import Found, is_over
from shared.catalogue import MAX_ROWS
from shared.errors import ReportError
from shared.files import read_regular_file
from shared.sharing import parse_report, report_bytes
from shared.study import Study
from shared.week import IsoWeek
from shared.workspace import SHARE_SUFFIX

_NAME: Final = re.compile(rf"(\d{{4}}-W\d\d){re.escape(SHARE_SUFFIX)}")


def share_files(draws: Sequence[Draw], published: Mapping[str, Study], today: date) -> dict[str, Draw]:
    """Return the report of each week that is to be published, by file name: as it was recorded, byte for byte.

    Only weeks of studies that the current coordinator has published, as far back as the newest one's keeps. Of several
    draws of a week the first stands: coordinators take one report of a participant and week.
    """
    mine = {
        draw.week: draw
        for draw in reversed(draws)
        if draw.form == SHARES and draw.study in published and is_over(draw.week, today)
    }
    if not mine:
        return {}
    newest = max(mine)
    first = newest.plus(1 - published[mine[newest].study].weeks)
    return {f"{week}{SHARE_SUFFIX}": draw for week, draw in sorted(mine.items()) if week >= first}


def found_reports(folder: Path) -> dict[IsoWeek, bytes | None]:
    """Return the reports in a folder by week; None where a file that is named for a week cannot be read."""
    found: dict[IsoWeek, bytes | None] = {}
    for path in folder.glob(f"*{SHARE_SUFFIX}") if folder.is_dir() else ():
        named = _NAME.fullmatch(path.name)
        if not named:
            continue
        try:
            week = IsoWeek.parse(named[1])
        except ValueError:
            continue
        try:
            found[week] = read_regular_file(path, report_bytes(MAX_ROWS))
        except OSError:
            found[week] = None
    return found


def examine_reports(
    reports: Mapping[IsoWeek, bytes | None],
    known: Sequence[Draw],
    studies: Mapping[str, Study],
    coordinator: str,
    today: date,
) -> Found:
    """Return what is to be kept of reports in the datasite.

    Of a week that the ledger has there is nothing to keep: what was recorded is put back. A report of another week was
    made on another device, or before the ledger was lost.
    """
    drawn = {draw.week for draw in known}
    found = Found([], [], [])
    for week, data in reports.items():
        if week in drawn or not is_over(week, today):
            continue
        try:
            report = parse_report(data or b"")
        except ReportError:
            found.spoiled.append(week)
            continue
        study = studies.get(report.study)
        if study is None:
            found.unreadable.append(week)
        elif (report.week, report.rows) == (week, study.catalogue_rows) and study.trust == "two-coordinators":
            found.draws.append(Draw(week, study.id, SHARES, data or b"", "adopted", coordinator))
        else:
            found.spoiled.append(week)
    return found
