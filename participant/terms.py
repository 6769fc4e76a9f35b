"""What the coordinator's public folder says: the study, its catalogue, and the studies before it. Untrusted input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared import catalogue as catalogues
from shared import study as studies
from shared.catalogue import Catalogue
from shared.errors import NotYet, StudyError
from shared.files import read_regular_file
from shared.study import Study, parse_study
from shared.workspace import Workspace


@dataclass(frozen=True)
class Terms:
    """The study that a coordinator offers now, the catalogue it counts, and every study of theirs by id."""

    study: Study
    catalogue: Catalogue
    published: dict[str, Study]


def read_terms(workspace: Workspace, coordinator: str) -> Terms:
    """Return the terms in a coordinator's public folder.

    Raises: NotYet while study or catalogue have not arrived, StudyError or CatalogueError if they are not acceptable.
    """
    folder = workspace.results(coordinator)
    study = parse_study(_arrived(folder / "study.json", studies.MAX_BYTES, coordinator))
    catalogue = study.catalogue(_arrived(folder / "catalogue.csv", catalogues.MAX_BYTES, coordinator))
    return Terms(study, catalogue, {**published_studies(workspace, coordinator), study.id: study})


def published_studies(workspace: Workspace, coordinator: str) -> dict[str, Study]:
    """Return the studies in a coordinator's `studies/`, by id; what is no study there is passed over."""
    found = {}
    for path in sorted((workspace.results(coordinator) / "studies").glob("*.json"))[:1000]:
        try:
            study = parse_study(read_regular_file(path, studies.MAX_BYTES))
        except (StudyError, OSError):
            continue
        found[study.id] = study
    return found


def _arrived(path: Path, limit: int, coordinator: str) -> bytes:
    try:
        return read_regular_file(path, limit)
    except FileNotFoundError:
        raise NotYet(
            f"waiting for {path.name} of {coordinator}: SyftBox brings it once that coordinator has installed the "
            f"aggregator. If this lasts, check the address in settings.toml"
        ) from None
    except OSError as error:
        raise StudyError(f"cannot read {path.name} of {coordinator}: {error.strerror or error}") from None
