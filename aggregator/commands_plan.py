"""`netflix-trend-aggregator plan`: what a study would show, before there is one."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Final, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from aggregator.plan import (
    CATALOGUES,
    DEFAULT_EPSILON,
    EPSILONS,
    NAMED,
    PAIR,
    TOP_SHARES,
    Prospect,
    by_merit,
    people_needed,
    prospects,
    shortlist,
    studies,
)
from shared.commands import examples
from shared.errors import StudyError
from shared.screen import Column, print_lines, print_table, screen
from shared.study import Study, Trust

_SHORTLIST: Final = 4  # of each trust
_LEGEND: Final = (
    "a week costs    the epsilon of all of a week together, for a member who watches more than nine in ten do",
    "shows           that can be counted: the most watched ones of the catalogue",
    "true top first  how often one week's figures would put the show that most watched first",
    "interval        how far a show's figure may be off, in 95 of 100 cases; as a share of the top show's",
    "top 10          how many of the ten shows ranked highest would be among the true ten",
)


@click.command(
    epilog=examples(
        "netflix-trend-aggregator plan --people 40",
        "netflix-trend-aggregator plan --people 300 --epsilon 1 --epsilon 2 --rows 500",
    )
)
@click.option("--people", type=click.IntRange(1, 10_000_000), required=True, help="How many you expect to take part.")
@click.option("--shares", help="Shares of them who watch the leading shows a week (0.2,0.15,0.12,0.1,0.08).")
@click.option("--epsilon", "epsilons", type=float, multiple=True, help="Compare these (0.5, 1, 2, 4).")
@click.option("--rows", type=click.IntRange(1), multiple=True, help="Compare catalogues of so many shows.")
@click.option("--all", "everything", is_flag=True, help="List every study compared, not only the best.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    people: int,
    shares: str | None,
    epsilons: tuple[float, ...],
    rows: tuple[int, ...],
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Tell before a study exists what it would show, and what to choose. Needs no workspace.

    For each unit, cap, mechanism, epsilon and catalogue size, with one coordinator and with two: how likely the true
    top show is ranked first by one week's plain estimates (the published ranking also uses earlier weeks and does
    better), how wide the intervals are, and what a whole week costs a member.
    """
    top_shares = _parse(shares) if shares else TOP_SHARES
    studied = studies(rows or CATALOGUES, epsilons or EPSILONS)
    if {study.trust for study in studied} != set(get_args(Trust)):
        raise StudyError("none of these studies is sound: name an epsilon above 0 and at most 30")
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{len(studied)} studies", total=len(studied))
        found = list(prospects(people, studied, top_shares, lambda done, _: bar.update(task, completed=done)))
        apart = [[each for each in found if each.trust == trust] for trust in ("one-coordinator", "two-coordinators")]
        chosen, shared = (by_merit(each)[0] for each in apart)
        default = Study(catalogue_rows=max(study.catalogue_rows for study in studied), catalogue_sha256="0" * 64)
        needed = people_needed(default, top_shares)
        pair_needed = people_needed(replace(default, **PAIR), top_shares)
    words = [*_words(chosen, needed), _pair_words(shared, pair_needed)]
    if as_json:
        studies_json = [each.to_json() for each in found]
        document = {"people": people, "top_shares": list(top_shares), "studies": studies_json}
        advice = {
            **chosen.to_json(),
            "reaches": chosen.named_first >= NAMED,
            "words": words,
            "command": _command(chosen),
        }
        pair_advice = {**shared.to_json(), "reaches": shared.named_first >= NAMED, "command": _command(shared)}
        document |= {"advice": advice, "people_needed_by_default": needed}
        document |= {"two_coordinators": pair_advice, "people_needed_by_two_coordinators": pair_needed}
        click.echo(json.dumps(document, indent=2))
        return
    listed = found if everything else [each for part in apart for each in shortlist(part, _SHORTLIST)]
    out = screen()
    print_lines(out, [*words, f"publish it with: {_command(chosen)}", ""])
    print_table(out, _COLUMNS, map(_row, listed), f"What {people:,} people would see each week")
    print_lines(out, _LEGEND)
    if len(listed) < len(found):
        print_lines(out, [f"these are the best of {len(found)} studies; all of them: --all"])


