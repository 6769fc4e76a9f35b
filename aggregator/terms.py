"""The coordinator's own study and catalogue: made at the first run, renewed by `study new`, never changed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from aggregator import registry
from shared import catalogue as catalogues
from shared import study as studies
from shared.catalogue import Catalogue, bundled_catalogue, parse_catalogue
from shared.errors import NotYet, StudyError
from shared.files import read_regular_file, write_if_changed
from shared.study import Study, parse_study

_STUDY_FILE = re.compile(r"[0-9a-f]{64}\.json")


TWO_COORDINATORS: Final[Mapping[str, Any]] = MappingProxyType({"mechanism": "laplace", "open_weeks": 2})
"""What a first study with two coordinators has where nothing else is said."""


@dataclass(frozen=True)
class Terms:
    """The current study, every study so far by id, and the catalogue as it is now."""

    study: Study
    published: dict[str, Study]
    catalogue: Catalogue


def ensure_terms(results: Path) -> Terms:
    """Return the terms in the coordinator's public folder; at the first run, publish catalogue and default study.

    The catalogue is written before the study that names it, and `study.json` last: it is what participants wait for.

    Raises: StudyError or CatalogueError if what is there was altered.
    """
    if not (results / "study.json").exists():
        publish_study(results, {})
    terms = read_terms(results)
    write_if_changed(results / "studies" / f"{terms.study.id}.json", terms.study.to_json())
    return terms


def read_terms(results: Path) -> Terms:
    """Return the terms in the coordinator's public folder.

    Raises: NotYet if nothing is published, StudyError or CatalogueError if what is there was altered.
    """
    if not (results / "study.json").exists():
        raise NotYet(
            "no study is published yet: SyftBox starts the app by itself, or call netflix-trend-aggregator run"
        )
    study = parse_study(_read(results / "study.json", studies.MAX_BYTES))
    published = {study.id: study}
    for path in sorted((results / "studies").glob("*.json")):
        if _STUDY_FILE.fullmatch(path.name):  # others are not ours: a client may leave a copy of a conflict there
            earlier = parse_study(_read(path, studies.MAX_BYTES))
            published[earlier.id] = earlier
    data = _read(results / "catalogue.csv", catalogues.MAX_BYTES)
    for each in published.values():
        each.catalogue(data)  # raises if a row was changed: rows are appended only
    return Terms(study, published, parse_catalogue(data))


def draft_study(results: Path, terms: Mapping[str, Any]) -> tuple[Study, bytes]:
    """Return the study that these terms would make, following the one before, and the catalogue it counts.

    Terms that are not named keep the value of the study before, or the default; the catalogue is counted as it is now,
    or its first `catalogue_rows` rows. Terms that change nothing give the study before.

    Raises: StudyError for unsound terms, CatalogueError for an unsound catalogue.
    """
    path, current = results / "catalogue.csv", results / "study.json"
    data = _read(path, catalogues.MAX_BYTES) if path.exists() else bundled_catalogue()
    catalogue = parse_catalogue(data)
    counted = catalogue.first(terms.get("catalogue_rows", len(catalogue)))
    stated = {**terms, "catalogue_rows": len(counted), "catalogue_sha256": counted.sha256()}
    if not current.exists():
        return Study(**stated), data
    before = parse_study(_read(current, studies.MAX_BYTES))
    study = dataclasses.replace(before, **stated)
    if study == before:
        return before, data
    if study.open_weeks > before.open_weeks:
        raise StudyError(
            f"open_weeks {study.open_weeks} is more than the {before.open_weeks} of the study before: weeks that "
            f"are final would take releases again, at their members' cost"
        )
    return dataclasses.replace(study, predecessor=before.id), data


def publish_study(results: Path, terms: Mapping[str, Any]) -> Study:
    """Publish the study that `draft_study` makes of these terms. Repeating it changes nothing.

    Raises: see draft_study; nothing is published then.
    """
    study, data = draft_study(results, terms)
    write_if_changed(results / "catalogue.csv", data)
    write_if_changed(results / "studies" / f"{study.id}.json", study.to_json())
    write_if_changed(results / "study.json", study.to_json())
    return study


def publish_record(results: Path, study: Study, today: date, curator: str = registry.CURATOR) -> None:
    """Write the registry's record of a study beside it, once: its date is that of the first publication."""
    path = results / registry.FILE
    try:
        if f"'netflix-trend-{study.id[:8]}'".encode() in read_regular_file(path, studies.MAX_BYTES):
            return
    except OSError:
        pass  # none yet, or something else in its place: it is written
    write_if_changed(path, registry.format_record(registry.deployment_record(study, curator, today)))


def _read(path: Path, limit: int) -> bytes:
    try:
        return read_regular_file(path, limit)
    except OSError as error:
        raise StudyError(f"cannot read {path}: {error.strerror or error}; restore it from a backup") from None
