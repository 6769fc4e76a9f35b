"""The Atom feed of weekly results. Source: RFC 4287.

Its addresses are relative: the file names no server and no coordinator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from shared import wording
from shared.week import IsoWeek

ATOM: Final = "http://www.w3.org/2005/Atom"
TITLE: Final = "What we watched"


@dataclass(frozen=True)
class Item:
    """A week of the feed."""

    week: dict[str, Any]
    """Its document, not withheld."""
    updated: datetime
    """When it took this form."""


def render_feed(community: UUID, items: Sequence[Item], generated_at: datetime) -> str:
    """Return the feed; the identifiers of feed and entries are the same in every version and on every server."""
    feed = Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _add(feed, "id", community.urn)
    _add(feed, "title", f"{TITLE}: the most common show of each week")
    _add(feed, "updated", max((item.updated for item in items), default=generated_at).isoformat(timespec="seconds"))
    SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": "feed.xml"})
    SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": "index.html"})
    _add(SubElement(feed, "author"), "name", "The community")
    for item in items:
        name, week = item.week["week"], IsoWeek.parse(item.week["week"])
        entry = SubElement(feed, "entry")
        _add(entry, "id", uuid5(community, name).urn)
        _add(entry, "title", f"{wording.week_dates(week)}: {_headline(item.week)}")
        _add(entry, "updated", item.updated.isoformat(timespec="seconds"))
        SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": f"index.html#{name}"})
        SubElement(entry, "link", {"rel": "related", "type": "application/json", "href": f"weeks/{name}.json"})
        _add(entry, "summary", _summary(item.week))
    ET.indent(feed)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(feed, encoding="unicode")}\n'


def _headline(week: dict[str, Any]) -> str:
    return str(week["show"]) if week["conclusive"] else f"too close to call, {week['show']} in front"


def _summary(week: dict[str, Any]) -> str:
    """Return one paragraph of plain text: the result and the chart."""
    ranking = "; ".join(f"{figures['rank']}. {figures['show']}" for figures in week["ranking"])
    return (
        f"{week['show']}: best guess {wording.guess(week['shrunken'])} {week['counts']} "
        f"(95 % interval {wording.span(*week['shrunken_interval95'])}) among {wording.number(week['participants'])} "
        f"members, first with a chance of {wording.chance(week['confidence'])}. The chart: {ranking}."
    )


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = text
