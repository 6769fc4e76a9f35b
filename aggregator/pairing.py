"""Who the pair of coordinators is: their keys, the study that both publish, and one side's pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from aggregator.keys import ensure_keys, private_keys_path, published_keys
from aggregator.pair import IMPLAUSIBLE, Pair, Standing, help_leader, lead, report_verdicts
from aggregator.pair_record import RECORD, open_record
from aggregator.settings import read_settings
from aggregator.terms import TWO_COORDINATORS, Terms, read_terms
from shared import catalogue as catalogues
from shared import study as studies
from shared.errors import NotYet, SettingsError, StudyError
from shared.files import read_regular_file, write_if_changed
from shared.sharing import Role
from shared.study import Study, parse_study
from shared.week import IsoWeek
from shared.workspace import AGGREGATOR_APP, Workspace

_NO_PAIR: Final[Mapping[str, Any]] = {"leader": None, "helper": None}


@contextlib.contextmanager
def open_pair(workspace: Workspace, published: Mapping[str, Study], role: Role, today: date) -> Iterator[Pair]:
    """Yield this coordinator's side of the pair, in a role of the published studies that name its keys in it.

    Raises: SettingsError, LedgerError.
    """
    settings = read_settings(workspace.app(AGGREGATOR_APP) / "settings.toml")
    keys = ensure_keys(workspace)
    me = keys.coordinator(workspace.email)
    mine = {study_id: study for study_id, study in published.items() if getattr(study, role) == me}
    with open_record(workspace.private(AGGREGATOR_APP) / RECORD) as record:
        yield Pair(workspace, role, keys, record, mine, published, settings.counts, today)


def lead_pair(
    workspace: Workspace, terms: Terms, final: Mapping[IsoWeek, object], today: date
) -> dict[IsoWeek, Standing]:
    """Return where the weeks stand that this coordinator measures together with another; none if there is no other.

    Raises: SettingsError if the private keys that the current study names are not here.
    """
    if not any(study.leader for study in terms.published.values()):
        return {}
    with open_pair(workspace, terms.published, "leader", today) as pair:
        check_keys(pair, terms.study)
        return lead(pair, final)


def run_helper(workspace: Workspace, leader: str, now: datetime) -> str:
    """Do one pass as the helper of another coordinator: publish its study as well, and answer what it asks.

    Raises: NotYet while there is no study that names this helper.
    """
    terms = follow(workspace, leader)
    with open_pair(workspace, terms.published, "helper", now.date()) as pair:
        said = help_leader(pair, leader)
    answered = "; ".join(said) if said else "nothing new"
    return f"helper of {leader}, study {terms.study.id[:8]}, fingerprint {terms.study.fingerprint}: {answered}"


def follow(workspace: Workspace, leader: str) -> Terms:
    """Publish the leader's study and catalogue as they are, if it names this coordinator as helper; return the terms.

    Raises: NotYet while there is none; StudyError or CatalogueError if what is there cannot be followed; SettingsError
    if this coordinator has a study of its own.
    """
    me = ensure_keys(workspace).coordinator(workspace.email)
    theirs, ours = workspace.results(leader), workspace.results(workspace.email)
    before = read_terms(ours) if (ours / "study.json").exists() else None
    if before and before.study.trust == "one-coordinator":
        raise SettingsError(
            f"{workspace.email} coordinates a community of its own: help {leader} with another datasite, or set "
            f'leader = "" in settings.toml'
        )
    waiting = NotYet(
        f"waiting for a study of {leader} that names {workspace.email} as helper: they run netflix-trend-aggregator "
        f"study new --trust two-coordinators --helper {workspace.email}"
    )
    try:
        data = read_regular_file(theirs / "study.json", studies.MAX_BYTES)
        catalogue = read_regular_file(theirs / "catalogue.csv", catalogues.MAX_BYTES)
    except OSError:
        raise waiting from None
    study = parse_study(data)
    if study.helper is None or study.leader is None or study.helper.email != workspace.email:
        raise waiting
    if study.leader.email != leader or study.helper != me:
        raise StudyError(
            f"study {study.id[:8]} of {leader} names keys that are not here: they run study new again; until then "
            f"nothing is answered"
        )
    catalogues.parse_catalogue(catalogue)
    for each in (study, *(before.published.values() if before else ())):
        each.catalogue(catalogue)  # raises before anything is written that this helper could not read again
    write_if_changed(ours / "catalogue.csv", catalogue)
    write_if_changed(ours / "studies" / f"{study.id}.json", data)
    write_if_changed(ours / "study.json", data)
    return read_terms(ours)


def check_keys(pair: Pair, study: Study) -> None:
    """Stop where the study in force names keys of this coordinator that are not here.

    Raises: SettingsError.
    """
    if study.leader and study.leader.email == pair.workspace.email and study.id not in pair.studies:
        raise SettingsError(
            f"study {study.id[:8]} names other keys than those in {private_keys_path(pair.workspace)}: restore that "
            f"file from your backup, or run netflix-trend-aggregator study new for one with the keys that are here"
        )


def is_offered_by_both(workspace: Workspace, study: Study) -> bool:
    """Tell whether both coordinators publish this study, the same bytes: only then members join it."""
    found = set()
    for each in (study.leader, study.helper):
        try:
            path = workspace.results(each.email if each else workspace.email) / "study.json"
            found.add(read_regular_file(path, studies.MAX_BYTES))
        except OSError:
            return False
    return len(found) == 1


def pair_terms(
    workspace: Workspace, before: Study | None, stated: Mapping[str, Any], helper: str | None
) -> dict[str, Any]:
    """Return the terms of a new study that follow from who measures it: the pair with its keys, or one coordinator.

    Raises: StudyError if the helper is not named, or its keys are not here.
    """
    trust = stated.get("trust") or ("two-coordinators" if helper else before.trust if before else "one-coordinator")
    was_pair = bool(before and before.trust == "two-coordinators")
    if trust != "two-coordinators":
        if was_pair:
            return {**_NO_PAIR, "mechanism": "randomized-response", **stated}
        return dict(stated)
    named = helper or (before.helper.email if before and before.helper else None)
    if named is None:
        raise StudyError("two coordinators need a second one: name it with --helper EMAIL")
    leader = ensure_keys(workspace).coordinator(workspace.email)
    pair = {"trust": trust, "leader": leader, "helper": published_keys(workspace, named)}
    return {**({} if was_pair else TWO_COORDINATORS), **stated, **pair}


def standing_lines(workspace: Workspace, study: Study, weeks: Mapping[str, str]) -> Iterator[str]:
    """Yield what `status` says of the pair: roles, fingerprint, and what became of each week."""
    if not (study.leader and study.helper):
        return
    role = "leader" if study.leader.email == workspace.email else "helper"
    yield f"two coordinators: leader {study.leader.email}, helper {study.helper.email}; this is the {role}"
    yield f"fingerprint {study.fingerprint}: members compare it, told outside SyftBox by both of you"
    if not is_offered_by_both(workspace, study):
        yield "the other one does not publish this study yet: nobody joins it before"
    for week, what in weeks.items():
        yield f"  {week}  {what}"


def look_at_pair(
    workspace: Workspace, terms: Terms, today: date
) -> tuple[dict[str, str], dict[str, tuple[list[IsoWeek], str | None]]]:
    """Return what became of each week, in words, and the verdict on each datasite's reports. Nothing is published."""
    study = terms.study
    if not any(each.leader for each in terms.published.values()):
        return {}, {}
    role: Role = "helper" if study.helper and study.helper.email == workspace.email else "leader"
    with open_pair(workspace, terms.published, role, today) as pair:
        words = {str(week): f"answered with {number} reports" for week, number in pair.record.answered().items()}
        words |= {str(week): "asked the helper" for week in pair.record.batched()}
        for week, result in pair.record.results().items():
            people = f"measured, {result.total.participants} participants"
            words[str(week)] = people if result.plausible else f"{people}, withheld: {IMPLAUSIBLE}"
        return dict(sorted(words.items())), report_verdicts(pair)
