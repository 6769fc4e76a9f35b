"""The study as a record for the registry of deployments."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from aggregator.registry import deployment_record, format_record
from aggregator.terms import publish_record, publish_study
from shared.study import Study

RULES = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "deployment.schema.json").read_bytes())
BASE: dict[str, Any] = {"catalogue_rows": 6533, "catalogue_sha256": "0" * 64}
DAY = date(2024, 11, 26)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"unit": "week", "max_shows_per_week": 5},
        {"unit": "view", "mechanism": "laplace", "max_views_per_show": 3, "predecessor": "1" * 64},
    ],
)
def test_the_record_has_the_registrys_fields_and_says_the_studys_terms(terms: dict[str, Any]) -> None:
    study = Study(**BASE, **terms)
    written = format_record(deployment_record(study, "Film club", DAY))
    record = yaml.safe_load(written)
    jsonschema.validate(record, RULES)
    deployment = record["deployment"]
    assert deployment["privacy_loss"]["privacy_parameters"] == {"epsilon": study.epsilon}
    assert deployment["basic"]["publication_date"] == "2024-11-26"
    assert deployment["basic"]["data_curators"] == ["Film club"]
    assert study.id in deployment["administrative"]["notes"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "surprise": 1}, RULES)


def test_texts_are_written_as_the_registry_asks_for() -> None:
    """Its own check refuses folded texts: styles other than plain, quoted and literal."""
    written = format_record(deployment_record(Study(**BASE), "Film club", DAY))
    styles = {token.style for token in yaml.scan(written) if isinstance(token, yaml.ScalarToken)}
    assert styles <= {None, "|", '"', "'"}


def test_the_record_keeps_the_day_of_its_study_and_a_new_study_gets_its_own(tmp_path: Path) -> None:
    study = publish_study(tmp_path, {})
    publish_record(tmp_path, study, DAY)
    publish_record(tmp_path, study, date(2025, 1, 1))
    first = yaml.safe_load((tmp_path / "deployment.yaml").read_bytes())
    assert first["deployment"]["basic"]["publication_date"] == "2024-11-26"
    publish_record(tmp_path, publish_study(tmp_path, {"epsilon": 1.0}), date(2025, 1, 1))
    second = yaml.safe_load((tmp_path / "deployment.yaml").read_bytes())
    assert second["deployment"]["basic"]["publication_date"] == "2025-01-01"
    assert second["url_slug"] != first["url_slug"]
