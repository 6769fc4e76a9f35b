import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from shared.catalogue import format_catalogue, parse_catalogue
from shared.errors import CatalogueError, StudyError
from shared.mechanism import ExactCounts, NoisedCounts
from shared.release import Release, encode_releases
from shared.sharing import share_counts
from shared.study import Coordinator, Study, parse_study
from shared.week import IsoWeek
from tests.conftest import SHOWS

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "study-1.schema.json"
DATA = format_catalogue(SHOWS)
TERMS: dict[str, Any] = {"catalogue_rows": len(SHOWS), "catalogue_sha256": parse_catalogue(DATA).sha256()}
LEADER = Coordinator("leader@example.org", "1" * 64, "2" * 64)
HELPER = Coordinator("helper@example.org", "3" * 64, "4" * 64)
PAIR: dict[str, Any] = {"trust": "two-coordinators", "mechanism": "laplace", "leader": LEADER, "helper": HELPER}


def test_a_study_is_read_back_from_its_json() -> None:
    study = Study(**TERMS, epsilon=1.5, predecessor="0" * 64)
    assert parse_study(study.to_json()) == study
    pair = Study(**TERMS, **PAIR)
    assert parse_study(pair.to_json()) == pair
    schema = json.loads(SCHEMA.read_bytes())
    for each in (study, pair):
        jsonschema.validate(json.loads(each.to_json()), schema)


def test_the_fingerprint_changes_with_every_address_and_key_of_the_pair() -> None:
    before = Study(**TERMS, **PAIR).fingerprint
    assert len(before.split()) == 10
    changes = {"email": "other@example.org", "hpke_public_key": "5" * 64, "signing_public_key": "6" * 64}
    for role, coordinator in (("leader", LEADER), ("helper", HELPER)):
        for name, value in changes.items():
            altered_pair = {**PAIR, role: dataclasses.replace(coordinator, **{name: value})}
            assert Study(**TERMS, **altered_pair).fingerprint != before
    swapped = {**PAIR, "leader": HELPER, "helper": LEADER}
    assert Study(**TERMS, **swapped).fingerprint != before
    assert Study(**TERMS).fingerprint == ""


def test_the_id_is_that_of_the_terms_however_the_json_is_laid_out() -> None:
    study = Study(**TERMS)
    shuffled = dict(reversed(json.loads(study.to_json()).items()))
    assert parse_study(json.dumps(shuffled).encode()).id == study.id
    assert dataclasses.replace(study, epsilon=1.0).id != study.id


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": float("inf")}, "epsilon"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"epsilon": True}, "epsilon"),
        ({"epsilon": 1e-16}, "no number of members"),
        ({"max_views_per_show": 3}, "randomized-response needs"),
        ({"unit": "week"}, "max_shows_per_week"),
        ({"max_shows_per_week": 5}, "dropping one show"),
        ({"unit": "view", "mechanism": "laplace"}, "above 1"),
        ({"unit": "year"}, "none of"),
        ({"mechanism": "gaussian"}, "none of"),
        ({"trust": "two-coordinators"}, "needs a leader and a helper"),
        ({"leader": LEADER}, "two-coordinators only"),
        ({**PAIR, "helper": LEADER}, "both halves"),
        ({**PAIR, "mechanism": "randomized-response"}, "needs mechanism laplace"),
        ({"catalogue_rows": 0}, "whole number"),
        ({"catalogue_rows": 5.0}, "whole number"),
        ({"catalogue_rows": 100_000, "weeks": 520}, "10,000,000"),
        ({"catalogue_sha256": "abc"}, "64 hexadecimal"),
        ({"predecessor": "abc"}, "64 hexadecimal"),
        ({"weeks": 0}, "whole number"),
        ({"open_weeks": 0}, "open_weeks '0' must be a whole number from 1 to 52"),
        ({"open_weeks": 53}, "open_weeks '53'"),
        ({"min_participants": 0}, "min_participants '0'"),
        ({"min_participants": 1_000_001}, "min_participants '1000001'"),
        ({"mechanism": "laplace", "max_views_per_show": 0}, "max_views_per_show '0'"),
        ({"mechanism": "laplace", "max_views_per_show": 1_001}, "max_views_per_show '1001'"),
        ({"catalogue_rows": 100_001}, "catalogue_rows '100001'"),
        ({"unit": "week", "max_shows_per_week": 0}, "max_shows_per_week '0' must be a whole number from 1 to 6"),
        ({"unit": "week", "max_shows_per_week": 7}, "max_shows_per_week '7'"),
        ({"unit": "week"}, "without it a week's loss has no bound"),
        ({"epsilon": 30.000001}, "at most 30"),
        ({"epsilon": 9.99e-7}, "is below 1e-06"),
        ({**PAIR, "leader": None}, "needs a leader and a helper"),
        ({**PAIR, "helper": None}, "needs a leader and a helper"),
        ({"mechanism": "laplace", "epsilon": 1e-4}, "1e-12"),
    ],
)
def test_terms_that_would_not_protect_are_refused_with_value_and_rule(terms: dict[str, Any], rule: str) -> None:
    with pytest.raises(StudyError, match=rule):
        Study(**{**TERMS, **terms})


