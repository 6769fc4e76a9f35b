"""One pass of the participant app: the order of its steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, cast
from zoneinfo import ZoneInfo

import pandas as pd

from participant.arrival import is_arriving
from participant.bound import bound_counts
from participant.dates import EARLIEST
from participant.exports import History, export_files, find_exports, read_exports
from participant.full_history import full_history_files, keep_full_history
from participant.history import DateOrder
from participant.ledger import REDUCED, SHARES, Draw, Ledger, open_ledger
from participant.publish import Found, examine_published, is_over, payload_of, release_file
from participant.reduce import Counts, count_views
from participant.settings import Settings, local_zone, read_settings
from participant.shares import examine_reports, found_reports, share_files
from participant.terms import check_offered_by_both, helpers, published_studies, read_terms
from shared.catalogue import Catalogue
from shared.errors import (
    ClockError,
    DeviceElsewhere,
    FilesError,
    HistoryError,
    LimitReached,
    NetflixTrendError,
    NotYet,
    ProfileUnknown,
    SettingsError,
    StillArriving,
    WorkspaceError,
)
from shared.files import only_instance, read_regular_file, remove_litter, write_if_changed
from shared.mechanism import ExactCounts, randomizer_of
from shared.study import MAX_RELEASE_BYTES, Study
from shared.week import IsoWeek, latest_closed, still_open
from shared.wording import DOWNLOAD_PAGE, amount
from shared.workspace import (
    DEVICE_FILE,
    EVERYTHING,
    PARTICIPANT_APP,
    RELEASE_FILE,
    SHARE_SUFFIX,
    Workspace,
    permit,
)

LEDGER: Final = "ledger.sqlite"
DATE_ORDER: Final = "date_order"  # facts that the ledger keeps
TIME_ZONE: Final = "time_zone"
COORDINATOR: Final = "coordinator"
WITHDRAWN: Final = "withdrawn"
PUBLISHED: Final = "published"
SHARED: Final = "shared"
LIMITS: Final = "limits"
LAST_YEAR: Final = 2099
WARN_WEEKS: Final = 8  # so many weeks before the limit is reached, the app says so


@dataclass(frozen=True)
class Pass:
    """What one pass did: `line` is for the log and tells nothing of the history."""

    line: str
    released: tuple[IsoWeek, ...] = ()


def run(workspace: Workspace, now: datetime, home: Path) -> Pass:
    """Release every week that is due, and make the datasite hold what the ledger says. Repeating it changes nothing.

    `now` carries a time zone; `home` is where Downloads is.

    Raises: NetflixTrendError: the last good release stays in place.
    """
    settings = read_settings(workspace.app(PARTICIPANT_APP) / "settings.toml")
    with only_instance(workspace.private(PARTICIPANT_APP)), open_ledger(ledger_path(workspace)) as ledger:
        check_year(now)
        if ledger.fact(LIMITS) != settings.limits_json:
            ledger.note(LIMITS, settings.limits_json)
        now = now.astimezone(time_zone(settings, ledger))
        remove_litter(*folders_written(workspace))
        if ledger.fact(WITHDRAWN):  # finished, if it was interrupted or undone
            remove_published(workspace, ledger)
        check_part(workspace, settings, ledger)
        # Before the study is looked for: it may come meanwhile, and the rest after it.
        unsure = may_be_published_elsewhere(workspace, ledger, settings.aggregator)
        notes = [] if unsure else _publish(workspace, ledger, settings.aggregator, now)
        check_clock(ledger, now)
        study, catalogue = read_terms(workspace, settings.aggregator)
        if unsure:
            raise StillArriving(
                "waiting for SyftBox to finish its first sync: another device of yours may have published. If this "
                "lasts, restart SyftBox"
            )
        settings.check_limits(study)
        check_offered_by_both(workspace, study, settings.aggregator)
        try:
            history = read_history_of(settings, ledger, home)
        except ProfileUnknown as error:
            raise HistoryError(error.log_safe) from None
        keep_full_history(workspace, history.views)
        try:
            released = _release_due(ledger, settings, study, catalogue, history, now, workspace.email)
        finally:  # what was drawn before a limit stopped it is published
            notes += _publish(workspace, ledger, settings.aggregator, now)
        return Pass("; ".join([*notes, _summary(ledger, settings, study, history, released, now.date())]), released)


def read_history_of(settings: Settings, ledger: Ledger, home: Path) -> History:
    """Return the participant's history. The date order and the time zone are decided once, stored and kept.

    Raises: HistoryError; of its kinds, the message of ProfileUnknown is for a terminal alone.
    """
    history = read_exports(
        find_exports(settings.history, home, settings.profile),
        zone=time_zone(settings, ledger),
        date_order=settings.date_order,
        remembered=cast("DateOrder | None", ledger.fact(DATE_ORDER) or None),
        shortest=settings.shortest_view_seconds,
    )
    if history.date_order and not ledger.fact(DATE_ORDER):
        ledger.note(DATE_ORDER, history.date_order)
    return history


def time_zone(settings: Settings, ledger: Ledger) -> ZoneInfo:
    """Return the participant's time zone: as set, else as it was when it was first asked for.

    Raises: SettingsError if this machine does not say its zone.
    """
    name = settings.timezone or ledger.fact(TIME_ZONE)
    if not name:
        name = local_zone()
        ledger.note(TIME_ZONE, name)
    return ZoneInfo(name)


def ledger_path(workspace: Workspace) -> Path:
    """Return where the participant's ledger is."""
    return workspace.private(PARTICIPANT_APP) / LEDGER


