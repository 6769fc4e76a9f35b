"""`netflix-trend-aggregator plan`: what a study would show, before there is one."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import get_args

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from aggregator.plan import (
    CATALOGUES,
    DEFAULT_EPSILON,
    EPSILONS,
    NAMED,
    PAIR,
    TOP_SHARES,
    Prospect,
    advise,
    people_needed,
    prospects,
    studies,
)
from shared.commands import examples
from shared.errors import StudyError
from shared.study import Study, Trust


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(people: int, shares: str | None, epsilons: tuple[float, ...], rows: tuple[int, ...], *, as_json: bool) -> None:
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
        chosen = advise([each for each in found if each.trust == "one-coordinator"])
        shared = advise([each for each in found if each.trust == "two-coordinators"])
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
    Console(width=None if console.is_terminal else 120).print(_table(found, chosen))
    for line in words:
        click.echo(line)
    click.echo(f"publish it with: {_command(chosen)}")


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


def _table(found: list[Prospect], chosen: Prospect) -> Table:
    """Return the prospects as a table, the advised one marked."""
    table = Table(title=f"What {found[0].people:,} people would see each week")
    for name in (
        "trust",
        "unit",
        "mechanism",
        "caps",
        "epsilon",
        "a week costs",
        "shows",
        "true top first",
        "interval",
        "top 10",
    ):
        table.add_column(name, justify="left" if name in {"trust", "unit", "mechanism", "caps"} else "right")
    for each in found:
        caps = [f"{each.max_views_per_show} views"] if each.max_views_per_show > 1 else []
        caps += [f"{each.max_shows_per_week} shows"] if each.max_shows_per_week else []
        table.add_row(
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
            style="bold reverse" if each is chosen else None,
        )
    return table


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
        lines.append("members' apps join it only once they have raised the limits in their settings.toml")
    if needed:
        return [*lines, f"the default study (epsilon {DEFAULT_EPSILON:g} per show) needs about {needed:,} people"]
    return [*lines, "the default study would not do it with a million people"]


def _pair_words(shared: Prospect, needed: int | None) -> str:
    """Return in a sentence what two coordinators would reach."""
    people = f"; their default study needs about {needed:,} people" if needed else ""
    return (
        f"two coordinators, who noise the sum: epsilon {shared.epsilon:g} per {shared.unit} names the true top show "
        f"first in {shared.named_first:.0%} of weeks{people}"
    )


def _command(chosen: Prospect) -> str:
    """Return the command that publishes such a study."""
    parts = ["netflix-trend-aggregator study new", f"--unit {chosen.unit}", f"--epsilon {chosen.epsilon:g}"]
    parts += [f"--mechanism {chosen.mechanism}", f"--max-views-per-show {chosen.max_views_per_show}"]
    parts += [f"--max-shows-per-week {chosen.max_shows_per_week}"] if chosen.max_shows_per_week else []
    parts += ["--trust two-coordinators --helper EMAIL"] if chosen.trust == "two-coordinators" else []
    return " ".join(parts)
