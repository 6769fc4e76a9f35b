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


def check_offered_by_both(workspace: Workspace, study: Study, coordinator: str) -> None:
    """Join no study of two coordinators before both publish it, the same bytes; nothing to check with one.

    Raises: NotYet while the second one does not, StudyError if the first one is not its leader.
    """
    if not (study.leader and study.helper):
        return
    if study.leader.email != coordinator:
        raise StudyError(f"study {study.id[:8]} is led by {study.leader.email}, not by {coordinator}")
    offered = [
        _arrived(workspace.results(each.email) / "study.json", studies.MAX_BYTES, each.email)
        for each in (study.leader, study.helper)
    ]
    if len(set(offered)) > 1:
        raise NotYet(
            f"waiting for {study.helper.email}, the second coordinator, to publish the same study {study.id[:8]}"
        )


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


def helpers(workspace: Workspace, coordinator: str) -> list[str]:
    """Return the second coordinators whom a coordinator's studies name."""
    found = published_studies(workspace, coordinator).values()
    return sorted({study.helper.email for study in found if study.helper})


def _arrived(path: Path, limit: int, coordinator: str) -> bytes:
    try:
        return read_regular_file(path, limit)
    except FileNotFoundError:
        raise NotYet(
            f"waiting for {path.name} of {coordinator}: SyftBox brings it once that coordinator has installed the "
            f"aggregator. If this lasts, check the address; withdraw, then install --aggregator EMAIL changes it"
        ) from None
    except OSError as error:
        raise StudyError(f"cannot read {path.name} of {coordinator}: {error.strerror or error}") from None
