"""What the command lines of both apps have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import click
from click.shell_completion import get_completion_class

from shared import runner
from shared.errors import ExitCode, NetflixTrendError
from shared.screen import printable

CONTEXT: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
INTERRUPTED: Final = 130


def local_now() -> datetime:
    """Return the time, in this machine's time zone."""
    return datetime.now().astimezone()


def examples(*lines: str) -> str:
    """Return what stands below the options in a command's help: lines as they can be typed."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def at_terminal() -> bool:
    """Tell whether a person sits before this command, who can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def run_command(open_app: Callable[..., runner.App], name: str, text: str, *options: click.Option) -> click.Command:
    """Return the command `run`, which run.sh calls, for an app; what its own `options` say goes to `open_app`."""

    @click.option("--once", "mode", flag_value="once", default=True, help="One pass (the default).")
    @click.option("--watch", "mode", flag_value="watch", help="Stay up and look every 15 seconds.")
    def run(mode: str, **chosen: Any) -> None:
        opened = partial(open_app, **chosen)
        if mode == "watch":
            runner.watch(opened)
        elif code := runner.run_once(opened).code:
            raise click.exceptions.Exit(code)

    text += " SyftBox calls this through run.sh."
    command = click.command("run", help=text, epilog=examples(f"{name} run", f"{name} run --watch"))(run)
    command.params += options
    return command


def completion_command(name: str) -> click.Command:
    """Return the command that prints what makes a shell complete an app's commands and options."""
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()

    @click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
    @click.pass_context
    def completion(context: click.Context, shell: str) -> None:
        made = get_completion_class(shell)
        if made is not None:
            click.echo(made(context.find_root().command, {}, name, variable).source())

    shown = examples(
        f'eval "$({name} completion bash)"    in ~/.bashrc',
        f'eval "$({name} completion zsh)"     in ~/.zshrc',
        f"{name} completion fish | source     in ~/.config/fish/config.fish",
    )
    text = "Print what makes your shell complete commands and options."
    return click.command("completion", help=text, epilog=shown)(completion)


def reference(apps: Mapping[str, click.Group]) -> str:
    """Return docs/commands.md: every command of the apps, by name, with its help as `--help` prints it."""
    lines = ["# Commands", "", "Written by `make docs` from what `--help` prints.", ""]
    for name, group in apps.items():
        for path, text in _helps(group, name, None):
            lines += [f"{'##' if path == name else '###'} {path}", "", "```", text.rstrip(), "```", ""]
    return "\n".join(lines)


def _helps(command: click.Command, path: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    context = click.Context(command, parent, path.rsplit(maxsplit=1)[-1], terminal_width=100, max_content_width=100)
    context.help_option_names = CONTEXT["help_option_names"]
    yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _helps(command.commands[name], f"{path} {name}", context)


def carry_out(group: click.Command, arguments: list[str], name: str) -> int:
    """Carry out a command line and return its exit code; an expected error is one line on stderr."""
    try:
        result: Any = group.main(arguments, prog_name=name, standalone_mode=False)
    except NetflixTrendError as error:
        click.echo(f"{name}: {printable(error)}", err=True)
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