def check_part(workspace: Workspace, settings: Settings, ledger: Ledger) -> None:
    """Stop unless this machine is the one that draws, for the coordinator of `install`, and its owner takes part.

    Raises: NotYet after a withdrawal; DeviceElsewhere if the datasite carries another device's identifier;
    SettingsError if the coordinator was changed by hand.
    """
    if ledger.fact(WITHDRAWN):
        raise NotYet(
            "you have withdrawn: nothing is published; to take part again, run netflix-trend-participant install "
            "--aggregator EMAIL"
        )
    installed_for = ledger.fact(COORDINATOR)
    if not settings.aggregator:
        raise SettingsError(
            "settings.toml: aggregator is empty; run netflix-trend-participant install --aggregator EMAIL"
        )
    if installed_for and settings.aggregator != installed_for:
        raise SettingsError(
            f"settings.toml: aggregator was changed from {installed_for} by hand; run netflix-trend-participant "
            f"withdraw, then install --aggregator {settings.aggregator}"
        )
    device = published_device(workspace)
    if device not in {"", ledger.device}:
        raise DeviceElsewhere(
            "another device of yours publishes already, or has withdrawn; this one steps aside. To make this one the "
            "device that publishes, run netflix-trend-participant install --take-over"
        )


def may_be_published_elsewhere(workspace: Workspace, ledger: Ledger, coordinator: str) -> bool:
    """Tell whether another device may have published without a trace here, because SyftBox is still bringing it."""
    return not ledger.weeks() and not published_device(workspace) and is_arriving(workspace, coordinator)


def check_year(now: datetime) -> None:
    """Raise ClockError if the year is none in which anybody takes part."""
    if not EARLIEST.year <= now.year <= LAST_YEAR:
        raise ClockError(f"this machine's clock says the year {now.year}: set it right")


def check_clock(ledger: Ledger, now: datetime) -> None:
    """Draw nothing while the clock says less than it did at the last draw: one of the two times is wrong.

    Raises: ClockError if it went back by more than a day.
    """
    if ledger.clock and now < ledger.clock - timedelta(days=1):
        raise ClockError(
            f"this machine's clock says {now.date()}, yet weeks were released on {ledger.clock.date()}: nothing new is "
            f"released, and weeks that are not over by this clock wait. Set it right; if it is right, run "
            f"netflix-trend-participant install"
        )


def published_device(workspace: Workspace) -> str:
    """Return what `device` in the datasite says: an identifier, one with the mark of a withdrawal, or nothing."""
    path = workspace.api_data(workspace.email) / DEVICE_FILE
    try:
        return read_regular_file(path, 1000).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise WorkspaceError(f"cannot read {path}: {error.strerror or error}; remove it") from None


