"""The repository keeps its own rules."""

import ast
import subprocess
import sys
from pathlib import Path

import click
import pytest

from aggregator.cli import cli as aggregator
from participant.cli import cli as participant
from shared.commands import reference

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "shared": {"shared"},
    "participant": {"participant", "shared"},
    "aggregator": {"aggregator", "shared"},
    "demo": {"demo", "participant", "aggregator", "shared"},
}
OURS = set(MAY_IMPORT)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("package", sorted(OURS))
def test_the_arrows_point_to_shared_only(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        ours = {name.split(".")[0] for name in imports(path)} & OURS
        assert ours <= MAY_IMPORT[package], path


def test_one_module_alone_imports_opendp() -> None:
    users = [
        path
        for name in OURS
        for path in (ROOT / name).rglob("*.py")
        if any(n.startswith("opendp") for n in imports(path))
    ]
    assert users == [ROOT / "shared" / "mechanism.py"]


def test_no_generator_of_numpy_or_the_standard_library_is_near_a_release() -> None:
    for name in ("shared", "participant", "aggregator"):
        for path in (ROOT / name).rglob("*.py"):
            assert "random" not in imports(path), path
            assert "np.random" not in path.read_text(encoding="utf-8"), path


def test_the_command_reference_is_what_help_prints() -> None:
    made = reference({"netflix-trend-participant": participant, "netflix-trend-aggregator": aggregator})
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == made, "make docs"


def test_every_command_says_how_it_is_called() -> None:
    commands: list[click.Command] = [participant, aggregator]
    for command in commands:  # it grows while it is walked
        if isinstance(command, click.Group):
            commands += command.commands.values()
        assert command.help, command.name
        assert "Examples:" in (command.epilog or ""), command.name
    assert len(commands) > 20


@pytest.mark.parametrize("arguments", [["ruff", "format", "--check"], ["ruff", "check", "--quiet"], ["mypy"]])
def test_format_lint_and_types_are_clean(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
