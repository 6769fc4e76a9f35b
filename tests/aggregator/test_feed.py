"""The Atom feed: what RFC 4287 asks for, and that what a reader has seen stays the same entry."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree as ET

from aggregator import app as aggregator
from aggregator.feed import ATOM, Item, render_feed
from tests.conftest import COORDINATOR, EXPORT, TUESDAY, Neighbourhood

NAMES = {"": ATOM}
COMMUNITY = UUID(int=1)
WEEK = {
    "week": "2024-W47",
    "show": "<b>&",
    "conclusive": True,
    "confidence": 0.97,
    "counts": "viewers",
    "participants": 40,
    "shrunken": 12.4,
    "shrunken_interval95": [9.0, 16.0],
    "ranking": [{"rank": 1, "show": "<b>&"}],
}


def test_a_feed_has_all_that_the_standard_asks_for_and_titles_stay_text() -> None:
    feed = ET.fromstring(render_feed(COMMUNITY, [Item(WEEK, TUESDAY)], TUESDAY))  # noqa: S314 (our own)
    (entry,) = feed.findall("entry", NAMES)
    for element in (feed, entry):
        assert UUID(element.findtext("id", "", NAMES).removeprefix("urn:uuid:"))
        assert element.findtext("title", "", NAMES)
        assert datetime.fromisoformat(element.findtext("updated", "", NAMES)) == TUESDAY
    assert feed.findtext("author/name", "", NAMES)
    assert [link.get("href") for link in feed.findall("link", NAMES)] == ["feed.xml", "index.html"]
    assert entry.findtext("title", "", NAMES) == "18–24 November 2024: <b>&"
    assert [link.get("href") for link in entry.findall("link", NAMES)] == ["index.html#2024-W47", "weeks/2024-W47.json"]
    assert "<b>&: best guess 12 viewers (95 % interval 9–16)" in entry.findtext("summary", "", NAMES)


def test_a_feed_without_entries_is_still_one() -> None:
    feed = ET.fromstring(render_feed(COMMUNITY, [], TUESDAY))  # noqa: S314 (our own)
    assert datetime.fromisoformat(feed.findtext("updated", "", NAMES)) == TUESDAY
    assert feed.findall("entry", NAMES) == []


def test_the_feed_of_a_run_tells_of_the_latest_week_and_of_final_ones_which_keep_their_identifiers(
    neighbourhood: Neighbourhood,
) -> None:
    box = neighbourhood.coordinator()
    aggregator.run(box, TUESDAY)
    for number in range(5):
        neighbourhood.join(f"member{number}@example.org", EXPORT)
        neighbourhood.run(f"member{number}@example.org")
    aggregator.run(box, TUESDAY)
    before = _entries(neighbourhood)
    assert list(before) == ["2024-W47"]
    aggregator.run(box, TUESDAY + timedelta(weeks=2))
    after = _entries(neighbourhood)
    assert list(after) == ["2024-W47", "2024-W44", "2024-W43"]  # W45 to W47 still take releases
    assert after["2024-W47"][0] == before["2024-W47"][0]
    assert len({identifier for identifier, _ in after.values()}) == 3
    assert after["2024-W43"][1] == datetime(2024, 12, 2, tzinfo=UTC)


def _entries(world: Neighbourhood) -> dict[str, tuple[str, datetime]]:
    """Return the feed's entries by week: identifier, time."""
    path = world.box(COORDINATOR).results(COORDINATOR) / "feed.xml"
    return {
        entry.find("link", NAMES).get("href", "").split("#")[1]: (  # type: ignore[union-attr]
            entry.findtext("id", "", NAMES),
            datetime.fromisoformat(entry.findtext("updated", "", NAMES)),
        )
        for entry in ET.parse(path).getroot().findall("entry", NAMES)  # noqa: S314 (our own)
    }
