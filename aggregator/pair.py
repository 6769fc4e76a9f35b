"""Two coordinators who measure together: the leader's steps and the helper's. Each week is collected once.

The leader says in a batch which reports of a week it could open. The helper adds up its halves of those that it has as
well, adds the full noise, and answers once, whatever it is asked later. The leader adds its own halves of exactly these
reports and its own full noise: that is the noised sum, which is published. Files carry all of it; any of them may take
days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from aggregator.combine import Total
from aggregator.messages import Message, message_bytes, read_message, sign_message
from aggregator.pair_record import Batch, PairRecord, Result
from aggregator.reports import datasites_with_reports, find_reports, read_report
from shared.catalogue import MAX_ROWS
from shared.errors import ReportError
from shared.files import read_regular_file, write_if_changed
from shared.keys import Keys
from shared.mechanism import MAX_PARTICIPANTS, noised_sum_of
from shared.sharing import Half, Role, open_half, parse_report
from shared.study import Study
from shared.week import IsoWeek, latest_closed, still_open, weeks_between
from shared.wording import day, too_few
from shared.workspace import EVERYTHING, Workspace, permit

LATE_WEEKS: Final = 4
"""So long after its open time a week with too few reports is waited for; then a later one that is measured ends it."""
PATIENCE: Final = timedelta(days=1)
"""So long the helper waits for reports that the leader had: where it was off, SyftBox brings the batch before them."""
MOST_MESSAGE_BYTES: Final = min(message_bytes(MAX_PARTICIPANTS, MAX_ROWS), 10_000_000)  # more SyftBox does not carry
LEFT_OUT: Final = "reports that one coordinator could not open or did not have"
IMPLAUSIBLE: Final = "a figure is beyond what its participants can have given: somebody's share is wrong"


@dataclass(frozen=True)
class Pair:
    """One coordinator's side of the pair: what its steps work with."""

    workspace: Workspace
    role: Role
    keys: Keys
    record: PairRecord
    studies: Mapping[str, Study]
    """The studies that name these keys in this role, by id."""
    published: Mapping[str, Study]
    """All studies of this coordinator: weeks that were measured under keys that are lost stay measured."""
    counts: Callable[[str], bool]
    """Whether a datasite's reports count."""
    today: date

    @property
    def weeks(self) -> list[IsoWeek]:
        """The weeks that are over and that this record may collect."""
        last = latest_closed(self.today)
        first = last.plus(1 - max((study.open_weeks for study in self.studies.values()), default=1))
        key = self.keys.coordinator(self.workspace.email).hpke_public_key
        return weeks_between(self.record.first_week(key, first, last.plus(1)), last)

    def takes_reports(self, week: IsoWeek) -> bool:
        """Tell whether members may still share a week."""
        return any(still_open(week, study.open_weeks, self.today) for study in self.studies.values())

    def publish(self, name: str, data: bytes, reader: str) -> None:
        """Write a message into this coordinator's folder, for the other one alone."""
        folder = self.workspace.exchange(self.workspace.email)
        permit(folder, pattern=EVERYTHING, readers=[self.workspace.datasite(reader).name])
        write_if_changed(folder / name, data)

    def found(self, week: IsoWeek) -> list[tuple[str, str, str]]:
        """Return datasite, e-mail and path of each file of a week that counts."""
        return list(find_reports(self.workspace.datasites, week, self.counts))

    def opened(
        self, week: IsoWeek, files: Iterable[tuple[str, str, str]], wanted: Callable[[bytes], bool]
    ) -> Iterator[tuple[str, bytes, bytes, Study, Half]]:
        """Yield e-mail, id, bytes, study and half of each report in these files that is wanted and can be opened.

        Each report once: AES-GCM commits to no key, so members can make bytes that open under two addresses.
        """
        opened: set[bytes] = set()
        for _, email, path in files:
            try:
                data, report, study = read_report(path, week, self.studies)
                if report.id in opened or not wanted(report.id):
                    continue
                half = open_half(report, self.role, self.keys, study, email)
            except ReportError:
                continue
            opened.add(report.id)
            yield email, report.id, data, study, half


@dataclass(frozen=True)
class Standing:
    """What became of a week that two coordinators measure, as the leader publishes it."""

    study: Study
    participants: int
    """How many reports are in its figures, or how many there are so far."""
    total: Total | None
    """The noised sum; None while there is none, or where it is not plausible."""
    reason: str | None
    """Why the week is withheld; None if it is not."""
    done: bool
    """Whether it stays as it is."""
    few: bool = False
    """Whether nothing but more reports is waited for."""
    left_out: int = 0
    """How many of the files that were there when it was collected are not in it."""


