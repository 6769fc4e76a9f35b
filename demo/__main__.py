"""`netflix-trend-demo`: a simulated community, both apps, the trend, and the truth beside it."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from demo.local import Outcome, clear, run_demo
from shared.commands import CONTEXT, carry_out
from shared.study import Trust


@click.command(context_settings=CONTEXT)
@click.option("--members", type=click.IntRange(1, 10_000), help="How many simulated members (100; with --network 5).")
@click.option("--weeks", type=click.IntRange(1, 200), default=8, show_default=True, help="How many weeks.")
@click.option("--epsilon", type=float, default=2.0, show_default=True, help="Privacy loss per show and week.")
@click.option("--history", type=click.Path(path_type=Path), help="Take part with this export of your own.")
@click.option(
    "--trust", type=click.Choice(get_args(Trust)), default="one-coordinator", show_default=True, help="Who measures."
)
@click.option("--network", is_flag=True, help="On a real SyftBox server with a few real clients.")
@click.option("--workspace", type=click.Path(path_type=Path), default="demo-workspace", show_default=True)
def demo(
    members: int | None,
    weeks: int,
    epsilon: float,
    history: Path | None,
    trust: Trust,
    workspace: Path,
    *,
    network: bool,
) -> None:
    """Simulate a community that watches Netflix, and run both apps on it.

    Everything stays below the demo workspace, which the next demo replaces.
    """
    if network and trust == "two-coordinators":
        raise click.UsageError("--network is for one coordinator: two measure a week when its open time is over")
    root = workspace.absolute()
    clear(root)
    console, told = Console(stderr=True), list[str]()
    with Progress(
        TextColumn("{task.description:32}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)
            if not console.is_terminal and what not in told:  # there the bar shows it
                told.append(what)
                click.echo(what, err=True)

        now = datetime.now().astimezone()
        if network:
            from demo.real import run_network_demo

            outcome = run_network_demo(root, members or 5, epsilon, history, now, progress)
        else:
            outcome = run_demo(root, members or 100, weeks, epsilon, history, now, progress, trust)
    for line in report(outcome):
        click.echo(line)


def report(outcome: Outcome) -> list[str]:
    """Return what the demo prints: the most common show beside the truth, the three risers, where the page is."""
    top = outcome.top
    lines = [f"an app stopped: {line}" for line in outcome.stopped]
    if top["withheld"]:
        lines.append(f"most common show of {top['week']}: withheld, {top['reason']}")
    else:
        low, high = top["interval95"]
        figures = f"{top['estimate']:.1f} [{low:.1f}, {high:.1f}], true {outcome.true_count}"
        lines.append(f"most common show of {top['week']}: {top['show']}, {figures}")
        if not top["conclusive"]:
            lines.append(
                f"  not conclusive: truly first with probability {top['confidence']:.2f}; "
                f"{len(top['candidates'])} shows cannot be told apart at this noise"
            )
    risers = sorted((show for show in outcome.trends["shows"] if show["change"] is not None), key=_change)[-3:]
    for show in reversed(risers):
        low, high = (100 * end for end in show["change_interval95"])
        stands = "" if show["direction"] in {"rising", "new"} else " (not sure)"
        lines.append(
            f"riser: {show['show']}, {100 * show['change']:+.1f} points of share [{low:+.1f}, {high:+.1f}]{stands}"
        )
    lines.append(f"page: {outcome.page.as_uri()}")
    return lines


def _change(show: dict[str, Any]) -> float:
    return float(show["change"])


def main() -> None:
    """Carry out the command line."""
    sys.exit(carry_out(demo, sys.argv[1:], "netflix-trend-demo"))


if __name__ == "__main__":
    main()
