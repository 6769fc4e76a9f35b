"""What a coordinator decides: `settings.toml` beside run.sh, written by `install`, changed by hand."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from shared.errors import SettingsError
from shared.settings import read_toml, wrong
from shared.workspace import check_email

TEMPLATE: Final = """\
# What the aggregator app of netflix-trend does on this machine. Change it with any editor; the app reads it anew.

# Whose releases count: e-mail addresses or patterns like "*@example.org". The answer to invented datasites.
members = ["*"]
blocked = []

# Where this is the second of two coordinators, the helper: the e-mail of the first one, the leader, whose study it
# publishes as well and whose weeks it answers for. Empty: this coordinator publishes studies of its own.
leader = ""
"""


@dataclass(frozen=True)
class Settings:
    """The coordinator's settings, checked. Meaning and defaults: the template."""

    members: tuple[str, ...] = ("*",)
    blocked: tuple[str, ...] = ()
    leader: str = ""
    """In lower case; empty unless this is the helper of another coordinator."""

    def counts(self, datasite: str) -> bool:
        """Tell whether the releases of a datasite (lower case) count."""

        def named(patterns: tuple[str, ...]) -> bool:
            return any(fnmatchcase(datasite, pattern.lower()) for pattern in patterns)

        return named(self.members) and not named(self.blocked)


def read_settings(path: Path) -> Settings:
    """Return the settings in a file.

    Raises: SettingsError if it is missing or broken, with the place and the rule.
    """
    found = read_toml(path, "netflix-trend-aggregator install")
    known = set(Settings.__dataclass_fields__)
    if strange := sorted(found.keys() - known):
        raise SettingsError(f"settings.toml: unknown setting {strange[0]!r}; there are {', '.join(sorted(known))}")
    leader = found.get("leader", "")
    if not isinstance(leader, str):
        raise wrong("leader", leader, "the e-mail address of the leading coordinator, or empty")
    patterns = {name: _patterns(name, value) for name, value in found.items() if name != "leader"}
    return Settings(**patterns, leader=check_email(leader) if leader else "")


def _patterns(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong(name, value, 'a list of addresses or patterns, like ["*@example.org"]')
    return tuple(value)