def lead(pair: Pair, final: Mapping[IsoWeek, object]) -> dict[IsoWeek, Standing]:
    """Take every week as far as it goes now, and return where each stands; weeks that are `final` already are left out.

    A week with too few reports, for good or beside enough releases of an earlier study, is left out too.
    """
    results = pair.record.results()
    found = {}
    for week, result in results.items():
        found[week] = _measured(pair, result)
    for week in pair.weeks if pair.studies else ():
        if week not in results and week not in final and (standing := _advance(pair, week)):
            found[week] = standing
    left_out = pair.record.left_out()
    return {week: replace(standing, left_out=left_out.get(week, 0)) for week, standing in found.items()}


def _advance(pair: Pair, week: IsoWeek) -> Standing | None:
    batch = pair.record.batch(week)
    if batch:
        return _conclude(pair, week, batch)
    study = max(pair.studies.values(), key=lambda each: each.open_weeks)
    over = week.end + timedelta(weeks=study.open_weeks)
    files = pair.found(week)
    present = len(files)
    if pair.takes_reports(week):
        return _waiting(study, present, f"its counts are collected from {day(over)} on")
    if (pair.workspace.exchange(pair.workspace.email) / batch_name(week)).exists():
        return _waiting(study, present, "it was collected before, and the record of it is lost")
    batch = _collect(pair, week, files)
    if batch:
        return _conclude(pair, week, batch)
    if over + timedelta(weeks=LATE_WEEKS) <= pair.today:
        return None
    return _waiting(study, present, too_few(present, study.min_participants), few=True)


def _conclude(pair: Pair, week: IsoWeek, batch: Batch) -> Standing:
    """Publish the batch, and where the helper has answered, measure the week."""
    study = pair.published[batch.study]
    asked, _ = read_message(batch.message, "batch", week, [study])
    helper = study.helper.email if study.helper else ""
    pair.publish(batch_name(week), batch.message, helper)
    try:
        data = read_regular_file(pair.workspace.exchange(helper) / answer_name(week), MOST_MESSAGE_BYTES)
        answer, _ = read_message(data, "answer", week, [study])
    except (OSError, ReportError):
        answer = None
    if answer is None or not _answers(answer, asked, study) or answer.sums is None:
        return _waiting(study, len(asked.ids), f"{helper}, the second coordinator, has not answered yet")
    if study.id not in pair.studies:
        return _waiting(study, len(asked.ids), "the keys that it was shared for are lost")
    missing = set(asked.ids) - set(answer.ids)
    reports = (pair.record.report(week, report_id) for report_id in missing)
    halves = (open_half(parse_report(data), "leader", pair.keys, study, email) for email, data in reports)
    mechanism = noised_sum_of(study)
    mine = batch.sums - _sum(halves, study.catalogue_rows) + mechanism.draw(study.catalogue_rows)
    sums = (mine + answer.sums).view(np.int32).astype(np.int64)
    people = len(answer.ids)
    result = Result(study.id, Total(people, sums), mechanism.plausible(sums, people))
    pair.record.finish(week, result, len(missing))
    return _measured(pair, result)


def _answers(answer: Message, asked: Message, study: Study) -> bool:
    """Tell whether an answer is about reports of this batch, and about enough of them."""
    return set(answer.ids) <= set(asked.ids) and len(answer.ids) >= study.min_participants


def _collect(pair: Pair, week: IsoWeek, files: list[tuple[str, str, str]]) -> Batch | None:
    """Record the leader's batch of a week: the study that most reports are under counts. None if they are too few."""
    sums: dict[str, Half] = {}
    ids: dict[str, list[bytes]] = {}

    def kept() -> Iterator[tuple[bytes, str, str, bytes]]:
        for email, report_id, data, study, half in pair.opened(week, files, lambda _id: True):
            if len(ids.setdefault(study.id, [])) < MAX_PARTICIPANTS:
                ids[study.id].append(report_id)
                sums.setdefault(study.id, np.zeros(study.catalogue_rows, dtype=np.uint32))[:] += half
                yield report_id, study.id, email, data

    def conclude() -> Batch | None:
        study_id = max(ids, key=lambda each: len(ids[each]), default=None)
        if study_id is None or len(ids[study_id]) < pair.studies[study_id].min_participants:
            return None
        message = sign_message(Message(study_id, week, tuple(ids[study_id])), pair.keys)
        return Batch(study_id, message, sums[study_id], len(files) - len(ids[study_id]))

    return pair.record.begin(week, kept(), conclude)


