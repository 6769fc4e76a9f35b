"""What a participant decides: `settings.toml` beside run.sh, written by `install`, changed by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal

from participant.history import DATE_ORDERS, DateOrder
from shared.errors import LimitReached, SettingsError
from shared.settings import read_toml, wrong
from shared.study import Study, Trust, Unit
from shared.workspace import check_email

TEMPLATE: Final = """\
# What the participant app of netflix-trend does on this machine. Change it with any editor; the app reads it anew.

# The coordinator's e-mail address: only they can read what you publish.
aggregator = ""

# Your exports: "path", or "name=path" for the profiles of a shared account. Empty: the newest
# NetflixViewingHistory*.csv in ~/Downloads.
history = []

# Your profile's name, where account data holds several and `history` names none.
profile = ""

# The order of day, month and year in the export's dates: "day-first", "month-first", "year-first".
# Empty: the app finds out, and asks you to say it here if the export does not show it.
date_order = ""

# Your time zone, like "Europe/Berlin": account data tells times in UTC. Empty: this machine's, as it was first found.
timezone = ""

# Account data also lists what was only looked into: shorter views are left out.
shortest_view_seconds = 120

# Your limits. A study beyond them is not joined.
max_epsilon_per_week = 2.0
max_epsilon_total = 52.0
units = ["show", "week"]
trust = ["one-coordinator"]

# Where two coordinators hold a half of your counts each: the fingerprint of the pair, as they told it to you outside
# SyftBox. Without it nobody could tell that there are two of them.
fingerprint = ""
"""

_LIMITS: Final = ("max_epsilon_per_week", "max_epsilon_total", "units", "trust", "fingerprint")
_FINGERPRINT = re.compile(r"[0-9a-f]{40}")
_MOST: Final = 1e9  # of an epsilon: no promise is left long before


@dataclass(frozen=True)
class Settings:
    """The participant's settings, checked. Meaning and defaults: the template."""

    aggregator: str
    """In lower case; empty after a withdrawal."""
    history: tuple[str, ...] = ()
    profile: str = ""
    date_order: DateOrder | None = None
    timezone: str = ""
    shortest_view_seconds: int = 120
    max_epsilon_per_week: float = 2.0
    max_epsilon_total: float = 52.0
    units: tuple[Unit, ...] = ("show", "week")
    trust: tuple[Trust, ...] = ("one-coordinator",)
    fingerprint: str = ""
    """Of the pair of coordinators that is trusted, its digits alone."""

    @property
    def limits_json(self) -> str:
        """The participant's limits, which the ledger remembers: removing the app must not loosen them."""
        return json.dumps({name: getattr(self, name) for name in _LIMITS})

    def check_limits(self, study: Study) -> None:
        """Refuse a study that asks for more than the participant allows.

        Raises: LimitReached, saying which limit and how to raise it.
        """
        for limit, asked, allowed in (
            ("units", study.unit, study.unit in self.units),
            ("trust", study.trust, study.trust in self.trust),
            ("max_epsilon_per_week", f"{study.epsilon:g}", study.epsilon <= self.max_epsilon_per_week),
        ):
            if not allowed:
                value = getattr(self, limit)
                shown = ", ".join(value) if isinstance(value, tuple) else f"{value:g}"
                raise LimitReached(
                    f"study {study.id[:8]} of {self.aggregator} is beyond your limit {limit} = {shown}: it asks for "
                    f"{asked}. Nothing new is released; to join it, change {limit} in settings.toml"
                )
        if study.trust == "two-coordinators":
            self._check_pair(study)

    def _check_pair(self, study: Study) -> None:
        """Refuse two coordinators whom the participant has not compared: one person could play both."""
        if self.fingerprint != _digits(study.fingerprint):
            has = "another one is" if self.fingerprint else "none is"
            raise LimitReached(
                f"study {study.id[:8]} of {self.aggregator} is measured by two coordinators whose fingerprint you have "
                f"to compare outside SyftBox: ask both for it, and write it as fingerprint in settings.toml ({has} "
                f"there now). Nothing new is released"
            )


def read_settings(path: Path) -> Settings:
    """Return the settings in a file.

    Raises: SettingsError if it is missing or broken, with the place and the rule.
    """
    return _settings(read_toml(path, "netflix-trend-participant install --aggregator EMAIL"))


def _settings(found: Mapping[str, Any]) -> Settings:
    known = set(Settings.__dataclass_fields__)
    if strange := sorted(found.keys() - known):
        raise SettingsError(f"settings.toml: unknown setting {strange[0]!r}; there are {', '.join(sorted(known))}")
    aggregator = found.get("aggregator", "")
    if not isinstance(aggregator, str):
        raise wrong("aggregator", aggregator, "the coordinator's e-mail address")
    order = found.get("date_order", "")
    if order not in ("", *DATE_ORDERS):
        raise wrong("date_order", order, f"one of {', '.join(DATE_ORDERS)}, or empty")
    return Settings(
        aggregator=check_email(aggregator) if aggregator else "",
        history=_strings(found, "history", ()),
        profile=_profile(found.get("profile", "")),
        date_order=order or None,
        timezone=_zone(found.get("timezone", "")),
        shortest_view_seconds=_seconds(found.get("shortest_view_seconds", 120)),
        max_epsilon_per_week=_positive(found, "max_epsilon_per_week", 2.0),
        max_epsilon_total=_positive(found, "max_epsilon_total", 52.0),
        units=_strings(found, "units", ("show", "week"), get_args(Unit)),
        trust=_strings(found, "trust", ("one-coordinator",), get_args(Trust)),
        fingerprint=check_fingerprint(found.get("fingerprint", "")),
    )


def local_zone() -> str:
    """Return the name of this machine's time zone.

    Raises: SettingsError if it does not say it.
    """
    try:
        return _zone(tzlocal.get_localzone_name())
    except (LookupError, OSError, SettingsError):
        raise SettingsError('this machine does not name its time zone: set timezone = "..." in settings.toml') from None


def _zone(name: object) -> str:
    if name == "":
        return ""
    try:
        return ZoneInfo(str(name)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong("timezone", name, 'the name of a time zone, like "Europe/Berlin", or empty') from None


def check_fingerprint(value: object) -> str:
    """Return the digits of a fingerprint, empty for none. Raises: SettingsError."""
    digits = _digits(value) if isinstance(value, str) else "?"
    if digits and not _FINGERPRINT.fullmatch(digits):
        raise wrong("fingerprint", value, "ten groups of four hexadecimal digits, or empty")
    return digits


def _digits(fingerprint: str) -> str:
    return "".join(fingerprint.split()).lower()


def _profile(value: object) -> str:
    if not isinstance(value, str):
        raise wrong("profile", value, "the name of a profile, or empty")
    return value.strip()


def _seconds(value: object) -> int:
    if type(value) is not int or value < 0:
        raise wrong("shortest_view_seconds", value, "a whole number of seconds")
    return value


def _positive(found: Mapping[str, Any], name: str, default: float) -> float:
    value = found.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST:
        raise wrong(name, value, "a number above 0")
    return float(value)


def _strings(
    found: Mapping[str, Any], name: str, default: tuple[Any, ...], choices: tuple[str, ...] = ()
) -> tuple[Any, ...]:
    value = found.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong(name, value, 'a list of texts, like ["one", "two"]')
    for item in value:
        if choices and item not in choices:
            raise wrong(name, item, f"made of {', '.join(choices)}")
    return tuple(str(item) for item in value)
