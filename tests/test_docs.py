"""The documentation leads somewhere, and says what the code does. No test here uses the network."""

import ast
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from aggregator.cli import cli as aggregator
from participant.cli import cli as participant
from shared.errors import ExitCode, NetflixTrendError

ROOT = Path(__file__).parents[1]
APPS: dict[str, click.Group] = {"netflix-trend-participant": participant, "netflix-trend-aggregator": aggregator}
FOLDERS = ("shared", "participant", "aggregator", "demo", "benchmarks", "tests")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TROUBLE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")

FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    return FENCED.sub("", text_of(page))


def anchors_of(page: Path) -> set[str]:
    """Return what GitHub lets a link name of a page: its headings, each one's second with a number."""
    found: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"^#+ +(.+)$", prose_of(page), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        anchors.add(f"{words}-{found[words]}" if found[words] else words)
        found[words] += 1
    return anchors


def links_of(page: Path) -> list[str]:
    return [first or second for first, second in LINK.findall(prose_of(page))]


@each_page
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for link in links_of(page):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            assert parts.scheme == "https", link
            assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc), link
            continue
        target = (page.parent / parts.path).resolve() if parts.path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not parts.fragment or parts.fragment in anchors_of(target), link


def test_links_are_found_in_every_form_and_every_picture_is_used() -> None:
    assert LINK.findall('[a](b.md#c) ![d](e.png) <img src="f.png" width="1"> `[g](h)`') == [
        ("b.md#c", ""),
        ("e.png", ""),
        ("", "f.png"),
    ]
    used = {(page.parent / link).resolve() for page in PAGES for link in links_of(page) if "://" not in link}
    pictures = set((ROOT / "docs" / "images").iterdir())
    assert pictures <= used
    assert all(picture.stat().st_size < 300_000 for picture in pictures)


@each_page
def test_every_module_that_is_named_is_there(page: Path) -> None:
    modules = [path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    for code in INLINE.findall(prose_of(page)):
        if re.fullmatch(r"[\w/]+\.py", code):
            assert any(f"/{module}".endswith(f"/{code}") for module in modules), code


def carry_to_the_end(words: list[str]) -> None:
    """Parse a command line as far as its last command, and carry out nothing.

    Raises: click.UsageError if there is no such command, option or argument.
    """
    command: click.Command | None = APPS[words[0]]
    context, rest = None, words[1:]
    while command:
        context = command.make_context(command.name, list(rest), parent=context)
        if not isinstance(command, click.Group):
            return
        _, command, rest = command.resolve_command(context, [*context.protected_args, *context.args])


def command_lines(page: Path) -> Iterator[str]:
    """Yield the lines of the code blocks that call one of our commands, without pipes and what is told beside them."""
    for block in FENCED.findall(text_of(page)):
        for line in block.splitlines():
            if line.strip().startswith(tuple(APPS)):
                yield re.split(r" [|>#] | {3,}in ", line.strip())[0]


@each_page
def test_every_command_in_a_code_block_is_one_that_there_is(page: Path) -> None:
    for line in command_lines(page):
        carry_to_the_end(shlex.split(line))


@each_page
def test_every_command_within_a_sentence_is_one_that_there_is(page: Path) -> None:
    """With the program's name or without; arguments may be left out, and a group may stand alone."""
    for code in INLINE.findall(prose_of(page)):
        words = shlex.split(code) if code.count('"') % 2 == code.count("'") == 0 else code.split()
        if not words or "..." in words or (len(words) == 1 and words[0] in APPS):  # a message, or a program's name
            continue
        apps = [words[0]] if words[0] in APPS else [app for app, group in APPS.items() if words[0] in group.commands]
        failures = []
        for app in apps:
            try:
                carry_to_the_end([app, *words[words[0] in APPS :]])
            except (click.MissingParameter, click.BadOptionUsage, click.exceptions.Exit):
                break
            except click.UsageError as error:
                failures.append(error.format_message())
            else:
                break
        else:
            assert not apps, f"{code}: {failures}"


def test_a_command_that_is_not_there_would_be_found() -> None:
    for wrong in ("netflix-trend-participant instal", "netflix-trend-aggregator study new --epsilom 1"):
        with pytest.raises(click.UsageError):
            carry_to_the_end(wrong.split())
    assert len([line for page in PAGES for line in command_lines(page)]) > 30


@each_page
def test_every_make_target_and_its_options_are_in_the_makefile(page: Path) -> None:
    makefile = text_of(ROOT / "Makefile")
    lines = re.findall(r"`make ([^`]+)`|^make (.+)$", text_of(page), re.MULTILINE)
    for target, *options in (shlex.split(first or second) for first, second in lines):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        for option in options:
            assert f"$({option.partition('=')[0]})" in makefile, option


def kinds(base: type[NetflixTrendError] = NetflixTrendError) -> Iterator[type[NetflixTrendError]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def test_troubleshooting_has_every_kind_of_error_under_its_exit_code() -> None:
    rows = {int(row[0]): row for row in re.findall(r"^\| (\d+) \|([^|]*)\|([^|]*)\|", TROUBLE, re.MULTILINE)}
    for code in ExitCode:
        assert f"`{code.name}`" in rows[code][1], code
    for kind in kinds():
        if kind.__module__ == NetflixTrendError.__module__:
            assert f"`{kind.__name__}`" in rows[kind.exit_code][2], kind


def said() -> str:
    """Return every text that the code holds, what is filled in left out."""
    texts = []
    for package in ("shared", "participant", "aggregator"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(text_of(path))):
                parts: list[ast.AST] = [*node.values] if isinstance(node, ast.JoinedStr) else [node]
                texts.append("\0".join(str(part.value) for part in parts if isinstance(part, ast.Constant)))
    return "\n".join(texts)


def test_every_line_that_troubleshooting_explains_is_one_that_the_code_says() -> None:
    explained = re.findall(r"^\| (`.*?) \|", TROUBLE, re.MULTILINE)
    assert len(explained) > 60
    texts = said()
    for cell in explained:
        for line in INLINE.findall(cell):
            for part in line.split("..."):
                assert part.strip() in texts, line