def _parse(text: str) -> tuple[float, ...]:
    """Return shares written with commas between them, in per cent where one says so."""
    try:
        shares = [
            float(part.removesuffix("%")) / (100 if part.endswith("%") else 1) for part in re.split(r"[,\s]+", text)
        ]
    except ValueError:
        raise StudyError(f"--shares {text!r}: write numbers above 0 and at most 1, like 0.2,0.15") from None
    if not all(math.isfinite(share) and 0 < share <= 1 for share in shares):
        raise StudyError(f"--shares {text!r}: each must be above 0 and at most 1")
    return tuple(shares)


_COLUMNS: Final = (
    Column("trust"),
    Column("unit"),
    Column("mechanism"),
    Column("caps"),
    Column("epsilon", number=True),
    Column("a week costs", number=True),
    Column("shows", number=True),
    Column("true top first", number=True),
    Column("interval", number=True),
    Column("top 10", number=True),
)


def _row(each: Prospect) -> tuple[str, ...]:
    """Return a prospect as the cells of these columns."""
    caps = [f"{each.max_views_per_show} views"] if each.max_views_per_show > 1 else []
    caps += [f"{each.max_shows_per_week} shows"] if each.max_shows_per_week else []
    return (
        each.trust.split("-")[0],
        each.unit,
        each.mechanism,
        ", ".join(caps),
        f"{each.epsilon:g}",
        f"{each.epsilon_of_a_week:.3g}",
        f"{each.rows:,}",
        f"{each.named_first:.0%}",
        f"\u00b1{each.half_width:,.1f} ({each.half_width_share:.0%})",
        f"{each.in_top_ten:.0%}",
    )


def _words(chosen: Prospect, needed: int | None) -> list[str]:
    """Return the advice in sentences."""
    first = f"named first in {chosen.named_first:.0%} of weeks"
    if chosen.named_first >= NAMED:
        lines = [
            f"choose epsilon {chosen.epsilon:g} per {chosen.unit}, {chosen.mechanism}: the true top show is {first}"
        ]
    else:
        best = f"{chosen.epsilon:g} per {chosen.unit}, {chosen.mechanism}, {first}"
        lines = [
            f"with one coordinator no study names the true top show in {NAMED:.0%} of weeks with so few people",
            f"the best at epsilon up to {DEFAULT_EPSILON:g}: {best}; weeks that stay open are shown as such",
        ]
    if chosen.epsilon > DEFAULT_EPSILON or chosen.unit == "view":
        raised = [f"max_epsilon_per_week = {chosen.epsilon:g}"] if chosen.epsilon > DEFAULT_EPSILON else []
        raised += ['units = ["show", "week", "view"]'] if chosen.unit == "view" else []
        lines.append(f"members' apps join it only once each has written {' and '.join(raised)} in settings.toml")
    people = f"needs about {needed:,} people" if needed else "would not do with a million people"
    return [
        *lines,
        f"to name it in {NAMED:.0%} of weeks, the default study (epsilon {DEFAULT_EPSILON:g} per show) {people}",
    ]


def _pair_words(shared: Prospect, needed: int | None) -> str:
    """Return in a sentence what two coordinators would reach."""
    people = f"; for {NAMED:.0%} at epsilon {DEFAULT_EPSILON:g} per show they need about {needed:,} people"
    return (
        f"two coordinators, who noise the sum: epsilon {shared.epsilon:g} per {shared.unit} names it in "
        f"{shared.named_first:.0%} of weeks{people if needed else ''}"
    )


def _command(chosen: Prospect) -> str:
    """Return the command that publishes such a study."""
    parts = ["netflix-trend-aggregator study new", f"--unit {chosen.unit}", f"--epsilon {chosen.epsilon:g}"]
    parts += [f"--mechanism {chosen.mechanism}", f"--max-views-per-show {chosen.max_views_per_show}"]
    parts += [f"--max-shows-per-week {chosen.max_shows_per_week}"] if chosen.max_shows_per_week else []
    parts += ["--trust two-coordinators --helper EMAIL"] if chosen.trust == "two-coordinators" else []
    return " ".join(parts)
