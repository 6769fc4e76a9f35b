"""One pass of the aggregator app: the order of its steps."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from aggregator import registry
from aggregator.collect import Rules, Verdict, newest_week, watched_releases
from aggregator.combine import Total, Totals, estimate
from aggregator.keys import FILE as KEYS
from aggregator.open_weeks import OpenWeeks, open_sums
from aggregator.pair import LEFT_OUT, Standing
from aggregator.pair_record import RECORD
from aggregator.pairing import lead_pair, run_helper
from aggregator.reports import datasites_with_reports, watched_reports
from aggregator.results import Results, Week
from aggregator.settings import read_settings
from aggregator.store import Store, open_store
from aggregator.terms import Terms, ensure_terms, publish_record, read_terms
from shared.errors import NetflixTrendError
from shared.files import only_instance, remove_litter, write_if_changed
from shared.week import IsoWeek, latest_closed, still_open, weeks_between
from shared.workspace import AGGREGATOR_APP, EVERYTHING, Workspace, permit

STORE: Final = "weeks.sqlite"
SUMS: Final = "open_weeks.sqlite"


def run(workspace: Workspace, now: datetime, executor: Executor | None = None) -> str:
    """Add up everyone's releases and publish the results; return the line for the log. Repeating it changes nothing.

    The releases are read and summed by `executor`, in this thread without one.

    Raises: NetflixTrendError: the last results stay in place.
    """
    results_folder = workspace.results(workspace.email)
    private = workspace.private(AGGREGATOR_APP)
    if leader := read_settings(workspace.app(AGGREGATOR_APP) / "settings.toml").leader:
        with only_instance(private):
            remove_litter(*_folders_written(workspace))
            return run_helper(workspace, leader, now)
    with only_instance(private), open_store(private / STORE) as store:
        remove_litter(*_folders_written(workspace))
        permit(results_folder, pattern=EVERYTHING, readers=["*"])
        terms = ensure_terms(results_folder)
        publish_record(results_folder, terms.study, now.date())
        last = latest_closed(now.date())
        with _summed(workspace, store, terms, now, executor) as (rules, sums):
            reasons = sums.reasons()
            totals = sums.totals()
            flagged = sums.flagged()
        # A clock set back leaves no week: the first one is shown then, as it was.
        weeks = weeks_between(rules.first, last) or [rules.first]
        known = Terms(terms.study, store.remember({}), terms.catalogue)
        standings = lead_pair(workspace, known, store.final(), now.date())
        accepted = reasons.pop(None, 0)
        rejected = Counter({reason.value: number for reason, number in reasons.items() if reason})
        if left_out := sum(standing.left_out for standing in standings.values()):
            rejected[LEFT_OUT] = left_out
        community = uuid5(NAMESPACE_URL, f"mailto:{workspace.email}")
        counted = _weeks(store, known, totals, weeks, now.date(), standings)
        results = Results(terms.catalogue, counted, rejected, flagged, community)
        changed = _publish(results_folder, results, now)
        sharing = len(datasites_with_reports(workspace.datasites)) if known.study.leader else 0
    outcome = "published new results" if changed else "nothing new"
    flags = f" ({flagged} flagged)" if flagged else ""
    shared = f", {sharing} sharing with two coordinators" if sharing else ""
    return f"{outcome}: {accepted} datasites accepted{flags}, {rejected.total()} rejected{shared}; {_top_line(results)}"


def verdicts(workspace: Workspace, now: datetime, patience: float) -> Iterator[Verdict]:
    """Yield what becomes of each datasite's release file, as it is now. Nothing is published.

    `patience` is for how many seconds to wait for a pass to end.

    Raises: NotYet if no study is published yet.
    """
    terms = read_terms(workspace.results(workspace.email))
    private = workspace.private(AGGREGATOR_APP)
    with (
        only_instance(private, patience),
        open_store(private / STORE) as store,
        _summed(workspace, store, terms, now, None) as (_, sums),
    ):
        yield from sums.verdicts()


@contextlib.contextmanager
def _summed(
    workspace: Workspace, store: Store, terms: Terms, now: datetime, executor: Executor | None
) -> Iterator[tuple[Rules, OpenWeeks]]:
    """Yield what decides which releases count, and their sums, in line with the release files."""
    settings = read_settings(workspace.app(AGGREGATOR_APP) / "settings.toml")
    known = store.remember(terms.published)
    studies = {study_id: study for study_id, study in known.items() if study.trust == "one-coordinator"}
    first = store.first_week(latest_closed(now.date()).plus(1 - terms.study.open_weeks))
    rules = Rules(studies, newest_week(now), first, frozenset(store.final()))
    basis = json.dumps([settings.members, settings.blocked, sorted(studies), str(first)])
    with open_sums(workspace.private(AGGREGATOR_APP) / SUMS) as sums:
        sums.update(workspace.datasites, rules, settings.counts, basis, time.time_ns(), executor)
        yield rules, sums


def _weeks(
    store: Store,
    terms: Terms,
    totals: Totals,
    weeks: list[IsoWeek],
    today: date,
    standings: Mapping[IsoWeek, Standing] = MappingProxyType({}),
) -> list[Week]:
    """Return these weeks with their estimates, and make those final whose time for releases is over.

    By the clock, and by the releases: a week that is younger than every release may have been made by a clock that ran
    ahead, and what it closed for good would be lost. One that two coordinators measure (`standings`) is withheld until
    both have, and final then.
    """
    final = store.final()
    newest = max((*totals, *final, *(week for week, each in standings.items() if each.done)), default=None)
    found = []
    for week in weeks:
        standing = standings.get(week)
        if standing and standing.few and _participants(totals.get(week, {})) >= terms.study.min_participants:
            standing = None  # an earlier study has measured it
        if standing and not standing.done:
            found.append(_withheld(week, standing, final=False))
            continue
        over = week.end <= today and not still_open(week, terms.study.open_weeks, today)
        if over and week not in final and newest and week <= newest:
            final[week] = dict(totals.get(week, {}))
            if standing and standing.total:
                final[week][standing.study.id] = standing.total
            store.finish(week, final[week])
        if standing and standing.reason:
            found.append(_withheld(week, standing, final=week in final))
            continue
        added = _of_one_kind(final.get(week, totals.get(week, {})), terms)
        # A week is told under the weakest promise, and withheld under the strictest minimum, that a release of it had.
        studies = [terms.published[study_id] for study_id in added] or [terms.study]
        weakest = max(studies, key=lambda study: study.epsilon)
        least = max(study.min_participants for study in studies)
        estimates = None
        if _participants(added) >= least:
            estimates = estimate(week, added, terms.published, len(terms.catalogue))
        found.append(Week(week, _participants(added), week in final, estimates, weakest, least))
    return found


def _withheld(week: IsoWeek, standing: Standing, *, final: bool) -> Week:
    """Return a week that two coordinators have not measured yet, or not soundly."""
    study = standing.study
    return Week(week, standing.participants, final, None, study, study.min_participants, standing.reason)


def _of_one_kind(added: Mapping[str, Total], terms: Terms) -> dict[str, Total]:
    """Return the totals that count viewers, or those that count views: whichever more participants have."""
    kinds: dict[bool, dict[str, Total]] = {True: {}, False: {}}
    for study_id, total in added.items():
        kinds[terms.published[study_id].max_views_per_show == 1][study_id] = total
    return max(kinds.values(), key=_participants)


def _participants(added: Mapping[str, Total]) -> int:
    return sum(total.participants for total in added.values())


def _publish(folder: Path, results: Results, now: datetime) -> bool:
    """Write the results if they say anything new, `index.html` last; tell whether they did.

    When nothing but the time would change, nothing is written: every write would be carried to everyone.
    """
    try:
        made = datetime.fromisoformat(json.loads((folder / "trends.json").read_bytes())["generated_at"])
    except (OSError, ValueError, KeyError, TypeError):
        made = now
    before = results.files(made)
    if all((folder / name).is_file() and (folder / name).read_bytes() == data for name, data in before.items()):
        return False
    for name, data in results.files(now).items():
        write_if_changed(folder / name, data)
    return True


def _top_line(results: Results) -> str:
    document = results.documents["most_common_show.json"]
    if document["withheld"]:
        return f"{document['week']} is withheld: {document['reason']}"
    low, high = document["interval95"]
    sure = "" if document["conclusive"] else ", not conclusive"
    return (
        f"most common show of {document['week']}: {document['show']}, {document['estimate']:.1f} "
        f"[{low:.1f}, {high:.1f}] of {document['participants']} participants{sure}"
    )


def _folders_written(workspace: Workspace) -> list[Path]:
    """Return every folder in which the app writes files."""
    results = workspace.results(workspace.email)
    inside = [results / name for name in ("", "weeks", "studies")]
    exchange = workspace.exchange(workspace.email)
    return [workspace.app(AGGREGATOR_APP), workspace.private(AGGREGATOR_APP), exchange, *inside]


def watched_files(workspace: Workspace) -> list[str]:
    """Return every file and folder that the outcome of a pass depends on, present or not."""
    folder = workspace.results(workspace.email)
    own = ("study.json", "catalogue.csv", "studies", KEYS, "syftperm.yaml", "syft.pub.yaml", "weeks", registry.FILE)
    results = ("most_common_show.json", "trends.json", "trends.csv", "feed.xml", "index.html")
    watched = [workspace.config, workspace.apps, workspace.app(AGGREGATOR_APP) / "settings.toml", workspace.datasites]
    watched += [workspace.private(AGGREGATOR_APP) / STORE, *(folder / name for name in (*own, *results))]
    every = [watched_releases(workspace.datasites)]
    if others := partners(workspace):
        watched += [workspace.private(AGGREGATOR_APP) / name for name in (RECORD, KEYS)]
        watched += [workspace.results(email) / name for email in others for name in ("study.json", "catalogue.csv")]
        for email in (workspace.email, *others):  # what they write to each other
            watched += [workspace.exchange(email), *workspace.exchange(email).glob("*.bin")]
        every.append(watched_reports(workspace.datasites))
    return [*map(str, watched), *every]


def partners(workspace: Workspace) -> list[str]:
    """Return the other coordinators with whom this one measures, or has measured; none if it cannot be told now."""
    with contextlib.suppress(NetflixTrendError):
        if leader := read_settings(workspace.app(AGGREGATOR_APP) / "settings.toml").leader:
            return [leader]
        published = read_terms(workspace.results(workspace.email)).published.values()
        return sorted({study.helper.email for study in published if study.helper})
    return []