def _sum(halves: Iterator[Half], rows: int) -> Half:
    """Return the sum of halves modulo 2^32, shape (rows,)."""
    total = np.zeros(rows, dtype=np.uint32)
    for half in halves:
        total += half
    return total


def _measured(pair: Pair, result: Result) -> Standing:
    study = pair.published[result.study]
    if result.plausible:
        return Standing(study, result.total.participants, result.total, None, done=True)
    return Standing(study, result.total.participants, None, IMPLAUSIBLE, done=True)


def _waiting(study: Study, participants: int, reason: str, *, few: bool = False) -> Standing:
    return Standing(study, participants, None, reason, done=False, few=few)


def help_leader(pair: Pair, leader: str) -> list[str]:
    """Answer what the leader asks, once for each week, and keep the answers published; return what is new.

    A week is refused that is not over, that this record may have answered before it was lost, or that has fewer
    reports here than the study's minimum: nothing is spent then. It is answered at once where all reports of the batch
    are here, and the next day where some are missing.
    """
    said = []
    answered = pair.record.answered()
    for week in pair.weeks:
        if week in answered or pair.takes_reports(week):
            continue
        mine = pair.workspace.exchange(pair.workspace.email) / answer_name(week)
        path = pair.workspace.exchange(leader) / batch_name(week)
        if mine.exists() or not path.exists():
            continue
        said.append(_answer(pair, week, path))
    for week in pair.record.answered():
        data = pair.record.answer(week)
        if data:
            pair.publish(answer_name(week), data, leader)
    return said


def _answer(pair: Pair, week: IsoWeek, path: Path) -> str:
    """Record the one answer to a batch; return what was done, or why not."""
    try:
        data = read_regular_file(path, MOST_MESSAGE_BYTES)
        batch, study = read_message(data, "batch", week, list(pair.studies.values()))
    except OSError:
        return f"{week}: the batch is no regular file of a batch's size"
    except ReportError as error:
        return str(error)
    wanted = frozenset(batch.ids)
    until = pair.record.first_asked(week, pair.today) + PATIENCE
    total = np.zeros(study.catalogue_rows, dtype=np.uint32)
    taken = []
    for _, report_id, _, of, half in pair.opened(week, pair.found(week), wanted.__contains__):
        if of.id == study.id:
            total += half
            taken.append(report_id)
    if len(taken) < study.min_participants:
        return f"{week}: {len(taken)} of {len(wanted)} reports are here, at least {study.min_participants} are needed"
    if len(taken) < len(wanted) and pair.today < until:
        return f"{week}: {len(taken)} of {len(wanted)} reports are here; the others are waited for until {until}"
    noised = total + noised_sum_of(study).draw(study.catalogue_rows)
    answer = sign_message(Message(study.id, week, tuple(taken), noised), pair.keys)
    pair.record.keep_answer(week, answer, len(taken))
    return f"{week}: answered with {len(taken)} reports"


def report_verdicts(pair: Pair) -> dict[str, tuple[list[IsoWeek], str | None]]:
    """Return for each datasite with reports which weeks of it this coordinator can open, and what is wrong, if any.

    Of the weeks that are not collected yet.
    """
    done = {*pair.record.results(), *pair.record.answered()}
    opened: dict[str, list[IsoWeek]] = {}
    wrong: dict[str, str] = {}
    for week in pair.weeks:
        if week in done:
            continue
        for datasite, email, path in find_reports(pair.workspace.datasites, week, lambda _email: True):
            try:
                _, report, study = read_report(path, week, pair.studies)
                open_half(report, pair.role, pair.keys, study, email)
                opened.setdefault(datasite, []).append(week)
            except ReportError as error:
                wrong[datasite] = f"report of {week}: {error}"
            if not pair.counts(email):
                wrong[datasite] = "the settings leave this datasite out"
    found = datasites_with_reports(pair.workspace.datasites)
    return {datasite: (opened.get(datasite, []), wrong.get(datasite)) for datasite in found}


def batch_name(week: IsoWeek) -> str:
    """Return the name of the leader's file about a week."""
    return f"batch-{week}.bin"


def answer_name(week: IsoWeek) -> str:
    """Return the name of the helper's file about a week."""
    return f"answer-{week}.bin"
