"""How two coordinators become a pair: their keys, the study that both publish, and what a helper follows."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from aggregator import app as aggregator
from aggregator.install import install_aggregator
from aggregator.keys import ensure_keys, private_keys_path, published_keys
from aggregator.pairing import follow, is_offered_by_both, pair_terms, standing_lines
from aggregator.settings import TEMPLATE
from aggregator.terms import publish_study, read_terms
from shared.catalogue import Show, format_catalogue, parse_catalogue
from shared.errors import CatalogueError, NotYet, SettingsError, StudyError
from shared.keys import Keys, format_public
from shared.settings import write_settings
from shared.workspace import AGGREGATOR_APP
from tests.aggregator.pairs import COLLECTED, HELPER, LEADER, Pair
from tests.conftest import TUESDAY, Neighbourhood

OTHER = "other@example.org"


def test_a_helper_waits_for_a_study_that_names_it(neighbourhood: Neighbourhood) -> None:
    neighbourhood.coordinator()
    helper = neighbourhood.box(HELPER)
    list(install_aggregator(helper, LEADER))
    with pytest.raises(NotYet, match="waiting for a study of"):
        aggregator.run(helper, TUESDAY)
    aggregator.run(neighbourhood.coordinator(), TUESDAY)  # a study with one coordinator
    with pytest.raises(NotYet, match=f"--helper {HELPER}"):
        aggregator.run(helper, TUESDAY)


def test_a_study_that_names_another_helper_is_waited_out(pair: Pair) -> None:
    other = pair.neighbourhood.box(OTHER)
    list(install_aggregator(other, LEADER))
    with pytest.raises(NotYet, match=f"--helper {OTHER}"):
        aggregator.run(other, TUESDAY)
    assert not (other.results(OTHER) / "study.json").exists()


def test_a_study_that_came_by_way_of_another_leader_is_not_followed(pair: Pair) -> None:
    """Somebody publishes the leader's study as if it were theirs."""
    other = pair.neighbourhood.box(OTHER)
    other.results(OTHER).mkdir(parents=True)
    for name in ("study.json", "catalogue.csv"):
        (other.results(OTHER) / name).write_bytes((pair.leader.results(LEADER) / name).read_bytes())
    with pytest.raises(StudyError, match="names keys that are not here"):
        follow(pair.helper, OTHER)


@pytest.mark.parametrize("change", ["row appended", "row changed", "row lost", "empty"])
def test_a_catalogue_that_does_not_fit_the_study_is_not_published_and_the_next_that_fits_is(
    pair: Pair, change: str
) -> None:
    ours, theirs = pair.helper.results(HELPER) / "catalogue.csv", pair.leader.results(LEADER) / "catalogue.csv"
    before = ours.read_bytes()
    lines = before.splitlines(keepends=True)
    changed = {
        "row appended": [*lines, b"Invented Show,series,,\n"],
        "row changed": [*lines[:-1], lines[-1].replace(b",series", b",film")],
        "row lost": lines[:-1],
        "empty": [],
    }
    theirs.write_bytes(b"".join(changed[change]))
    assert theirs.read_bytes() != before
    with pytest.raises(CatalogueError):
        aggregator.run(pair.helper, TUESDAY)
    assert ours.read_bytes() == before
    theirs.write_bytes(before)
    assert "nothing new" in aggregator.run(pair.helper, TUESDAY)


def test_a_new_study_that_rewrites_the_rows_of_the_one_before_is_not_followed(pair: Pair) -> None:
    ours, theirs = pair.helper.results(HELPER), pair.leader.results(LEADER)
    before = (ours / "catalogue.csv").read_bytes()
    rows = format_catalogue([Show("Other Show", "series"), *parse_catalogue(before).shows[1:]])
    counted = parse_catalogue(rows)
    other = dataclasses.replace(pair.study, catalogue_sha256=counted.sha256())
    (theirs / "catalogue.csv").write_bytes(rows)
    (theirs / "study.json").write_bytes(other.to_json())
    with pytest.raises(CatalogueError):
        aggregator.run(pair.helper, TUESDAY)
    assert (ours / "catalogue.csv").read_bytes() == before
    assert json.loads((ours / "study.json").read_bytes())["id"] == pair.study.id


def test_who_coordinates_a_community_helps_no_other_with_the_same_datasite(neighbourhood: Neighbourhood) -> None:
    own = neighbourhood.coordinator()
    aggregator.run(own, TUESDAY)
    study = (own.results(LEADER) / "study.json").read_bytes()
    write_settings(own.app(AGGREGATOR_APP) / "settings.toml", TEMPLATE, {"leader": OTHER})
    with pytest.raises(SettingsError, match="coordinates a community of its own"):
        aggregator.run(own, TUESDAY)
    assert (own.results(LEADER) / "study.json").read_bytes() == study


