"""One pass of the aggregator app: the order of its steps."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Final

from aggregator.collect import Rejected, collect, release_paths
from aggregator.combine import Total, Totals, add, estimate
from aggregator.results import Results, Week
from aggregator.settings import read_settings
from aggregator.store import Store, open_store
from aggregator.terms import Terms, ensure_terms
from shared.errors import NotYet
from shared.files import locked, write_if_changed
from shared.week import IsoWeek, latest_closed, still_open, weeks_between
from shared.workspace import AGGREGATOR_APP, EVERYTHING, Workspace, permit

STORE: Final = "weeks.sqlite"


def run(workspace: Workspace, now: datetime) -> str:
    """Add up everyone's releases and publish the results; return the line for the log. Repeating it changes nothing.

    Raises: NetflixTrendError: the last results stay in place.
    """
    settings = read_settings(workspace.app(AGGREGATOR_APP) / "settings.toml")
    results_folder = workspace.results(workspace.email)
    with only_instance(workspace), open_store(workspace.private(AGGREGATOR_APP) / STORE) as store:
        permit(results_folder, pattern=EVERYTHING, reader="*")
        terms = ensure_terms(results_folder)
        totals: Totals = {}
        rejected: Counter[str] = Counter()
        accepted = 0
        for verdict in collect(workspace.datasites, terms.published, settings.counts, now):
            if isinstance(verdict, Rejected):
                rejected[verdict.reason.value] += 1
            else:
                accepted += 1
                add(totals, verdict.releases)
        results = Results(terms.study, terms.catalogue, _weeks(store, terms, totals, now.date()), rejected)
        changed = _publish(results_folder, results, now)
    outcome = "published new results" if changed else "nothing new"
    return f"{outcome}: {accepted} datasites accepted, {rejected.total()} rejected; {_top_line(results)}"


@contextlib.contextmanager
def only_instance(workspace: Workspace) -> Iterator[None]:
    """Hold this workspace's aggregator app for the block.

    Raises: NotYet if another instance is at work.
    """
    with locked(workspace.private(AGGREGATOR_APP) / "lock") as mine:
        if not mine:
            raise NotYet("another instance of the aggregator app is at work in this workspace; this one steps aside")
        yield


def _weeks(store: Store, terms: Terms, totals: Totals, today: date) -> list[Week]:
    """Return every closed week with its estimates, and make those final whose time for releases is over.

    The first is the first one with enough participants: a stranger who claims old weeks makes no week.
    """
    last, study = latest_closed(today), terms.study
    totals = {**totals, **store.final()}
    enough = [week for week, added in totals.items() if week <= last and _participants(added) >= study.min_participants]
    weeks = []
    for week in weeks_between(min(enough, default=last), last):
        added = totals.get(week, {})
        final = not still_open(week, study.open_weeks, today)
        if final:
            store.finish(week, added)
        estimates = None
        if _participants(added) >= study.min_participants:
            estimates = estimate(week, added, terms.published, len(terms.catalogue))
        weeks.append(Week(week, _participants(added), final, estimates))
    return weeks


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


def watched_files(workspace: Workspace) -> list[str]:
    """Return every file and folder that the outcome of a pass depends on, present or not."""
    folder = workspace.results(workspace.email)
    own = ("study.json", "catalogue.csv", "studies", "syftperm.yaml", "syft.pub.yaml", "weeks")
    results = ("most_common_show.json", "trends.json", "trends.csv", "index.html")
    watched = [workspace.config, workspace.apps, workspace.app(AGGREGATOR_APP) / "settings.toml", workspace.datasites]
    watched += [workspace.private(AGGREGATOR_APP) / STORE, *(folder / name for name in (*own, *results))]
    watched += [path for _, path in release_paths(workspace.datasites)]
    return [str(path) for path in watched]


def next_change(now: datetime) -> datetime:
    """Return when the calendar alone gives a pass something to do: the next Monday, where the coordinator is."""
    monday = datetime.combine(IsoWeek.of(now.date()).end, time.min)
    return monday.astimezone(now.tzinfo)
