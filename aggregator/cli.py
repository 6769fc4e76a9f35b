"""The coordinator's commands."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_args

import click

from aggregator import app as steps
from aggregator.commands_catalogue import catalogue_commands
from aggregator.commands_plan import plan
from aggregator.install import install_aggregator, uninstall_aggregator
from aggregator.pairing import look_at_pair, pair_terms, standing_lines
from aggregator.registry import CURATOR
from aggregator.terms import draft_study, publish_record, publish_study, read_terms
from aggregator.workers import dask_executor
from shared.commands import CONTEXT, at_terminal, carry_out, completion_command, examples, local_now, run_command
from shared.errors import HistoryError, WorkspaceError
from shared.files import PATIENCE, only_instance
from shared.promise import terms_in_words
from shared.screen import Column, print_lines, print_table, screen
from shared.study import MechanismName, Study, Trust, Unit
from shared.week import IsoWeek, midnight, next_monday
from shared.wording import amount
from shared.workspace import (
    AGGREGATOR_APP,
    EVERYTHING,
    Workspace,
    check_email,
    config_path,
    load_workspace,
    permit,
)

NEEDED: Final = ("openpyxl", "scipy", "vl_convert", "yaml")
"""The modules of the extra `aggregator`."""


@dataclass(frozen=True)
class AggregatorApp:
    """The aggregator app in a workspace."""

    workspace: Workspace
    clock: Callable[[], datetime]
    dask: str | None
    """The address of the Dask scheduler whose workers read and sum the releases; None for this process."""

    @property
    def private(self) -> Path:
        """See runner.App."""
        return self.workspace.private(AGGREGATOR_APP)

    def run(self) -> str:
        """See runner.App."""
        if self.dask is None:
            return steps.run(self.workspace, self.clock())
        with dask_executor(self.dask) as executor:
            return steps.run(self.workspace, self.clock(), executor)

    def watched_files(self) -> list[str]:
        """See runner.App."""
        return steps.watched_files(self.workspace)

    def next_change(self) -> float:
        """See runner.App."""
        now = self.clock()
        return (midnight(now) if steps.partners(self.workspace) else next_monday(now)).timestamp()


def open_app(dask: str | None = None) -> AggregatorApp:
    """Return the app in the active workspace."""
    return AggregatorApp(load_workspace(config_path()), local_now, dask)


@click.group(
    context_settings=CONTEXT,
    epilog=examples("netflix-trend-aggregator install", "netflix-trend-aggregator status"),
)
@click.version_option(package_name="netflix-trend", message="%(version)s")
def cli() -> None:
    """Coordinate a community's Netflix trend.

    You see noised releases and their sums, never what anyone watched.
    """
    check_packages()


def check_packages() -> None:
    """Stop where the package is installed as members install it. Raises: WorkspaceError."""
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise WorkspaceError(
            'the coordinator\'s app needs more packages: pip install "netflix-trend[aggregator]", or of a clone '
            'pip install "PATH-OF-THE-CLONE[aggregator]"'
        )


cli.add_command(
    run_command(
        open_app,
        "netflix-trend-aggregator",
        "Add up the releases and publish the trend.",
        click.Option(
            ["--dask"], metavar="ADDRESS", help="Let the workers of this Dask scheduler, tcp://HOST:PORT, read and sum."
        ),
    )
)


cli.add_command(completion_command("netflix-trend-aggregator"))


@cli.command(
    epilog=examples("netflix-trend-aggregator install", "netflix-trend-aggregator install --leader leader@example.org")
)
@click.option("--leader", metavar="EMAIL", help="Be the helper: the second coordinator beside this one, who leads.")
def install(leader: str | None) -> None:
    """Put the app into the SyftBox workspace of the active client config. Repeating it updates.

    It asks nothing, and prints the lines to send to your members.
    """
    print_lines(screen(), install_aggregator(load_workspace(config_path()), leader))


@cli.command(epilog=examples("netflix-trend-aggregator uninstall"))
@click.option("--yes", is_flag=True, help="Remove without asking, also in a terminal.")
def uninstall(*, yes: bool) -> None:
    """Remove the app from the workspace. What was published stays until you remove it."""
    workspace = load_workspace(config_path())
    if not yes and at_terminal():
        click.confirm(f"Remove the app from {workspace.box}? Results stay as they are.", abort=True)
    print_lines(screen(), uninstall_aggregator(workspace))


@cli.command(epilog=examples("netflix-trend-aggregator status", "netflix-trend-aggregator status --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> None:
    """List the datasites whose releases count, and those whose do not, with the reason."""
    workspace = load_workspace(config_path())
    terms = read_terms(workspace.results(workspace.email))
    accepted: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    pair, reports = look_at_pair(workspace, terms, local_now().date())
    for verdict in steps.verdicts(workspace, local_now(), PATIENCE):
        shared, wrong = reports.pop(verdict.datasite, ([], None))
        if verdict.reason or wrong:
            reason = verdict.reason.value if verdict.reason else wrong
            rejected.append({"datasite": verdict.datasite, "reason": reason})
        else:
            weeks = [str(IsoWeek.from_key(week)) for week in verdict.weeks] + [str(week) for week in shared]
            accepted.append({"datasite": verdict.datasite, "weeks": sorted(weeks), "flagged": verdict.flagged})
    for datasite, (shared, wrong) in reports.items():
        if wrong:
            rejected.append({"datasite": datasite, "reason": wrong})
        else:
            accepted.append({"datasite": datasite, "weeks": [str(week) for week in shared], "flagged": False})
    if as_json:
        found: dict[str, Any] = {"study": terms.study.id, "accepted": accepted, "rejected": rejected}
        if terms.study.fingerprint:
            found |= {"fingerprint": terms.study.fingerprint, "weeks": pair}
        click.echo(json.dumps(found, indent=2))
        return
    print_lines(screen(), standing_lines(workspace, terms.study, pair))
    _print_status(terms.study, accepted, rejected)


def _print_status(study: Study, accepted: list[dict[str, Any]], rejected: list[dict[str, Any]]) -> None:
    console = screen()
    rows = [("accepted", _printable(entry["datasite"]), _weeks(entry), _odd(entry)) for entry in accepted]
    rows += [("rejected", _printable(entry["datasite"]), "", entry["reason"]) for entry in rejected]
    print_lines(console, [f"study {study.id[:8]}: epsilon {study.epsilon:g} per {study.unit} and week"])
    if console.is_terminal and rows:
        print_table(console, (Column(""), Column("datasite", style="cyan"), Column("weeks"), Column("")), rows)
    else:
        print_lines(console, ("  " + "  ".join(cell for cell in row if cell) for row in rows))
    flagged = sum(entry["flagged"] for entry in accepted)
    print_lines(console, [f"{len(accepted)} accepted ({flagged} flagged), {len(rejected)} rejected"])


def _weeks(entry: dict[str, Any]) -> str:
    return amount(len(entry["weeks"]), "week")


def _odd(entry: dict[str, Any]) -> str:
    return "flagged: not what honest noise gives, or another's copy" if entry["flagged"] else ""


@cli.group(epilog=examples("netflix-trend-aggregator study new --epsilon 1 --preview"))
def study() -> None:
    """Renew the terms that members accept."""


@study.command(
    "new",
    epilog=examples(
        "netflix-trend-aggregator study new --epsilon 1 --preview",
        "netflix-trend-aggregator study new --unit week --max-shows-per-week 5",
    ),
)
@click.option("--unit", type=click.Choice(get_args(Unit)), help="What one epsilon protects.")
@click.option("--epsilon", type=float, help="Privacy loss per unit and week.")
@click.option("--max-views-per-show", type=int, help="Cap per show and week; 1 counts viewers.")
@click.option("--max-shows-per-week", type=int, help="Cap on the shows of a week; for unit week.")
@click.option("--mechanism", type=click.Choice(get_args(MechanismName)), help="How counts are noised.")
@click.option("--trust", type=click.Choice(get_args(Trust)), help="Whether one coordinator measures, or two together.")
@click.option("--helper", metavar="EMAIL", help="The second coordinator; their keys must have arrived.")
@click.option("--catalogue-rows", type=int, help="Count the first rows of the catalogue only.")
@click.option("--weeks", type=int, help="How many past weeks a release file keeps.")
@click.option("--open-weeks", type=int, help="How many weeks after its end a week takes releases.")
@click.option("--min-participants", type=int, help="Below it a week is withheld.")
@click.option("--curator", default=CURATOR, help="Who you are, for deployment.yaml, which is public.")
@click.option("--preview", is_flag=True, help="Say what the study would promise, and publish nothing.")
@click.option("--yes", is_flag=True, help="Publish without asking, also in a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the study itself.")
def study_new(*, helper: str | None, curator: str, preview: bool, yes: bool, as_json: bool, **terms: Any) -> None:
    """Publish a new study over the whole catalogue. What is not named stays as it was."""
    workspace = load_workspace(config_path())
    folder = workspace.results(workspace.email)
    stated = {name: value for name, value in terms.items() if value is not None}
    if stated.get("unit", "week") != "week":
        stated.setdefault("max_shows_per_week", None)
    with only_instance(workspace.private(AGGREGATOR_APP), PATIENCE):
        before = read_terms(folder).study if (folder / "study.json").exists() else None
        stated = pair_terms(workspace, before, stated, check_email(helper) if helper else None)
        drafted, _ = draft_study(folder, stated)
        click.echo(drafted.to_json().decode().rstrip() if as_json else "\n".join(terms_in_words(drafted)))
        if preview:
            click.echo("nothing was published; without --preview it is", err=True)
            return
        if not yes and sys.stdin.isatty():
            click.confirm("Publish it?", abort=True)
        permit(folder, pattern=EVERYTHING, readers=["*"])
        published = publish_study(folder, stated)
        publish_record(folder, published, local_now().date(), curator)
    click.echo(f"published study {published.id[:8]} in {folder}", err=True)
    for line in _next_steps(published):
        click.echo(line, err=True)


def _next_steps(study: Study) -> Iterator[str]:
    """Yield what has to happen until members join a study."""
    if study.helper is None:
        yield "members join it by themselves if it is within their limits"
        return
    yield f"members join it once {study.helper.email} publishes it as well, which their app does by itself"
    yield f"tell your members the fingerprint outside SyftBox, both of you: {study.fingerprint}"
    yield f'  netflix-trend-participant install --fingerprint "{study.fingerprint}"'


def _catalogue() -> Path:
    """Return the coordinator's catalogue, published by now."""
    workspace = load_workspace(config_path())
    read_terms(workspace.results(workspace.email))
    return workspace.results(workspace.email) / "catalogue.csv"


def _titles(history: Path) -> list[str]:
    """Return the titles of an export, as the participant's command reads it: this side has no reader of its own."""
    command = [sys.executable, "-m", "participant", "reduce", str(history), "--explain"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        raise HistoryError(done.stderr.strip().splitlines()[-1])
    return [row["title"] for row in csv.DictReader(io.StringIO(done.stdout, newline=""))]


cli.add_command(catalogue_commands(_catalogue, _titles))
cli.add_command(plan)


def _printable(datasite: str) -> str:
    """Return a datasite's name as one line that no terminal acts upon."""
    return datasite if datasite.isprintable() else ascii(datasite)


def call(arguments: list[str]) -> int:
    """Carry out a command line and return its exit code."""
    return carry_out(cli, arguments, "netflix-trend-aggregator")
