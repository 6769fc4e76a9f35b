"""The account-data kind of export, `ViewingActivity.csv`: the views of one profile, in the viewer's own time."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from participant.table import Column, Table
from shared.errors import HistoryError, ProfileUnknown

SHORTEST_VIEW: Final = 120
"""Seconds; a shorter row is no view."""
PREVIEW: Final = 120
"""Seconds; what began by itself and ended before is a preview, not an episode that followed another."""

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap])?\.?m?\.?", re.IGNORECASE)
_LENGTH = re.compile(r"(\d{1,3}):(\d{2})(?::(\d{2})(?:\.\d+)?)?")
_UNKNOWN: Final = -1


@dataclass(frozen=True)
class Activity:
    """The rows of one profile that are views, with the day and the time of day (UTC) apart."""

    kept: npt.NDArray[np.bool_]
    """Which rows of the table."""
    days: Column
    """The day of each row of the table, as written."""
    seconds: npt.NDArray[np.int32]
    """The time of day of each row of the table, in seconds."""
    left_out: Counter[str]


def choose_views(table: Table, profile: str | None, shortest: int = SHORTEST_VIEW) -> Activity:
    """Return which rows of the table are views of one profile.

    A file with one profile needs no name. Trailers and other supplemental videos, previews that began by themselves,
    rows shorter than `shortest` seconds and those the viewer hid from the history are no views.

    Raises: ProfileUnknown if several profiles have rows and none of them is named so.
    """
    columns = table.columns
    kept = _of_profile(columns["profile"], profile)
    left_out = Counter({"another profile": int((~kept).sum())})
    days, seconds = _split_times(columns["start"])
    lengths = np.array([_length(text) for text in columns["duration"].texts], np.int32)[columns["duration"].codes]
    unasked = _flags(columns.get("attributes"), len(kept), ("autoplayed: user action: none",))
    for reason, rows in (
        ("supplemental video", _flags(columns.get("supplemental"), len(kept), ("",))),
        ("hidden by the viewer", _flags(columns.get("attributes"), len(kept), ("hidden from viewing history",))),
        ("no duration", lengths == _UNKNOWN),
        ("no time", seconds == _UNKNOWN),
        ("autoplay preview", unasked & (lengths < PREVIEW)),
        (f"shorter than {shortest} seconds", lengths < shortest),
    ):
        left_out[reason] += int((kept & rows).sum())
        kept &= ~rows
    return Activity(kept, days, seconds, +left_out)


def local_days(days: pd.Series[pd.Timestamp], seconds: npt.NDArray[np.int32], zone: tzinfo) -> pd.Series[pd.Timestamp]:
    """Return the viewer's days: UTC days and times of day, turned into their time zone."""
    times = days.dt.tz_localize("UTC") + pd.to_timedelta(seconds, unit="s")
    local: pd.Series[pd.Timestamp] = times.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    return local


def _of_profile(column: Column, wanted: str | None) -> npt.NDArray[np.bool_]:
    names = [unicodedata.normalize("NFC", text).strip() for text in column.texts]
    there = sorted({name for name in names if name})
    if wanted is None:
        if len(there) > 1:
            raise _unknown("the export holds several profiles", there)
        return np.ones(len(column.codes), np.bool_)
    simple = unicodedata.normalize("NFC", wanted).strip()
    fitting = {name for name in there if name == simple} or {n for n in there if n.casefold() == simple.casefold()}
    if len(fitting) != 1:
        raise _unknown("no profile of the export is named so", there)
    return np.array([name in fitting for name in names], np.bool_)[column.codes]


def _unknown(what: str, there: list[str]) -> HistoryError:
    remedy = "say which one is yours: netflix-trend-participant install --profile NAME (or NAME=PATH as the file)"
    return ProfileUnknown(
        f"{what}; there are: {', '.join(there[:20])}{', ...' * (len(there) > 20)}; {remedy}",
        log_safe=f"{what} (it has {len(there)}); {remedy}",
        profiles=there,
    )


def _split_times(column: Column) -> tuple[Column, npt.NDArray[np.int32]]:
    """Return day and time of day of `2022-10-17 23:42:00`, `12/28/2021 13:02` and the like, each row's."""
    numbers: dict[str, int] = {}
    days, seconds = np.empty(len(column.texts), np.int32), np.empty(len(column.texts), np.int32)
    clocks: dict[str, int] = {}
    for place, text in enumerate(column.texts):
        day, _, clock = text.strip().partition("T" if "T" in text else " ")
        days[place] = numbers.setdefault(day, len(numbers))
        if clock not in clocks:
            clocks[clock] = _clock(clock)
        seconds[place] = clocks[clock]
    return Column(list(numbers), days[column.codes]), seconds[column.codes]


def _clock(text: str) -> int:
    found = _CLOCK.fullmatch(text.removesuffix("Z").removesuffix("UTC").strip())
    if not found:
        return _UNKNOWN
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if half := (found[4] or "").casefold():
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour * 3600 + minute * 60 + second if hour < 24 and minute < 60 and second < 60 else _UNKNOWN


def _length(text: str) -> int:
    found = _LENGTH.fullmatch(text.strip())
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0) if found else _UNKNOWN


def _flags(column: Column | None, rows: int, needles: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Return which rows have one of the needles in their text; the empty needle is in every text that is not empty."""
    if column is None:
        return np.zeros(rows, np.bool_)
    simple = [" ".join(text.casefold().split()) for text in column.texts]
    found = np.array([bool(text) and any(needle in text for needle in needles) for text in simple], np.bool_)
    return found[column.codes]
