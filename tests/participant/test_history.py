"""What reading an export promises, whatever its form."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from participant.history import DATE_ORDERS, Reading, merge_exports, read_history
from participant.reduce import count_views
from shared.catalogue import Show, format_catalogue, parse_catalogue
from shared.errors import DateOrderUnknown, HistoryError
from tests.strategies import ACCENTS, MADE, SEASONS, Form, View, exports, forms

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def views_of(reading: Reading) -> Counter[View]:
    pairs = zip(reading.views["title"], reading.views["date"], strict=True)
    return Counter((title, day.date()) for title, day in pairs)


def refused_in_one_line(error: HistoryError, said: str = "") -> None:
    """Check what a person is told."""
    assert "\n" not in str(error)
    assert len(str(error)) < 400
    assert said in str(error)


@QUICK
@given(exports())
def test_an_export_in_any_form_says_the_views_that_were_written(export: tuple[Form, list[View]]) -> None:
    form, views = export
    reading = read_history(form.write(views), MADE)
    assert views_of(reading) == Counter(views)
    assert reading.rows == len(views)
    assert not reading.left_out


@QUICK
@given(exports(decided=False))
def test_a_short_export_is_read_right_or_not_at_all(export: tuple[Form, list[View]]) -> None:
    form, views = export
    try:
        reading = read_history(form.write(views), MADE)
    except DateOrderUnknown as error:
        refused_in_one_line(error, "date_order")
        assert read_history(form.write(views), MADE, form.order).rows == len(views)
    except HistoryError as error:
        refused_in_one_line(error)
        assert not form.encoding.startswith("utf")  # a few letters may not tell one code page from another
    else:
        assert views_of(reading) == Counter(views)


@QUICK
@given(exports(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_view(export: tuple[Form, list[View]], shuffle: random.Random) -> None:
    form, views = export
    mixed = list(views)
    shuffle.shuffle(mixed)
    try:
        reading = read_history(form.write(mixed), MADE)
    except DateOrderUnknown:
        return
    assert views_of(reading) == Counter(views)


@QUICK
@given(forms(), st.sampled_from(sorted(SEASONS)), st.lists(st.dates(date(2015, 1, 1), MADE), min_size=30, max_size=60))
def test_the_language_of_the_file_changes_no_count(form: Form, other: str, watched: list[date]) -> None:
    catalogue = parse_catalogue(format_catalogue([Show("Plain", "series"), Show("Other", "series")]))
    counts = []
    for language in (form.language, other):
        name = SEASONS[language].format(2)
        views = [(f"Plain: {name}: {ACCENTS[language]}", day) for day in sorted(watched, reverse=True)]
        written = Form(order=form.order, long_year=True, language=language, separator=form.separator)
        counts.append(count_views(read_history(written.write(views), MADE, form.order).views, catalogue))
    assert counts[0] == counts[1]
    assert sum(size for week in counts[0].values() for size in week.values()) == len(watched)


@settings(max_examples=150, deadline=2000)
@given(st.binary(max_size=2000) | st.binary(max_size=400).map(lambda data: b"Title,Date\n" + data))
def test_any_bytes_are_read_or_refused_in_one_line(data: bytes) -> None:
    try:
        reading = read_history(data, MADE)
    except HistoryError as error:
        refused_in_one_line(error)
    else:
        assert len(reading.views) + reading.left_out.total() == reading.rows


@settings(max_examples=150, deadline=2000)
@given(exports(), st.data())
def test_a_garbled_export_loses_no_row_silently(export: tuple[Form, list[View]], data: st.DataObject) -> None:
    form, views = export
    content = bytearray(form.write(views))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        reading = read_history(bytes(content), MADE)
    except HistoryError as error:
        refused_in_one_line(error)
    else:
        assert len(reading.views) + reading.left_out.total() == reading.rows


@QUICK
@given(exports(), st.data())
def test_an_export_that_was_cut_off_is_refused_or_gives_its_first_rows(
    export: tuple[Form, list[View]], data: st.DataObject
) -> None:
    form, views = export
    content = form.write(views)
    cut = data.draw(st.integers(1, len(content) - 1))
    try:
        reading = read_history(content[:cut], MADE)
    except HistoryError:
        return
    if len(reading.views) == 1 and not form.quoted and not form.wrapped:
        return  # one row that no line end closes: nothing shows that its year went on
    assert not Counter(day for _, day in views_of(reading).elements()) - Counter(day for _, day in views)


@pytest.mark.parametrize("order", DATE_ORDERS)
def test_what_is_left_out_is_counted_by_its_reason(order: str) -> None:
    form = Form(order=order, long_year=True, quoted=False)  # type: ignore[arg-type]
    rows = [("Plain", date(2024, 1, day)) for day in range(31, 0, -1)] * 10
    content = (
        form.write(rows) + b",2024/01/01\nPlain,\nPlain,0001/01/01\n" + b"x" * 600 + b",2024/01/02\nonly a title\n"
    )
    if order == "year-first":
        reading = read_history(content, MADE)
        assert reading.left_out == {
            "no title": 1, "no date": 1, "date impossible": 1, "title too long": 1, "not the cells of the header": 1,
        }  # fmt: skip
        assert len(reading.views) == len(rows)


def test_a_title_of_a_million_characters_is_one_row_left_out() -> None:
    rows = "".join(f'"Plain","{day}/1/2024"\n' for day in range(31, 0, -1))
    content = f'Title,Date\n{rows}"{"x" * 1_000_000}","1/1/2024"\n'
    reading = read_history(content.encode(), MADE)
    assert reading.left_out == {"line too long": 1}
    assert len(reading.views) == 31


def test_merging_counts_no_view_twice_and_keeps_what_a_later_export_lacks() -> None:
    first = pd.DataFrame({"title": ["A", "A", "B"], "date": pd.to_datetime(["2024-01-01"] * 3)})
    second = pd.DataFrame({"title": ["A", "C"], "date": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    merged = merge_exports([first, second])
    assert Counter(merged["title"]) == {"A": 2, "B": 1, "C": 1}
