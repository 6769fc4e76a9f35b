"""The page people look at, from the published documents alone: what it shows is what anyone can download."""

from __future__ import annotations

from collections import Counter
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from shared.week import IsoWeek


def render_page(top: dict[str, Any], trends: dict[str, Any], rejected: Counter[str]) -> str:
    """Return the HTML of the page: self-contained, without scripts, every title escaped."""
    pages = Environment(loader=PackageLoader("aggregator", "assets"), autoescape=True, undefined=StrictUndefined)
    pages.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    pages.filters["signed_percent"] = lambda share: f"{100 * share:+.1f}"
    pages.filters["number"] = lambda value: f"{value:,.1f}"
    pages.filters["week_dates"] = _week_dates
    moving = [show for show in trends["shows"] if show["direction"] in {"rising", "new", "falling"}]
    return pages.get_template("index.html").render(
        top=top,
        trends=trends,
        rising=[show for show in moving if show["change"] > 0],
        falling=[show for show in moving if show["change"] < 0],
        rejected=rejected,
    )


def _week_dates(text: str) -> str:
    week = IsoWeek.parse(text)
    return f"{week.first_day:%d %B} to {week.last_day:%d %B %Y}".replace(" 0", " ").lstrip("0")
