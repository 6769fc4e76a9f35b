"""Finding and opening the reports of a week that is measured by two coordinators. Files come from strangers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from shared.catalogue import MAX_ROWS
from shared.errors import ReportError
from shared.files import read_regular_file
from shared.glance import EACH, each
from shared.sharing import Report, parse_report, report_bytes
from shared.study import Study
from shared.week import IsoWeek
from shared.workspace import PARTICIPANT_APP, SHARE_SUFFIX, SHARES

_FOLDER: Final = f"api_data/{PARTICIPANT_APP}/{SHARES}"


def watched_reports(datasites: Path) -> str:
    """Return the path that stands for all folders of reports, for `shared.glance`."""
    return f"{datasites}{EACH}{_FOLDER}"


def find_reports(datasites: Path, week: IsoWeek, counts: Callable[[str], bool]) -> Iterator[tuple[str, str, str]]:
    """Yield datasite, e-mail address and path of each member's file for a week, in the order of the addresses.

    Of one address in several cases only one is yielded, that in lower case if there is one. `counts` tells whether a
    datasite's reports count.
    """
    name = f"{_FOLDER}/{week}{SHARE_SUFFIX}"
    spelled: dict[str, str] = {}
    for datasite, _ in sorted(each(str(datasites), name), reverse=True):  # lower case sorts last
        spelled.setdefault(datasite.lower(), datasite)
    for email, datasite in sorted(spelled.items()):
        if counts(email):
            yield datasite, email, f"{datasites}/{datasite}/{name}"


def datasites_with_reports(datasites: Path) -> list[str]:
    """Return the datasites that have a folder of reports."""
    return sorted(name for name, _ in each(str(datasites), _FOLDER))


def read_report(path: str, week: IsoWeek, studies: Mapping[str, Study]) -> tuple[bytes, Report, Study]:
    """Return a file's bytes, the report in it, and its study.

    Raises: ReportError if it is no report of this week under one of these studies.
    """
    try:
        data = read_regular_file(path, report_bytes(MAX_ROWS))
    except OSError:
        raise ReportError("it is no regular file of a report's size") from None
    report = parse_report(data)
    study = studies.get(report.study)
    if study is None or report.week != week:
        raise ReportError("it is of another week, or of a study that is not in force here")
    return data, report, study
