"""The real exports of `../shared/histories`, which never come into the project: only counts are looked at."""

from __future__ import annotations

import os
from collections import Counter
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from participant.activity import choose_views
from participant.history import read_history
from participant.table import read_table

FOLDER = Path(os.environ.get("NETFLIX_TREND_HISTORIES", Path(__file__).parents[3] / "shared" / "histories"))
MADE = date(2026, 12, 31)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the folder of real exports is not here")


def weeks(name: str) -> Counter[str]:
    days: pd.Series[pd.Timestamp] = read_history((FOLDER / name).read_bytes(), MADE).views["date"]
    return Counter(days.dt.strftime("%G-W%V").tolist())


def test_every_viewing_history_is_read_and_no_row_lost_silently() -> None:
    files = sorted(FOLDER.glob("person_*.csv"))
    assert len(files) == 28
    for number, file in enumerate(files):
        reading = read_history(file.read_bytes(), MADE)
        accepted, left_out = len(reading.views), reading.left_out.total()
        assert accepted + left_out == reading.rows == file.read_bytes().count(b"\n") - 1, number
        assert set(reading.left_out) <= {"no title"}, number
        assert left_out <= 0.02 * reading.rows, number
        assert reading.date_order is not None, number


def test_the_same_views_in_two_languages_lie_in_the_same_weeks() -> None:
    assert weeks("person_06.csv") == weeks("person_06_english.csv")


def test_every_account_data_export_is_read_for_each_of_its_profiles() -> None:
    files = sorted(FOLDER.glob("activity_*.csv"))
    assert len(files) == 4
    for number, file in enumerate(files):
        data = file.read_bytes()
        table = read_table(data)
        for profile in table.columns["profile"].texts:
            reading = read_history(data, MADE, profile=profile)
            assert len(reading.views) + reading.left_out.total() == reading.rows == table.rows, number
            assert int(choose_views(table, profile).kept.sum()) == len(reading.views), number
