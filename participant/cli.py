"""The participant's commands."""

from __future__ import annotations

import dataclasses
import json
import sys
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from participant import app as steps
from participant.audit import audit as measure
from participant.exports import parse_source, read_exports
from participant.history import DATE_ORDERS, DateOrder
from participant.install import install_participant, uninstall_participant, withdraw_participant
from participant.ledger import read_ledger
from participant.preview import preview as look_ahead
from participant.settings import Settings, local_zone, read_settings
from participant.show import print_preview, print_standing
from participant.status import export_note, standing, study_note
from participant.tables import count_shows, explain_views, format_table
from participant.terms import read_terms
from participant.welcome import Wishes, ask_what_is_missing, checks
from shared.catalogue import bundled_catalogue, parse_catalogue
from shared.commands import CONTEXT, at_terminal, carry_out, completion_command, examples, local_now, run_command
from shared.errors import ExitCode, NetflixTrendError, SettingsError
from shared.screen import print_lines, printable, screen
from shared.study import Study
from shared.week import next_monday
from shared.workspace import PARTICIPANT_APP, Workspace, check_email, config_path, load_workspace


@dataclass(frozen=True)
class ParticipantApp:
    """The participant app in a workspace, with a clock that knows the participant's time zone."""

    workspace: Workspace
    clock: Callable[[], datetime]
    home: Path

    @property
    def private(self) -> Path:
        """See runner.App."""
        return self.workspace.private(PARTICIPANT_APP)

    def run(self) -> str:
        """See runner.App."""
        return steps.run(self.workspace, self.clock(), self.home).line

    def watched_files(self) -> list[str]:
        """See runner.App."""
        return steps.watched_files(self.workspace, self.home)

    def next_change(self) -> float:
        """See runner.App."""
        return next_monday(self.clock()).timestamp()


def open_app() -> ParticipantApp:
    """Return the app in the active workspace."""
    return ParticipantApp(load_workspace(config_path()), local_now, Path.home())


@click.group(
    context_settings=CONTEXT,
    epilog=examples(
        "netflix-trend-participant install --aggregator carol@example.org", "netflix-trend-participant report --open"
    ),
)
@click.version_option(package_name="netflix-trend", message="%(version)s")
def cli() -> None:
    """Take part in a community's Netflix trend.

    Your history stays on this machine; one noised file leaves it.
    """


cli.add_command(run_command(open_app, "netflix-trend-participant", "Release what is due."))
cli.add_command(completion_command("netflix-trend-participant"))


@cli.command(
    epilog=examples(
        "netflix-trend-participant install --aggregator carol@example.org",
        "netflix-trend-participant install --profile Ann --date-order day-first",
        'netflix-trend-participant install --history "Ann=~/Documents/netflix-report.zip"',
        'netflix-trend-participant install --fingerprint "0123 4567 89ab cdef 0123 4567 89ab cdef 0123 4567"',
    )
)
@click.option("--aggregator", metavar="EMAIL", help="The coordinator's e-mail address; needed the first time.")
@click.option(
    "--history",
    "histories",
    metavar="[NAME=]PATH",
    multiple=True,
    help="An export; repeat it for several. Without: the newest one in ~/Downloads.",
)
@click.option("--profile", metavar="NAME", help="Your profile, where account data holds several.")
@click.option("--date-order", type=click.Choice(DATE_ORDERS), help="Where the export does not show it.")
@click.option("--fingerprint", metavar="DIGITS", help="Trust the two coordinators who told you this outside SyftBox.")
@click.option("--take-over", is_flag=True, help="Make this the device that publishes, instead of another one of yours.")
def install(
    aggregator: str | None,
    histories: tuple[str, ...],
    profile: str | None,
    date_order: DateOrder | None,
    fingerprint: str | None,
    *,
    take_over: bool,
) -> None:
    """Put the app into the SyftBox workspace of the active client config. Repeating it updates.

    In a terminal it asks for what it is not told and needs; elsewhere it asks nothing.
    """
    workspace = load_workspace(config_path())
    wishes = Wishes(aggregator, histories, profile, date_order)
    if at_terminal():
        wishes = ask_what_is_missing(workspace, wishes, Path.home(), AtTerminal())
    done = install_participant(
        workspace,
        wishes.aggregator,
        wishes.histories,
        local_now(),
        take_over=take_over,
        profile=wishes.profile,
        date_order=wishes.date_order,
        fingerprint=fingerprint,
    )
    print_lines(screen(), [*done.splitlines(), *checks(workspace, local_now(), Path.home())])


class AtTerminal:
    """Asks the person at the terminal. See welcome.Ask."""

    def text(self, question: str, default: str | None, check: Callable[[str], str]) -> str:
        """Ask until the answer will do."""
        while True:
            try:
                return check(str(click.prompt(question, default=default)))
            except SettingsError as error:
                click.echo(str(error), err=True)

    def choice(self, question: str, choices: Sequence[str]) -> str:
        """Ask for the number of one of these."""
        click.echo(printable(question))
        for place, name in enumerate(choices, start=1):
            click.echo(f"  {place}  {printable(name)}")
        number: int = click.prompt("Number", type=click.IntRange(1, len(choices)))
        return choices[number - 1]


@cli.command(epilog=examples("netflix-trend-participant uninstall"))
@click.option("--yes", is_flag=True, help="Remove without asking, also in a terminal.")
def uninstall(*, yes: bool) -> None:
    """Take back what is published, and remove the app and its copy of your history. The ledger stays."""
    workspace = load_workspace(config_path())
    if not yes and at_terminal():
        click.confirm(f"Take back what you publish, and remove the app from {workspace.box}?", abort=True)
    print_lines(screen(), uninstall_participant(workspace, local_now()).splitlines())


