"""What `study new` publishes."""

import dataclasses
import json
from pathlib import Path

import pytest

from aggregator.terms import draft_study, publish_study, read_terms
from shared.errors import CatalogueError, StudyError


def test_a_draft_writes_nothing_and_is_what_is_published(tmp_path: Path) -> None:
    drafted, _ = draft_study(tmp_path, {"epsilon": 1.0})
    assert list(tmp_path.iterdir()) == []
    assert publish_study(tmp_path, {"epsilon": 1.0}) == drafted


def test_a_new_study_follows_the_one_before_and_keeps_what_is_not_named(tmp_path: Path) -> None:
    first = publish_study(tmp_path, {"epsilon": 1.0, "weeks": 10})
    second = publish_study(tmp_path, {"min_participants": 7})
    assert second == dataclasses.replace(first, min_participants=7, predecessor=first.id)
    assert read_terms(tmp_path).published.keys() == {first.id, second.id}
    assert publish_study(tmp_path, {"min_participants": 7}) == second


def test_the_first_rows_of_the_catalogue_can_be_counted_alone(tmp_path: Path) -> None:
    study = publish_study(tmp_path, {"catalogue_rows": 100})
    assert len(study.catalogue((tmp_path / "catalogue.csv").read_bytes())) == 100
    with pytest.raises(CatalogueError, match="not 1000000"):
        publish_study(tmp_path, {"catalogue_rows": 1_000_000})


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        ({"epsilon": 0.0}, "epsilon 0.0"),
        ({"max_views_per_show": 2}, "randomized-response needs"),
        ({"trust": "two-coordinators"}, "needs a leader and a helper"),
        ({"weeks": 520, "catalogue_rows": 6000, "epsilon": 1.0, "unit": "week"}, "max_shows_per_week"),
    ],
)
def test_unsound_terms_publish_nothing(tmp_path: Path, terms: dict[str, object], rule: str) -> None:
    publish_study(tmp_path, {})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    with pytest.raises(StudyError, match=rule):
        publish_study(tmp_path, terms)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before


def test_an_unsound_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalogue.csv").write_text("row,show,kind,also\n0,Dark,series,\n1,Dark,film,\n")
    with pytest.raises(CatalogueError, match="share the name"):
        publish_study(tmp_path, {})
    assert not (tmp_path / "study.json").exists()


def test_the_study_of_a_folder_is_canonical_json(tmp_path: Path) -> None:
    study = publish_study(tmp_path, {})
    assert json.loads((tmp_path / "studies" / f"{study.id}.json").read_bytes())["id"] == study.id
