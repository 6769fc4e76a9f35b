"""Reading and changing `settings.toml` files, which people edit by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from shared.errors import SettingsError
from shared.files import read_regular_file, write_atomically

MAX_BYTES: Final = 100_000


def read_toml(path: Path, remedy: str) -> dict[str, Any]:
    """Return what a settings file says, as plain values.

    Raises: SettingsError if it is missing (`remedy` is the command that makes it) or broken.
    """
    return _document(path, remedy).unwrap()


def write_settings(path: Path, template: str, changes: Mapping[str, Any]) -> None:
    """Set `changes` in a settings file, which begins as `template`; what a person wrote there stays as it is.

    Raises: SettingsError if it is broken.
    """
    document = _document(path, "") if path.exists() else tomlkit.parse(template)
    for name, value in changes.items():
        document[name] = value
    write_atomically(path, tomlkit.dumps(document).encode(), private=True)


def wrong(name: str, value: object, rule: str) -> SettingsError:
    """Return the error for a setting whose value breaks its rule."""
    return SettingsError(f"settings.toml: {name} = {str(value)[:80]!r} must be {rule}")


def _document(path: Path, remedy: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(read_regular_file(path, MAX_BYTES).decode("utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"no settings at {path}: run {remedy}") from None
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, TOMLKitError) as error:
        raise SettingsError(f"{path} is no TOML: {' '.join(str(error).split())}; mend it or delete it") from None
