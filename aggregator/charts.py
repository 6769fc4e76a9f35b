"""The page's charts, as SVG drawn beforehand by Vega-Lite: they need no script and no other host in the browser.

Colours are `currentColor` and the custom properties of the stylesheet, so the charts follow the page into the dark.
Figures stand in the table beside each chart, which screen readers get; the drawings are hidden from them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

Spec = dict[str, Any]

_SVG: Final = "{http://www.w3.org/2000/svg}"
_FINE: Final = re.compile(r"(\.\d)\d+")  # a tenth of a pixel is enough
_LABEL: Final = 75  # pixels that a date below an axis takes
_DOTTED: Final = 26  # weeks up to which each is marked in its line

_SAME_SIZE: Final[Spec] = {"autosize": "none", "padding": {"left": 6, "right": 6, "top": 3, "bottom": 3}}
"""For charts that stand in a column: whatever they hold, equal figures are at equal places in each."""

_CONFIG: Final[Spec] = {
    "background": None,
    "padding": 0,
    "config": {
        "font": "inherit",
        "view": {"stroke": None},
        "area": {"color": "currentColor", "opacity": 0.18},
        "bar": {"color": "currentColor"},
        "line": {"color": "currentColor", "strokeWidth": 2, "strokeJoin": "round", "strokeCap": "round"},
        "mark": {"invalid": "break-paths-show-path-domains"},
        "point": {"color": "currentColor", "filled": True, "opacity": 1, "size": 30},
        "rule": {"color": "currentColor", "strokeWidth": 2},
        "axis": {
            "domain": False,
            "gridColor": "var(--line)",
            "labelColor": "var(--quiet)",
            "labelFontSize": 12,
            "labelPadding": 6,
            "ticks": False,
            "title": None,
        },
    },
}


@dataclass(frozen=True)
class Point:
    """One show in one week: figures as drawn, None where there are none."""

    day: str
    """The Monday, as 2024-11-18."""
    middle: float | None
    low: float | None = None
    high: float | None = None


def lines(series: Sequence[Sequence[Point]], width: int, height: int, *, per_cent: bool) -> Markup:
    """Return the lines of shows through the weeks, each with its band; line i has the class `show-i`."""
    values = [
        {"show": f"show-{index}", "dot": dot, **vars(point)}
        for index, points in enumerate(series)
        for point, dot in zip(points, _dots(points), strict=True)
    ]
    named = {"detail": {"field": "show"}, "description": {"field": "show"}}
    days = [point.day for point in series[0]]
    axis = {"format": ".0%"} if per_cent else {}
    level = {"type": "quantitative", "axis": {"tickCount": 5, **axis}, "scale": {"domainMin": 0, "nice": True}}
    return _svg(
        {
            "data": {"values": values},
            "width": width,
            "height": height,
            "encoding": {"x": _days(days, width), **named},
            "layer": [
                {"mark": "area", "encoding": {"y": {"field": "low", **level}, "y2": {"field": "high"}}},
                {"mark": "line", "encoding": {"y": {"field": "middle", **level}}},
                {
                    "transform": [{"filter": "datum.dot"}],
                    "mark": "point",
                    "encoding": {"y": {"field": "middle", **level}},
                },
            ],
        },
        "lines",
    )


def sparkline(points: Sequence[Point]) -> Markup:
    """Return one show's way through the weeks, as high as a line of text; the last week with a figure is marked."""
    last = max((point.day for point in points if point.middle is not None), default=None)
    values = [{"last": point.day == last, **vars(point)} for point in points]
    level = {"type": "quantitative", "axis": None, "scale": {"domainMin": 0}}
    return _svg(
        {
            "data": {"values": values},
            **_SAME_SIZE,
            "width": 98,
            "height": 28,
            "encoding": {"x": {"field": "day", "type": "temporal", "scale": {"type": "utc"}, "axis": None}},
            "layer": [
                {"mark": "area", "encoding": {"y": {"field": "low", **level}, "y2": {"field": "high"}}},
                {"mark": "line", "encoding": {"y": {"field": "middle", **level}}},
                {
                    "transform": [{"filter": "datum.last"}],
                    "mark": "point",
                    "encoding": {"y": {"field": "middle", **level}},
                },
            ],
        },
        "sparkline",
    )