def remove_published(workspace: Workspace, ledger: Ledger) -> None:
    """Take away what is published, and leave the mark that makes the member's other devices step aside."""
    folder = workspace.api_data(workspace.email)
    ledger.note(PUBLISHED, "")
    ledger.note(SHARED, "")
    try:
        (folder / RELEASE_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise FilesError(
            f"cannot remove what is published in {folder}: {error.strerror}; mend the permissions"
        ) from None
    _remove_reports(workspace.shares(workspace.email))
    if ledger.weeks() or ledger.blocked:
        write_if_changed(folder / DEVICE_FILE, f"{ledger.device} {WITHDRAWN}\n".encode())


def take_stock(
    workspace: Workspace, ledger: Ledger, coordinator: str, now: datetime, *, over: bool = False
) -> list[str]:
    """Before this machine takes over or takes back: adopt what is published, and draw nothing that may have been drawn.

    Where another device has published and its file is not here, or cannot be read in full, every week that is over by
    now may have been drawn: none of them is drawn here any more. The same where this machine takes `over` with an empty
    ledger and there is no file; and where weeks are shared with two coordinators, a file each: nothing tells that one
    has not arrived. Returns what it did, for the terminal.
    """
    device = published_device(workspace)
    empty = not ledger.weeks()
    shared = any(study.leader for study in _studies_of(workspace, ledger, coordinator).values())
    path = workspace.api_data(workspace.email) / RELEASE_FILE
    try:
        found = _examine(workspace, ledger, coordinator, now, read_regular_file(path, MAX_RELEASE_BYTES))
    except OSError:
        found = None
    notes = _record_adopted(workspace, ledger, coordinator, now, found) if found else []
    reports = _examine_reports(workspace, ledger, coordinator, now, found_reports(workspace.shares(workspace.email)))
    notes += _record_adopted(workspace, ledger, coordinator, now, reports)
    if reports.unreadable:
        ledger.block(latest_closed(now.date()))
    elsewhere = device.split(" ")[0] not in {"", ledger.device}
    if ((found is None or shared) and (elsewhere or (over and empty))) or (found and found.unreadable):
        ledger.block(latest_closed(now.date()))
        notes.append(f"nothing is drawn up to {ledger.blocked}: another device of yours may have released it")
    return notes


def _adopt_published(workspace: Workspace, ledger: Ledger, coordinator: str, now: datetime) -> list[str]:
    """Record what is published in the member's name and not in the ledger; return warnings.

    Raises: NotYet if it names a study that has not arrived: nothing may be drawn, and nothing written, before.
    """
    path = workspace.api_data(workspace.email) / RELEASE_FILE
    try:
        data = read_regular_file(path, MAX_RELEASE_BYTES)
    except OSError:
        if ledger.fact(PUBLISHED):  # it is gone: this ledger may be an older copy of the one that knew what was in it
            ledger.block(latest_closed(now.date()))
        return []
    found = _examine(workspace, ledger, coordinator, now, data)
    if found is None:  # it may hold weeks that were drawn before this ledger was lost or set back
        ledger.block(latest_closed(now.date()))
        return ["warning: the published file was damaged and is restored from the ledger"]
    _wait_for_studies(found, ledger, coordinator)
    return _record_adopted(workspace, ledger, coordinator, now, found)


def _wait_for_studies(found: Found, ledger: Ledger, coordinator: str) -> None:
    if any(ledger.blocked is None or week > ledger.blocked for week in found.unreadable):
        raise NotYet(
            f"waiting for the studies of {coordinator}: what you have published names one that is not here. "
            f"If this lasts, run netflix-trend-participant install --take-over to go on without it"
        )


def _record_adopted(workspace: Workspace, ledger: Ledger, coordinator: str, now: datetime, found: Found) -> list[str]:
    studies = _studies_of(workspace, ledger, coordinator)
    for draw in found.draws:
        ledger.record(draw, studies[draw.study], now)
    if found.spoiled:
        ledger.block(max(found.spoiled))
    number = len(found.draws)
    return [f"warning: kept and charged {amount(number, 'week')} published elsewhere"] if number else []


def _examine(workspace: Workspace, ledger: Ledger, coordinator: str, now: datetime, data: bytes) -> Found | None:
    studies = _studies_of(workspace, ledger, coordinator)
    return examine_published(data, ledger.draws(), studies, coordinator, now.date())


def _examine_reports(
    workspace: Workspace, ledger: Ledger, coordinator: str, now: datetime, reports: Mapping[IsoWeek, bytes | None]
) -> Found:
    studies = _studies_of(workspace, ledger, coordinator)
    return examine_reports(reports, ledger.draws(), studies, coordinator, now.date())


def _release_due(
    ledger: Ledger,
    settings: Settings,
    study: Study,
    catalogue: Catalogue,
    history: History,
    now: datetime,
    email: str,
) -> tuple[IsoWeek, ...]:
    """Draw and record every week that is closed, open for releases, covered by the export and not drawn yet.

    Which weeks these are depends on the calendar, the study and the export's time: never on what was watched.

    Raises: LimitReached at the participant's total, after recording what is within it.
    """
    draw = _drawing(study, email)
    due = due_weeks(ledger, study, history.made, now.date())
    counts: Counts = {}
    if due:
        recent = history.views[history.views["date"] >= pd.Timestamp(due[0].first_day)]
        counts = count_views(recent, catalogue)
    within = affordable_weeks(ledger, settings, study)
    for number, week in enumerate(due):
        if number == within:
            raise LimitReached(
                f"your limit max_epsilon_total = {settings.max_epsilon_total:g} is reached (spent "
                f"{ledger.spent():g}): nothing new is released. To go on, raise it in settings.toml"
            )
        form, payload = draw(bound_counts(counts.get(week, {}), study), week)
        ledger.record(Draw(week, study.id, form, payload, "drawn", settings.aggregator), study, now)
    return tuple(due)


def _drawing(study: Study, email: str) -> Callable[[ExactCounts, IsoWeek], tuple[str, bytes]]:
    """Return what makes a week's bounded counts into what is released of them: its form and its bytes."""
    if study.trust == "two-coordinators":
        from shared.sharing import share_counts  # its ciphers take a while to import

        return lambda counts, week: (SHARES, share_counts(counts, study, week, email))
    noise = randomizer_of(study).noise
    return lambda counts, _week: (REDUCED, payload_of(noise(counts)))


def affordable_weeks(ledger: Ledger, settings: Settings, study: Study) -> int:
    """Return how many more weeks of a study the participant's total allows."""
    total, spent, each = (Decimal(repr(loss)) for loss in (settings.max_epsilon_total, ledger.spent(), study.epsilon))
    return max(0, int((total - spent) / each))  # as people count: with floats 0.3 holds 0.1 twice


def due_weeks(ledger: Ledger, study: Study, covered_until: date, today: date) -> list[IsoWeek]:
    """Return the weeks to draw now, oldest first.

    A study that keeps weeks open longer than those before it opens none again: that would cost the participant all at
    once, for weeks that were final.
    """
    drawn = ledger.weeks()
    last = latest_closed(today)
    open_weeks = min([study.open_weeks, *(earlier.open_weeks for earlier in ledger.studies().values())])
    recent = [last.plus(-back) for back in reversed(range(open_weeks))]
    return [
        week
        for week in recent
        if still_open(week, open_weeks, today)
        and week.end <= covered_until
        and week not in drawn
        and not (ledger.blocked and week <= ledger.blocked)
    ]


def _publish(workspace: Workspace, ledger: Ledger, coordinator: str, now: datetime) -> list[str]:
    """Make the datasite hold what the ledger says, readable by the coordinator alone; touch nothing that does.

    What has arrived there meanwhile is adopted first; the warnings about it are returned.
    """
    if published_device(workspace) not in {"", ledger.device}:
        raise DeviceElsewhere("another device of yours has begun to publish; this one steps aside")
    notes = _adopt_published(workspace, ledger, coordinator, now)
    notes += _adopt_reports(workspace, ledger, coordinator, now)
    draws, studies = ledger.draws(), _studies_of(workspace, ledger, coordinator)
    data, reports = release_file(draws, studies, now.date()), share_files(draws, studies, now.date())
    if data is not None or reports:
        claim(workspace, ledger, coordinator)
    if data is not None:
        write_if_changed(workspace.api_data(workspace.email) / RELEASE_FILE, data)
        if not ledger.fact(PUBLISHED):
            ledger.note(PUBLISHED, "yes")
    _publish_reports(workspace, ledger, reports, studies)
    return notes


def claim(workspace: Workspace, ledger: Ledger, coordinator: str) -> None:
    """Mark this machine as the one that draws, and let the coordinator alone read what it releases."""
    folder = workspace.api_data(workspace.email)
    permit(folder, pattern=RELEASE_FILE, readers=[workspace.datasite(coordinator).name])
    write_if_changed(folder / DEVICE_FILE, ledger.device.encode() + b"\n")


def _publish_reports(
    workspace: Workspace, ledger: Ledger, reports: Mapping[str, Draw], studies: Mapping[str, Study]
) -> None:
    """Make the folder of reports hold these, byte for byte, readable by the coordinators they are for."""
    folder = workspace.shares(workspace.email)
    if reports:
        pairs = [(study.leader, study.helper) for study in (studies[draw.study] for draw in reports.values())]
        emails = dict.fromkeys(each.email for pair in pairs for each in pair if each)
        permit(folder, pattern=EVERYTHING, readers=[workspace.datasite(email).name for email in emails])
    for name, draw in reports.items():
        write_if_changed(folder / name, draw.payload)
    _remove_reports(folder, reports)
    if reports and not ledger.fact(SHARED):
        ledger.note(SHARED, "yes")


def _remove_reports(folder: Path, kept: Collection[str] = ()) -> None:
    """Remove weeks that are not kept, and what is none of ours: somebody may have made a folder of such a name."""
    for path in folder.glob(f"*{SHARE_SUFFIX}"):
        try:
            if path.name not in kept and not path.is_dir():
                path.unlink(missing_ok=True)
        except OSError as error:
            raise FilesError(f"cannot remove {path}: {error.strerror}; mend the permissions") from None


def _adopt_reports(workspace: Workspace, ledger: Ledger, coordinator: str, now: datetime) -> list[str]:
    """Record the reports in the datasite of weeks that the ledger does not have; return warnings.

    Where all of them are gone, this ledger may be an older copy of the one that knew what was in them.

    Raises: see _adopt_published.
    """
    reports = found_reports(workspace.shares(workspace.email))
    if not reports and ledger.fact(SHARED):
        ledger.block(latest_closed(now.date()))
    found = _examine_reports(workspace, ledger, coordinator, now, reports)
    _wait_for_studies(found, ledger, coordinator)
    return _record_adopted(workspace, ledger, coordinator, now, found)


def _studies_of(workspace: Workspace, ledger: Ledger, coordinator: str) -> dict[str, Study]:
    """Return the studies that a coordinator has published, also those whose file is missing at the moment."""
    used = {draw.study for draw in ledger.draws() if draw.coordinator == coordinator}
    remembered = {study_id: study for study_id, study in ledger.studies().items() if study_id in used}
    return {**remembered, **published_studies(workspace, coordinator)}


def _summary(
    ledger: Ledger, settings: Settings, study: Study, history: History, released: tuple[IsoWeek, ...], today: date
) -> str:
    """Return the line for the log: what was released, what it cost, what comes next."""
    spent = ledger.spent()
    done = f"released {', '.join(map(str, released))}" if released else "nothing new to release"
    earlier = [draw.study for draw in ledger.draws() if draw.week not in released]
    if released and earlier and earlier[-1] != study.id:
        done += f" under study {study.id[:8]}, new: epsilon {study.epsilon:g} per {study.unit}"
    weeks = amount(len(ledger.weeks()), "week")
    line = f"{done}; {weeks} in all, epsilon {spent:g} of your limit {settings.max_epsilon_total:g}"
    if ahead := sorted(week for week in ledger.weeks() if not is_over(week, today)):
        line += f"; {len(ahead)} drawn while the clock ran ahead, {ahead[0]} to {ahead[-1]}, wait until they are over"
    left = affordable_weeks(ledger, settings, study)
    if left <= WARN_WEEKS:
        line += f" (enough for {amount(left, 'more week')}; max_epsilon_total in settings.toml is the limit)"
    if not history.covers(latest_closed(today)):
        line += f"; for the weeks since, download your history anew from {DOWNLOAD_PAGE}"
    return line


def folders_written(workspace: Workspace) -> list[Path]:
    """Return every folder in which the app writes files."""
    return [
        workspace.app(PARTICIPANT_APP),
        workspace.private(PARTICIPANT_APP),
        full_history_files(workspace)[0].parent,
        workspace.api_data(workspace.email),
        workspace.shares(workspace.email),
    ]


def watched_files(workspace: Workspace, home: Path) -> list[str]:
    """Return every file and folder that the outcome of a pass depends on, present or not."""
    settings_file = workspace.app(PARTICIPANT_APP) / "settings.toml"
    watched = [workspace.config, settings_file, ledger_path(workspace), workspace.my_datasite, workspace.apps]
    published = workspace.api_data(workspace.email)
    watched += [published / name for name in (RELEASE_FILE, DEVICE_FILE, "syftperm.yaml", "syft.pub.yaml")]
    shares = workspace.shares(workspace.email)
    watched += [
        shares,
        *(shares / name for name in ("syftperm.yaml", "syft.pub.yaml")),
        *shares.glob(f"*{SHARE_SUFFIX}"),
    ]
    watched += full_history_files(workspace)
    with contextlib.suppress(NetflixTrendError):
        settings = read_settings(settings_file)
        results = workspace.results(settings.aggregator)
        watched += [results / "study.json", results / "catalogue.csv", results / "studies"]
        watched += [workspace.results(helper) / "study.json" for helper in helpers(workspace, settings.aggregator)]
        watched += export_files(settings.history, home)
    return [str(path) for path in watched]