def test_the_helper_publishes_each_study_byte_for_byte_and_keeps_the_earlier_ones(pair: Pair) -> None:
    newer = publish_study(
        pair.leader.results(LEADER), pair_terms(pair.leader, pair.study, {"min_participants": 3}, None)
    )
    assert not is_offered_by_both(pair.leader, newer)
    aggregator.run(pair.helper, TUESDAY)
    assert is_offered_by_both(pair.leader, newer)
    names = {path.name for path in (pair.helper.results(HELPER) / "studies").iterdir()}
    assert names >= {f"{pair.study.id}.json", f"{newer.id}.json"}
    ours = pair.helper.results(HELPER) / "study.json"
    ours.write_bytes(ours.read_bytes() + b"\n")
    assert not is_offered_by_both(pair.leader, newer)


def test_a_leader_whose_keys_are_lost_collects_nothing_and_says_what_to_do(pair: Pair) -> None:
    path = private_keys_path(pair.leader)
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(SettingsError, match="names other keys than those in"):
        aggregator.run(pair.leader, COLLECTED)
    path.write_bytes(kept)
    assert "nothing new" in aggregator.run(pair.leader, TUESDAY)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"schema": "netflix-trend/keys/1"}', b'{"schema": "netflix-trend/private-keys/1"}'],
)
def test_a_damaged_private_key_file_is_told_and_not_overwritten(pair: Pair, data: bytes) -> None:
    path = private_keys_path(pair.leader)
    path.write_bytes(data)
    with pytest.raises(SettingsError, match="restore it from your backup"):
        ensure_keys(pair.leader)
    assert path.read_bytes() == data


def test_private_keys_of_another_version_are_not_read(pair: Pair) -> None:
    path = private_keys_path(pair.leader)
    found = json.loads(path.read_bytes())
    path.write_text(json.dumps({**found, "schema": "netflix-trend/private-keys/2"}))
    with pytest.raises(SettingsError, match="restore it from your backup"):
        ensure_keys(pair.leader)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "netflix-trend/keys/2"},
        {"email": OTHER},
        {"hpke_public_key": "zz"},
        {"signing_public_key": 3},
        {"more": "of it"},
    ],
)
def test_public_keys_that_are_none_or_anothers_name_no_helper(pair: Pair, change: dict[str, Any]) -> None:
    path = pair.helper.results(HELPER) / "keys.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(StudyError):
        published_keys(pair.leader, HELPER)


def test_keys_that_have_not_arrived_are_asked_for(pair: Pair) -> None:
    with pytest.raises(StudyError, match=f"no keys of {OTHER} at .*install --leader {LEADER}"):
        pair_terms(pair.leader, pair.study, {}, OTHER)


def test_public_keys_are_for_everyone_to_read(pair: Pair) -> None:
    for box in (pair.leader, pair.helper):
        keys = ensure_keys(box)
        assert (box.results(box.email) / "keys.json").read_bytes() == format_public(keys.coordinator(box.email))
        assert '"*"' in (box.results(box.email) / "syft.pub.yaml").read_text()


def test_a_new_study_keeps_the_pair_unless_it_is_told_otherwise(pair: Pair) -> None:
    same = pair_terms(pair.leader, pair.study, {"min_participants": 3}, None)
    assert (same["trust"], same["helper"].email) == ("two-coordinators", HELPER)
    alone = pair_terms(pair.leader, pair.study, {"trust": "one-coordinator"}, None)
    assert (alone["leader"], alone["helper"], alone["mechanism"]) == (None, None, "randomized-response")
    single = publish_study(pair.leader.results(LEADER), alone)
    assert "leader" not in pair_terms(pair.leader, single, {"epsilon": 1.0}, None)
    assert pair_terms(pair.leader, single, {}, HELPER)["trust"] == "two-coordinators"
    with pytest.raises(StudyError, match="name it with --helper"):
        pair_terms(pair.leader, single, {"trust": "two-coordinators"}, None)


def test_a_helper_with_new_keys_is_named_with_them(pair: Pair) -> None:
    keys = Keys.generate()
    private_keys_path(pair.helper).write_bytes(keys.to_json())
    ensure_keys(pair.helper)
    assert pair_terms(pair.leader, pair.study, {}, None)["helper"] == keys.coordinator(HELPER)


def test_status_tells_roles_fingerprint_and_whether_both_publish_the_study(pair: Pair) -> None:
    for box, role in ((pair.leader, "leader"), (pair.helper, "helper")):
        study = read_terms(box.results(box.email)).study
        assert list(standing_lines(box, study, {"2024-W47": "asked the helper"})) == [
            f"two coordinators: leader {LEADER}, helper {HELPER}; this is the {role}",
            f"fingerprint {pair.study.fingerprint}: members compare it, told outside SyftBox by both of you",
            "  2024-W47  asked the helper",
        ]
    (pair.helper.results(HELPER) / "study.json").unlink()
    lines = list(standing_lines(pair.leader, pair.study, {}))
    assert lines[2:] == ["the other one does not publish this study yet: nobody joins it before"]
    alone = publish_study(
        pair.leader.results(LEADER), pair_terms(pair.leader, pair.study, {"trust": "one-coordinator"}, None)
    )
    assert list(standing_lines(pair.leader, alone, {})) == []
