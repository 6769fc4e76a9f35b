"""The commands `catalogue import` and `catalogue show`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from aggregator.catalogue_import import Report, extend
from aggregator.catalogue_search import coverage, search
from aggregator.listing import MAX_FILE_BYTES, Listing, gather, read_listing
from shared.catalogue import MAX_BYTES, Catalogue, parse_catalogue
from shared.commands import examples
from shared.errors import CatalogueError
from shared.files import read_regular_file, write_atomically
from shared.screen import printable


def catalogue_commands(find: Callable[[], Path], read_titles: Callable[[Path], Iterable[str]]) -> click.Group:
    """Return the group `catalogue`.

    `find` returns the path of the coordinator's catalogue.csv when a command runs. `read_titles` returns the titles of
    a viewing history: the coordinator's side has no reader of its own.
    """

    @click.group(epilog=examples("netflix-trend-aggregator catalogue show dark"))
    def catalogue() -> None:
        """Extend and look up the list of shows that can be counted."""

    @catalogue.command(
        "import", epilog=examples("netflix-trend-aggregator catalogue import all-weeks-countries.tsv our-own.txt")
    )
    @click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
    def import_(files: tuple[Path, ...]) -> None:
        """Append the shows of Netflix's own lists, or of a plain list with one show a line.

        Takes all-weeks-global.tsv, all-weeks-countries.tsv, most-popular.tsv, the engagement report (.xlsx), another
        catalogue.csv, or lines of `name` or `name,kind`. Name the most important list first: its shows come first. Rows
        that exist never change. The next study counts the new ones.
        """
        path = find()
        known = _read_catalogue(path)
        listings = [_read_listing(file) for file in files]
        for file, listing in zip(files, listings, strict=True):
            click.echo(_describe_file(file, listing))
        data, report = extend(known, gather(listings))
        if report.new:
            write_atomically(path, data)
        click.echo(_describe(report, len(known)))

    @catalogue.command(
        epilog=examples(
            'netflix-trend-aggregator catalogue show "star trek"',
            "netflix-trend-aggregator catalogue show --history NetflixViewingHistory.csv",
        )
    )
    @click.argument("text", default="")
    @click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Rows shown at most.")
    @click.option(
        "--history", type=click.Path(path_type=Path), help="A Netflix export: how many of its views have a row."
    )
    def show(text: str, limit: int, history: Path | None) -> None:
        """Show the rows whose name holds TEXT, best first; or how much of a history has a row, in counts only."""
        known = _read_catalogue(find())
        if history is not None:
            found = coverage(known, read_titles(history))
            share = found.views_with_row / found.views if found.views else 0.0
            click.echo(
                f"{found.views_with_row:,} of {found.views:,} views ({share:.1%}) have a row; "
                f"{found.rows:,} of {len(known):,} rows met"
            )
            if not text:
                return
        rows = search(known, text, limit)
        for row, entry in rows:
            cells = (row, printable(entry.name), entry.kind, printable(" | ".join(entry.also)))
            click.echo("\t".join(map(str, cells)).rstrip())
        if not rows:
            click.echo(f"none of {len(known):,} rows has such a name")

    return catalogue


def _read_catalogue(path: Path) -> Catalogue:
    try:
        return parse_catalogue(read_regular_file(path, MAX_BYTES))
    except OSError as error:
        raise CatalogueError(f"{path}: {_reason(error)}; the coordinator's first run makes it") from None


def _read_listing(path: Path) -> Listing:
    """Return the shows of a list. A link is followed: the person named it."""
    try:
        data = read_regular_file(path.resolve(), MAX_FILE_BYTES)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go round, before Python 3.13
        raise CatalogueError(f"{path}: {_reason(error)}") from None
    return read_listing(data, path.name)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _describe_file(file: Path, listing: Listing) -> str:
    """Return a line about a file; every row either names a show or is skipped."""
    skipped = "".join(f"; {count:,} skipped: {skip.value}" for skip, count in listing.skipped.items())
    return f"{file.name}: {listing.rows:,} rows name {len(listing.shows):,} shows{skipped}"


def _describe(report: Report, before: int) -> str:
    """Return the lines about an import."""
    lines = [f"{report.new:,} new, {report.known:,} known, {sum(report.skipped.values()):,} skipped"]
    lines += [f"  {count:,} skipped: {skip.value}" for skip, count in report.skipped.items()]
    if report.alternatives_of_known:
        lines.append(
            f"  {report.alternatives_of_known:,} alternative titles of known shows left out: rows never change"
        )
    if report.alternatives_taken:
        lines.append(f"  {report.alternatives_taken:,} alternative titles left out: they would lead to two rows")
    if report.kinds_assumed:
        lines.append(f"  {report.kinds_assumed:,} new rows taken for films: no list told their kind")
    lines.append(f"the catalogue has {before + report.new:,} rows")
    return "\n".join(lines)