@cli.command(
    epilog=examples(
        "netflix-trend-participant preview", "netflix-trend-participant preview --aggregator carol@example.org"
    )
)
@click.option("--aggregator", metavar="EMAIL", help="The coordinator's e-mail address, before install.")
@click.option("--history", "histories", metavar="[NAME=]PATH", multiple=True, help="An export, before install.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def preview(aggregator: str | None, histories: tuple[str, ...], *, as_json: bool) -> None:
    """Show what would be released next, what it would cost, and the exact counts it would protect.

    Nothing is spent and nothing is written. It works before install, once SyftBox has brought the study.
    """
    workspace = load_workspace(config_path())
    path = workspace.app(PARTICIPANT_APP) / "settings.toml"
    settings = read_settings(path) if path.exists() or not aggregator else Settings(check_email(aggregator))
    if aggregator:
        settings = dataclasses.replace(settings, aggregator=check_email(aggregator))
    if histories:
        settings = dataclasses.replace(settings, history=histories)
    found = look_ahead(workspace, settings, local_now(), Path.home())
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        print_preview(screen(), found)


@cli.command(epilog=examples("netflix-trend-participant status", "netflix-trend-participant status --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> None:
    """Show what was released, what it cost, and whether your export has grown old."""
    workspace = load_workspace(config_path())
    settings = read_settings(workspace.app(PARTICIPANT_APP) / "settings.toml")
    with read_ledger(steps.ledger_path(workspace)) as ledger:
        notes = []
        if settings.aggregator:
            notes += [study_note(workspace, settings), export_note(settings, ledger, local_now(), Path.home())]
        note = "\n".join(each for each in notes if each) or None
        found = standing(workspace, settings, ledger, note)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_standing(screen(), found)


@cli.command(epilog=examples("netflix-trend-participant report --open", "netflix-trend-participant report --text"))
@click.option("--text", is_flag=True, help="Print it on the terminal, and write nothing.")
@click.option("--open", "show", is_flag=True, help="Open the page in your browser.")
def report(*, text: bool, show: bool) -> None:
    """Write a page about you and the community, for you alone: your weeks, the top list, what you follow and missed.

    It is computed on this machine from your own history and what the coordinator published, and stays in the app's
    private folder.
    """
    from participant.report import make_report
    from participant.report_page import render_report, write_report
    from participant.report_text import print_report

    workspace = load_workspace(config_path())
    settings = read_settings(workspace.app(PARTICIPANT_APP) / "settings.toml")
    made = make_report(workspace, settings, local_now(), Path.home())
    if text:
        print_report(screen(), made)
        return
    path = write_report(workspace, render_report(made))
    print_lines(screen(stderr=True), [each for each in (made.age.line, *made.notes) if each], "yellow")
    click.echo(path.as_uri())
    if show and not webbrowser.open(path.as_uri()):
        click.echo("no browser is found here: open that address with yours", err=True)


@cli.command(epilog=examples("netflix-trend-participant audit"))
def audit() -> None:
    """Measure the promise on this machine, with invented histories, along the whole way to the published file.

    The terms are those of your coordinator's study, or the default ones where none has arrived. Takes up to two
    minutes; nothing of yours is read, and nothing is published.
    """
    columns = (TextColumn("measuring"), BarColumn(), TimeRemainingColumn())
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        verdict = measure(_study_here(), progress=lambda done: bar.update(task, completed=done))
    for line in verdict.lines():
        click.echo(line)
    if not verdict.holds:
        raise click.exceptions.Exit(ExitCode.PROMISE)


def _study_here() -> Study:
    """Return the study of the coordinator who is set here, or the default one."""
    try:
        workspace = load_workspace(config_path())
        settings = read_settings(workspace.app(PARTICIPANT_APP) / "settings.toml")
        return read_terms(workspace, settings.aggregator)[0]
    except NetflixTrendError:
        bundled = parse_catalogue(bundled_catalogue())
        return Study(catalogue_rows=len(bundled), catalogue_sha256=bundled.sha256())


@cli.command(epilog=examples("netflix-trend-participant withdraw"))
def withdraw() -> None:
    """Take back everything published. The ledger stays; nothing is published again until install."""
    print_lines(screen(), [withdraw_participant(load_workspace(config_path()), local_now())])


@cli.command(
    epilog=examples(
        "netflix-trend-participant reduce ~/Downloads/NetflixViewingHistory.csv",
        "netflix-trend-participant reduce Ann=netflix-report.zip --explain > views.csv",
    )
)
@click.argument("files", metavar="[NAME=]FILE...", nargs=-1, required=True)
@click.option("--explain", is_flag=True, help="One line for each view, with the rule that found its show.")
@click.option("--date-order", type=click.Choice(DATE_ORDERS), help="The order of day, month and year in the files.")
def reduce(files: tuple[str, ...], date_order: DateOrder | None, *, explain: bool) -> None:
    """Print the shows and weeks of exports as CSV. Private: nothing is published, no workspace is needed.

    Of account data that holds several profiles, name one: NAME=FILE.
    """
    sources = [parse_source(file) for file in files]
    history = read_exports(sources, zone=ZoneInfo(local_zone()), date_order=date_order)
    for line in history.report():
        click.echo(line, err=True)
    catalogue = parse_catalogue(bundled_catalogue())
    table = explain_views(history.views, catalogue) if explain else count_shows(history.views, catalogue)
    text = format_table(table)
    if sys.stdout.isatty():  # in a pipe or a file titles are as in the export, to the letter
        text = "".join(f"{printable(line)}\n" for line in text.split("\n")[:-1])
    click.get_binary_stream("stdout").write(text.encode("utf-8"))


def call(arguments: list[str]) -> int:
    """Carry out a command line and return its exit code."""
    return carry_out(cli, arguments, "netflix-trend-participant")
