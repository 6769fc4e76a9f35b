"""The page people look at, from the published documents alone: what it shows is what anyone can download."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aggregator import charts
from shared import wording
from shared.promise import public_promise
from shared.study import Study
from shared.week import IsoWeek

Document = dict[str, Any]

PICKABLE: Final = 40  # shows that the lines can be drawn of; the figures of all are in the downloads
PICKED: Final = 3  # of them at first
DRAWN_WEEKS: Final = 52
NAMED: Final = 12  # candidates of a week that is too close to call
MOVERS: Final = 10  # of each direction
HINTED: Final = 3  # changes of each direction that are shown where none stands out of the noise
HUES: Final = 8  # colours of lines, see style.css; shows that share one differ in their dashes


@dataclass(frozen=True)
class Move:
    """How a show came to its place in the chart: a sign, and the same in words."""

    kind: str
    """`up`, `down`, `same`, `new` or `back`, as the stylesheet calls it."""
    sign: str
    words: str


@dataclass(frozen=True)
class Entry:
    """A place in the chart."""

    figures: Document
    """As in the week's `ranking`."""
    trend: Document
    """As in the trends."""
    tied: bool
    move: Move | None
    """None in the first week, before which there was no chart."""
    share: float
    """By the best guess."""
    interval: Markup
    sparkline: Markup


@dataclass(frozen=True)
class Mover:
    """A show whose share changed."""

    trend: Document
    drawing: Markup


@dataclass(frozen=True)
class Line:
    """A show of the line chart."""

    index: int
    show: str
    picked: bool
    weeks: Sequence[charts.Point]