def interval(
    inner: tuple[float, float, float], outer: tuple[float, float, float], domain: tuple[float, float]
) -> Markup:
    """Return a best guess in its interval (low, middle, high), thick, over the plain estimate in its own, thin."""
    x = {"type": "quantitative", "axis": None, "scale": {"domain": list(domain), "nice": False, "zero": False}}
    low, middle, high = inner
    plain_low, plain, plain_high = outer
    figures = {"low": low, "middle": middle, "high": high, "from": plain_low, "plain": plain, "to": plain_high}
    zero = [{"data": {"values": [{"zero": 0}]}, "mark": _ZERO, "encoding": {"x": {"field": "zero", **x}}}]
    return _svg(
        {
            "data": {"values": [figures]},
            **_SAME_SIZE,
            "width": 138,
            "height": 20,
            "layer": [
                *(zero if domain[0] <= 0 <= domain[1] else []),
                {
                    "mark": {"type": "rule", "strokeWidth": 1},
                    "encoding": {"x": {"field": "from", **x}, "x2": {"field": "to"}},
                },
                {
                    "mark": {"type": "tick", "thickness": 1, "size": 10, "color": "currentColor"},
                    "encoding": {"x": {"field": "plain", **x}},
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 6, "opacity": 0.4},
                    "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}},
                },
                {"mark": {"type": "point", "size": 55}, "encoding": {"x": {"field": "middle", **x}}},
            ],
        },
        "interval",
    )


def change(low: float, middle: float, high: float, reach: float) -> Markup:
    """Return a change in its interval, beside the line of no change."""
    return interval((middle, middle, middle), (low, middle, high), (-reach, reach))


def columns(weeks: Sequence[tuple[str, int, bool]], width: int, height: int) -> Markup:
    """Return how many took part in each week, (Monday, number, withheld); withheld weeks are hollow."""
    values = [{"day": day, "people": number, "withheld": withheld} for day, number, withheld in weeks]
    x = _days([day for day, _, _ in weeks], width)
    return _svg(
        {
            "data": {"values": values},
            "width": width,
            "height": height,
            "mark": {"type": "bar", "width": max(2, int(width / (len(weeks) + 1) * 0.7)), "stroke": "currentColor"},
            "encoding": {
                "x": x | {"scale": {"type": "utc", "padding": width / (len(weeks) + 1) / 2}},
                "y": {
                    "field": "people",
                    "type": "quantitative",
                    "axis": {"tickCount": 3, "format": "d", "tickMinStep": 1},
                },
                "fillOpacity": {"condition": {"test": "datum.withheld", "value": 0}, "value": 0.75},
            },
        },
        "columns",
    )


_ZERO: Final[Spec] = {"type": "rule", "color": "var(--quiet)", "strokeWidth": 1, "strokeDash": [2, 2]}


def _dots(points: Sequence[Point]) -> list[bool]:
    """Return which points are marked: all of a short line, of a long one those that no line reaches."""
    there = [False, *(point.middle is not None for point in points), False]
    lonely = [not before and not after for before, after in zip(there, there[2:], strict=False)]
    return [here and (len(points) <= _DOTTED or alone) for here, alone in zip(there[1:], lonely, strict=False)]


def _days(days: Sequence[str], width: int) -> Spec:
    """Return the axis of the weeks, by their Mondays: as many labels as have room, the last one among them."""
    every = -(-len(days) * _LABEL // width)
    axis = {"format": "%-d %b", "grid": False, "values": list(days[::-1][::every]), "labelOverlap": True}
    return {"field": "day", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}


def _svg(spec: Spec, name: str) -> Markup:
    """Return the drawing of a specification as an element of class `name`, hidden from screen readers."""
    return Markup(_render(json.dumps({**_CONFIG, **spec}), name))  # noqa: S704 (Vega escapes its texts, as tests hold)


@lru_cache(maxsize=256)
def _render(spec: str, name: str) -> str:
    """Return what `_svg` says; a pass draws its page twice, to see whether it says anything new."""
    import vl_convert  # as heavy as the rest of the app: only when a page is drawn

    root = ET.fromstring(vl_convert.vegalite_to_svg(spec))  # noqa: S314 (drawn just now)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        label = element.get("aria-label", "")
        for attribute in ("role", "aria-label", "aria-roledescription", "aria-hidden", "class"):
            element.attrib.pop(attribute, None)
        if label.startswith("show-"):
            element.set("class", label)
        for attribute in ("d", "transform"):
            if attribute in element.attrib:
                element.set(attribute, _FINE.sub(r"\1", element.attrib[attribute]))
    for attribute in ("version", "{http://www.w3.org/2000/xmlns/}xlink"):
        root.attrib.pop(attribute, None)
    root.attrib.update({"class": f"chart {name}", "aria-hidden": "true", "focusable": "false"})
    return ET.tostring(root, encoding="unicode")
