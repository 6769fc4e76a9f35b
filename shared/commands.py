"""What the command lines of both apps have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final

import click

from shared import runner
from shared.errors import ExitCode, NetflixTrendError

CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
INTERRUPTED: Final = 130


def local_now() -> datetime:
    """Return the time, in this machine's time zone."""
    return datetime.now().astimezone()


def run_command(open_app: Callable[..., runner.App], text: str, *options: click.Option) -> click.Command:
    """Return the command `run`, which run.sh calls, for an app; what its own `options` say goes to `open_app`."""

    @click.option("--once", "mode", flag_value="once", default=True, help="One pass (the default).")
    @click.option("--watch", "mode", flag_value="watch", help="Stay up and look every 15 seconds.")
    def run(mode: str, **chosen: Any) -> None:
        opened = partial(open_app, **chosen)
        if mode == "watch":
            runner.watch(opened)
        elif code := runner.run_once(opened).code:
            raise click.exceptions.Exit(code)

    command = click.command("run", help=text)(run)
    command.params += options
    return command


def carry_out(group: click.Command, arguments: list[str], name: str) -> int:
    """Carry out a command line and return its exit code; an expected error is one line on stderr."""
    try:
        result: Any = group.main(arguments, prog_name=name, standalone_mode=False)
    except NetflixTrendError as error:
        click.echo(f"{name}: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # a defect of ours: its text may cite a title
        click.echo(f"{name}: {runner.defect(error, None).line}", err=True)
        return ExitCode.UNEXPECTED
    return result if isinstance(result, int) else 0  # click returns the code that Exit was raised with