def render_page(documents: Mapping[str, Document], study: Study, rejected: Counter[str]) -> str:
    """Return the HTML of the page: self-contained, every title escaped, and readable without its script.

    `documents` are the published ones by file name, `study` is the one that the week shown is told under.
    """
    pages = Environment(
        loader=PackageLoader("aggregator", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(
        number=wording.number,
        guess=wording.guess,
        percent=wording.percent,
        signed=wording.signed,
        span=lambda ends, digits=0: wording.span(ends[0], ends[1], digits),
        chance=wording.chance,
        week_dates=lambda text: wording.week_dates(IsoWeek.parse(text)),
        monday=lambda text: IsoWeek.parse(text).first_day.strftime("%-d %b %Y"),
        moment=lambda text: wording.moment(datetime.fromisoformat(text)),
        share=_share_in_words,
    )
    pages.tests["too_few"] = wording.is_too_few
    top, trends = documents["most_common_show.json"], documents["trends.json"]
    lines = _lines(trends)
    style = _asset("shared", "style.css") + _style_of(lines)
    script = _asset("aggregator", "page.js")
    return pages.get_template("index.html").render(
        top=top,
        trends=trends,
        latest=documents[f"weeks/{trends['weeks'][-1]['week']}.json"],
        weeks=[documents[f"weeks/{week['week']}.json"] for week in reversed(trends["weeks"])],
        entries=_entries(top, trends),
        movers=_movers(trends),
        lines=lines,
        drawings=_drawings(lines, trends),
        promise=public_promise(study),
        rejected=rejected,
        named=NAMED,
        style=Markup(style),  # noqa: S704 (our own files, and numbers)
        script=Markup(script),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _entries(top: Document, trends: Document) -> list[Entry]:
    """Return the chart of the week: the leading shows, each beside its past."""
    known = {trend["show"]: trend for trend in trends["shows"]}
    ranks = Counter(figures["rank"] for figures in top["ranking"])
    ends = [end for each in top["ranking"] for end in (*each["interval95"], *each["shrunken_interval95"], 0)]
    entries = []
    for figures in top["ranking"]:
        trend = known[figures["show"]]
        points = _points(trend, trends)
        guess, plain = _around(figures, "shrunken", "shrunken_interval95"), _around(figures, "estimate", "interval95")
        entries.append(
            Entry(
                figures,
                trend,
                ranks[figures["rank"]] > 1,
                _move(trend),
                next(point.middle for point in reversed(points) if point.middle is not None),
                charts.interval(guess, plain, (min(ends), max(ends))),
                charts.sparkline(points),
            )
        )
    return entries


def _around(figures: Document, middle: str, interval: str) -> tuple[float, float, float]:
    low, high = figures[interval]
    return low, figures[middle], high


def _move(trend: Document) -> Move | None:
    """Return how a show of the chart came to its rank; that it is there for the first time says more than a step."""
    step = trend["rank_change"]
    if step is None:
        return None
    if trend["weeks_on_chart"] == 1:
        return Move("new", "New", "new in the chart")
    if trend["re_entry"]:
        return Move("back", "Back", "in the chart again")
    if step > 0:
        return Move("up", f"▲ {step}", f"up {step}")
    if step < 0:
        return Move("down", f"▼ {-step}", f"down {-step}")
    return Move("same", "=", "same rank")


def _movers(trends: Document) -> dict[str, list[Mover]]:
    """Return the risers and the fallers; where no change stands out of the noise, the largest ones, as `within`."""
    changed = [trend for trend in trends["shows"] if trend["change"] is not None]
    by_change = sorted(changed, key=lambda trend: -trend["change"])
    rising = [trend for trend in by_change if trend["direction"] in {"rising", "new"}][:MOVERS]
    falling = [trend for trend in by_change[::-1] if trend["direction"] == "falling"][:MOVERS]
    within: list[Document] = []
    if not rising and not falling:
        ups, downs = by_change[:HINTED], by_change[HINTED:][-HINTED:]
        within = [trend for trend in ups if trend["change"] > 0] + [trend for trend in downs if trend["change"] < 0]
    shown = {"rising": rising, "falling": falling, "within": within}
    ends = [abs(end) for each in shown.values() for trend in each for end in trend["change_interval95"]]
    return {
        name: [Mover(trend, charts.change(*_around(trend, "change", "change_interval95"), max(ends))) for trend in each]
        for name, each in shown.items()
    }


def _lines(trends: Document) -> list[Line]:
    """Return the shows whose lines can be drawn: this week's chart first, then those longest in earlier ones."""
    if not trends["shows"]:
        return []
    last = [week["week"] for week in trends["weeks"] if not week["withheld"]][-1]

    def order(trend: Document) -> tuple[int, int, int]:
        now = trend["weeks"][-1]
        rank = now["rank"] if now["week"] == last else trends["chart"] + 1
        return min(rank, trends["chart"] + 1), -trend["weeks_on_chart"], trend["peak_rank"]

    chosen = sorted(trends["shows"], key=order)[:PICKABLE]
    return [Line(index, trend["show"], index < PICKED, _points(trend, trends)) for index, trend in enumerate(chosen)]


def _points(trend: Document, trends: Document) -> list[charts.Point]:
    """Return a show's best guesses as shares of those who took part, week by week; empty where a week has none."""
    figures = {week["week"]: week for week in trend["weeks"]}
    found = []
    for week in trends["weeks"][-DRAWN_WEEKS:]:
        day, here = IsoWeek.parse(week["week"]).first_day.isoformat(), figures.get(week["week"])
        if here is None:
            found.append(charts.Point(day, None))
            continue
        # A show that an older study did not have was counted by fewer; a small share is too coarse to tell by how many.
        counted = here["estimate"] / here["share"] if abs(here["share"]) > 0.005 else week["participants"]
        low, high = here["shrunken_interval95"]
        middle, low, high = (round(figure / counted, 4) for figure in (here["shrunken"], low, high))
        found.append(charts.Point(day, middle, low, high))
    return found


def _drawings(lines: list[Line], trends: Document) -> dict[str, Markup]:
    """Return the charts that do not stand in a table, each for wide and for narrow screens."""
    weeks = [
        (IsoWeek.parse(week["week"]).first_day.isoformat(), week["participants"], week["withheld"])
        for week in trends["weeks"][-DRAWN_WEEKS:]
    ]
    found = {"people": charts.columns(weeks, 760, 110), "people_narrow": charts.columns(weeks, 290, 90)}
    if lines:
        points, per_cent = [line.weeks for line in lines], trends["counts"] == "viewers"
        found["lines"] = charts.lines(points, 760, 320, per_cent=per_cent)
        found["lines_narrow"] = charts.lines(points, 275, 240, per_cent=per_cent)
    return found


def _share_in_words(share: float, counts: str, digits: int = 1) -> str:
    """Return a share of the members; of views there may be more than members."""
    return wording.percent(share, digits) if counts == "viewers" else f"{wording.number(share, digits + 1)} each"


def _style_of(lines: list[Line]) -> str:
    """Return how each line looks, and that it is hidden until its show is picked.

    A browser that does not know :has() passes over these rules and shows all.
    """
    return "".join(
        f".show-{line.index}{{color:var(--hue-{line.index % HUES});"
        f"stroke-dasharray:var(--dash-{line.index // HUES % 5})}}\n"
        f"#through:not(:has(#pick-{line.index}:checked)) #picked .show-{line.index}{{display:none}}\n"
        for line in lines
    )


def _asset(package: str, name: str) -> str:
    return (resources.files(package) / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what the page's security policy names an inline style or script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