def altered(**changes: Any) -> bytes:
    return json.dumps({**json.loads(Study(**TERMS).to_json()), **changes}).encode()


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (altered(schema="netflix-trend/study/2"), "update netflix-trend"),
        (altered(surprise=1), "surprise"),
        (altered(epsilon=1.0), "altered on its way"),
        (altered(epsilon="2"), "epsilon"),
        (altered(epsilon=2), "epsilon"),
        (altered(unit=["show"]), "unit"),
        (altered(leader=None), "leader"),
        (altered(trust="two-coordinators", leader=1, helper=2), "leader must have"),
        (altered(trust="two-coordinators", leader={**vars(LEADER), "email": "../x"}, helper={}), "no e-mail address"),
        (altered(trust="two-coordinators", leader={**vars(LEADER), "email": 7}, helper={}), "'7' is no e-mail address"),
        (altered(trust="two-coordinators", leader={**vars(LEADER), "email": "A@b.org"}, helper={}), "in lower case"),
        (
            altered(trust="two-coordinators", leader={**vars(LEADER), "hpke_public_key": "x"}, helper={}),
            "64 hexadecimal",
        ),
        (
            altered(trust="two-coordinators", leader={**vars(LEADER), "signing_public_key": 5}, helper={}),
            "64 hexadecimal",
        ),
        (json.dumps([*json.loads(altered())]).encode(), "not a JSON object"),
    ],
)
def test_a_study_from_outside_is_refused_unless_it_is_whole(data: bytes, rule: str) -> None:
    with pytest.raises(StudyError, match=rule):
        parse_study(data)


def test_a_study_finds_its_rows_in_a_catalogue_that_has_grown_and_in_no_other() -> None:
    study = Study(**TERMS)
    assert len(study.catalogue(DATA + b"6,Lost,series,\n")) == len(SHOWS)
    for other in (DATA.replace(b"Dark", b"Lost"), DATA[:-1], b"", DATA[:40]):
        with pytest.raises(CatalogueError, match="not the one of study"):
            study.catalogue(other)


@pytest.mark.parametrize(
    ("terms", "sensitivity"),
    [
        ({}, 1),
        ({"unit": "week", "max_shows_per_week": 5}, 5),
        ({"unit": "show", "mechanism": "laplace", "max_views_per_show": 4}, 4),
        ({"unit": "view", "mechanism": "laplace", "max_views_per_show": 4}, 1),
        ({"unit": "week", "mechanism": "laplace", "max_views_per_show": 4, "max_shows_per_week": 3}, 12),
    ],
)
def test_the_sensitivity_is_what_one_unit_can_change(terms: dict[str, Any], sensitivity: int) -> None:
    assert Study(**TERMS, **terms).sensitivity == sensitivity


def test_the_default_study_is_the_one_that_the_documents_name() -> None:
    study = Study(**TERMS)
    assert (study.unit, study.epsilon, study.mechanism, study.trust) == (
        *("show", 2.0, "randomized-response", "one-coordinator"),
    )
    assert (study.weeks, study.open_weeks, study.min_participants) == (26, 5, 5)
    assert (study.max_views_per_show, study.max_shows_per_week) == (1, None)


def test_a_full_release_file_and_a_report_are_no_larger_than_the_study_says() -> None:
    alone, pair = Study(**TERMS), Study(**TERMS, **PAIR)
    rows = np.zeros(len(SHOWS), dtype=np.int64)
    weeks = [IsoWeek(2024, 1).plus(number) for number in range(alone.weeks)]
    file = encode_releases([Release(week, alone.id, NoisedCounts(rows.astype(np.int16))) for week in weeks])
    assert 0 <= alone.release_bytes - len(file) < 256
    assert 0 <= pair.release_bytes - len(share_counts(ExactCounts(rows), pair, weeks[0], "ann@example.org")) < 256


def test_weeks_that_two_coordinators_share_are_a_file_each_and_may_be_many() -> None:
    long: dict[str, Any] = {**TERMS, "catalogue_rows": 9_000, "weeks": 520}
    assert Study(**long, **PAIR).weeks == 520
    assert Study(**{**long, "weeks": 519, "catalogue_rows": 9_599}).release_bytes < 10_000_000
    with pytest.raises(StudyError, match="SyftBox carries at most 10,000,000"):
        Study(**{**long, "catalogue_rows": 9_600})
    with pytest.raises(StudyError, match="weeks"):
        Study(**{**long, "weeks": 521}, **PAIR)


def test_a_study_at_its_limits_is_sound() -> None:
    for terms in (
        {"epsilon": 30.0},
        {"mechanism": "laplace", "max_views_per_show": 1_000, "unit": "view", "epsilon": 2.0},
        {"open_weeks": 1, "weeks": 1, "min_participants": 1},
        {"open_weeks": 52, "min_participants": 1_000_000},
        {"unit": "week", "max_shows_per_week": 1},
        {"unit": "week", "max_shows_per_week": 6},
    ):
        assert parse_study(Study(**{**TERMS, **terms}).to_json()) == Study(**{**TERMS, **terms})
    assert Study(catalogue_rows=1, catalogue_sha256="0" * 64).catalogue_rows == 1
    assert Study(catalogue_rows=100_000, catalogue_sha256="0" * 64).catalogue_rows == 100_000


def test_ids_and_fingerprints_are_the_same_in_every_version() -> None:
    """Ledgers, releases and members' settings name them: one that changed would cost everyone their past."""
    terms: dict[str, Any] = {"catalogue_rows": 2, "catalogue_sha256": "0" * 64}
    pair = Study(**terms, **PAIR, predecessor="a" * 64)
    assert Study(**terms).id == "dbf775c2fbe5c1b4f58d82a8b00fd3f46ead16ad41dd0f479adeb68d5db42fc4"
    assert pair.id == "914509ac41de09dab8c551c2093ebcb76456a9c978ae1e27d8dac7d3600be9da"
    assert pair.fingerprint == "c84b 6782 68cc 4db0 2b76 97c9 ad99 cd5e 0182 4ab6"
