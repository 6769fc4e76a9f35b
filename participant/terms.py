"""What the coordinator's public folder says: the study, its catalogue, the studies before it. Untrusted input."""

from __future__ import annotations

from pathlib import Path

from shared import catalogue as catalogues
from shared import study as studies
from shared.catalogue import Catalogue
from shared.errors import NotYet, StudyError
from shared.files import read_regular_file
from shared.study import Study, parse_study
from shared.workspace import Workspace


def read_terms(workspace: Workspace, coordinator: str) -> tuple[Study, Catalogue]:
    """Return the study that a coordinator offers now, and the catalogue it counts.

    Raises: NotYet while study or catalogue have not arrived, StudyError or CatalogueError if they are not acceptable.
    """
    folder = workspace.results(coordinator)
    study = parse_study(_arrived(folder / "study.json", studies.MAX_BYTES, coordinator))
    catalogue = study.catalogue(_arrived(folder / "catalogue.csv", catalogues.MAX_BYTES, coordinator))
    return study, catalogue


def published_studies(workspace: Workspace, coordinator: str) -> dict[str, Study]:
    """Return the studies in a coordinator's folder by id, the current one among them; what is none is passed over."""
    found = {}
    folder = workspace.results(coordinator)
    for path in [*sorted((folder / "studies").glob("*.json"))[:1000], folder / "study.json"]:
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
