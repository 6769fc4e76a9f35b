"""Two coordinators measure a week together: exactly, once, and noticing whatever was altered."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from scipy import stats

from aggregator import pair as steps
from aggregator.messages import Kind, read_message
from aggregator.pair import PATIENCE
from aggregator.pair_record import RECORD, PairRecord, open_record
from aggregator.pairing import pair_terms
from aggregator.terms import publish_study
from participant.install import install_participant, withdraw_participant
from shared import files, mechanism
from shared.errors import LimitReached, NetflixTrendError, ReportError
from shared.keys import Keys
from shared.mechanism import ExactCounts, randomizer_of
from shared.release import Release, encode_releases
from shared.sharing import Half, Report, Role, open_half, parse_report, share_counts
from shared.study import Study
from shared.week import IsoWeek
from shared.workspace import AGGREGATOR_APP, PARTICIPANT_APP, Workspace
from tests.aggregator.pairs import (
    ANN,
    BOB,
    CAT,
    COLLECTED,
    DAN,
    HELPER,
    LEADER,
    WEEK,
    Pair,
    accept,
    answer,
    batch,
    measure,
    published,
    sums,
)
from tests.conftest import TUESDAY

CHANCE = 1e-9
"""How often a statistical test here fails although all is right."""


@pytest.fixture
def three(pair: Pair) -> Pair:
    """Three members, who watched Dark three times, The Blacklist twice and Élite once."""
    pair.join(ANN, ["Dark", "The Blacklist", "Élite"])
    pair.join(BOB, ["Dark", "The Blacklist"])
    pair.join(CAT, ["Dark"])
    return pair


@pytest.fixture
def without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_self: mechanism.NoisedSum, cells: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
        return np.zeros(cells, dtype=np.uint32)

    monkeypatch.setattr(mechanism.NoisedSum, "draw", nothing)


@pytest.mark.usefixtures("without_noise")
def test_the_two_sums_add_up_exactly_before_noise(three: Pair) -> None:
    found = measure(three)
    assert sums(three.leader) == [3, 2, 0, 0, 0, 1]
    page = (three.leader.results(LEADER) / "index.html").read_text()
    assert "Ask both for the fingerprint" in page
    assert three.study.fingerprint not in page  # the server could write another one there
    assert (found["participants"], found["final"], found["withheld"], found["show"]) == (3, True, False, "Dark")


def test_a_week_is_withheld_with_the_reason_until_both_have_measured_it(three: Pair) -> None:
    three.run(three.leader, TUESDAY + timedelta(weeks=1))
    assert published(three)["reason"] == "its counts are collected from 9 December 2024 on"
    three.run(three.leader)
    assert published(three)["reason"] == f"{HELPER}, the second coordinator, has not answered yet"
    three.run(three.helper)
    three.run(three.leader)
    assert not published(three)["withheld"]
    assert published(three)["final"]


def test_a_member_shares_and_adds_no_record_to_the_release_file(three: Pair) -> None:
    assert not (three.leader.api_data(ANN) / "netflix_reduced.npy").exists()
    assert three.report(ANN).stat().st_size == three.report(CAT).stat().st_size
    for name in ("syftperm.yaml", "syft.pub.yaml"):
        said = (three.leader.shares(ANN) / name).read_text()
        assert LEADER in said
        assert HELPER in said
        assert '*"' not in said.replace("**", "")


def test_a_report_is_made_once_and_published_again_byte_for_byte(three: Pair) -> None:
    before = three.report(ANN).read_bytes()
    three.report(ANN).write_bytes(before[:-1] + b"?")
    three.neighbourhood.run(ANN)
    assert three.report(ANN).read_bytes() == before
    three.report(ANN).unlink()
    three.neighbourhood.run(ANN)
    assert three.report(ANN).read_bytes() == before


def test_a_lost_ledger_draws_no_week_again_whose_report_has_not_arrived(three: Pair) -> None:
    """A release from before is there, the reports are not; then the coordinator goes back to being alone."""
    alone = publish_study(
        three.leader.results(LEADER),
        pair_terms(three.leader, three.study, {"trust": "one-coordinator"}, None),
    )
    nothing = randomizer_of(alone).noise(ExactCounts(np.zeros(6, dtype=np.int64)))
    release = three.leader.api_data(ANN) / "netflix_reduced.npy"
    release.write_bytes(encode_releases([Release(IsoWeek(2024, 30), alone.id, nothing)]))
    box = three.neighbourhood.box(ANN)
    shutil.rmtree(box.private(PARTICIPANT_APP))
    three.report(ANN).unlink()
    assert "nothing is drawn up to 2024-W47" in install_participant(box, LEADER, [], TUESDAY, take_over=True)
    assert three.neighbourhood.run(ANN).released == ()


def test_a_folder_with_a_reports_name_ends_no_pass_and_no_withdrawal(three: Pair) -> None:
    strange = three.report(ANN).with_name("strange.bin")
    strange.mkdir()
    assert "nothing new" in three.neighbourhood.run(ANN).line
    assert "withdrawn" in withdraw_participant(three.neighbourhood.box(ANN), TUESDAY)
    assert not three.report(ANN).exists()


@pytest.mark.usefixtures("without_noise")
def test_who_vanishes_before_the_helper_looks_is_taken_out_of_the_leaders_half(three: Pair) -> None:
    three.run(three.leader)
    three.report(ANN).unlink()
    assert "2 of 3 reports are here; the others are waited for until 2024-12-11" in three.run(three.helper)
    assert not answer(three).exists()
    three.run(three.helper, COLLECTED + PATIENCE)
    three.report(BOB).unlink()
    three.run(three.leader)
    assert sums(three.leader) == [2, 1, 0, 0, 0, 0]
    assert published(three)["participants"] == 2


def test_below_the_minimum_the_helper_refuses_and_spends_nothing(three: Pair) -> None:
    three.run(three.leader)
    kept = three.report(ANN).read_bytes()
    three.report(ANN).unlink()
    three.report(BOB).unlink()
    assert "1 of 3 reports are here, at least 2 are needed" in three.run(three.helper)
    assert not answer(three).exists()
    three.report(ANN).write_bytes(kept)
    assert "answered with 2 reports" in three.run(three.helper, COLLECTED + PATIENCE)


def test_a_helper_that_was_off_waits_for_the_reports_that_come_after_the_batch(three: Pair) -> None:
    three.run(three.leader)
    kept = three.report(ANN).read_bytes()
    three.report(ANN).unlink()
    three.run(three.helper)
    assert not answer(three).exists()
    three.report(ANN).write_bytes(kept)
    assert "answered with 3 reports" in three.run(three.helper)


def test_a_second_batch_gets_the_first_answer(three: Pair) -> None:
    three.run(three.leader)
    three.run(three.helper)
    first = answer(three).read_bytes()
    with open_record(three.leader.private(AGGREGATOR_APP) / RECORD) as record:
        record._connection.execute("DELETE FROM batches")
        record._connection.execute("DELETE FROM reports")
    batch(three).unlink()
    three.report(ANN).unlink()
    three.run(three.leader)
    answer(three).unlink()
    three.run(three.helper)
    assert answer(three).read_bytes() == first


@pytest.mark.parametrize("role", ["leader", "helper"])
def test_a_coordinator_that_lost_its_record_collects_no_past_week(three: Pair, role: str) -> None:
    box = three.leader if role == "leader" else three.helper
    three.run(three.leader)
    if role == "helper":
        three.run(three.helper)
        answer(three).unlink()
    (box.private(AGGREGATOR_APP) / RECORD).unlink()
    for _ in range(2):
        three.run(three.leader)
        three.run(three.helper)
    assert published(three)["withheld"]
    assert role == "leader" or not answer(three).exists()


@pytest.mark.parametrize("keys_are_back", ["at once", "after a pass without them"])
def test_a_longer_open_time_after_the_record_was_lost_opens_no_past_week_again(three: Pair, keys_are_back: str) -> None:
    """The leader, or the server that puts a study in its place, lengthens it; the keys are back from a backup."""
    three.run(three.leader)
    three.run(three.helper)
    answer(three).unlink()
    private_folder = three.helper.private(AGGREGATOR_APP)
    kept = (private_folder / "keys.json").read_bytes()
    (private_folder / RECORD).unlink()
    longer = dataclasses.replace(three.study, open_weeks=three.study.open_weeks + 1)
    (three.leader.results(LEADER) / "study.json").write_bytes(longer.to_json())
    if keys_are_back == "after a pass without them":
        (private_folder / "keys.json").unlink()
        with pytest.raises(NetflixTrendError, match="names keys that are not here"):
            three.run(three.helper)
        (private_folder / "keys.json").write_bytes(kept)
    for weeks in range(3):
        three.run(three.helper, COLLECTED + timedelta(weeks=weeks))
    assert not answer(three).exists()


def test_a_share_alone_is_uniform(pair: Pair) -> None:
    """Chi-square over the 256 values of each byte of 2,000 halves; false alarms: CHANCE for each of the two."""
    keys: dict[Role, Keys] = {"leader": private(pair.leader), "helper": private(pair.helper)}
    for role, each in keys.items():
        halves = []
        for _ in range(2_000):
            data = share_counts(ExactCounts(np.array([1, 0, 1, 0, 0, 1])), pair.study, WEEK, ANN)
            halves.append(open_half(parse_report(data), role, each, pair.study, ANN))
        bytes_seen = np.frombuffer(np.array(halves).tobytes(), dtype=np.uint8)
        assert stats.chisquare(np.bincount(bytes_seen, minlength=256)).pvalue > CHANCE


def private(box: Workspace) -> Keys:
    from aggregator.keys import ensure_keys

    return ensure_keys(box)


@pytest.mark.usefixtures("without_noise")
def test_a_report_with_any_byte_altered_counts_as_absent(three: Pair) -> None:
    data = three.report(ANN).read_bytes()
    keys: dict[Role, Keys] = {"leader": private(three.leader), "helper": private(three.helper)}
    opened = 0
    for place in range(len(data)):
        altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        for role, each in keys.items():
            try:
                open_half(parse_report(altered), role, each, three.study, ANN)
                opened += 1
                assert place >= len(data) - 80 if role == "leader" else 66 <= place < len(data) - 80
            except ReportError:
                continue
    assert opened == len(data) - 66  # a half that was altered leaves the other one as it was: the id tells
    three.report(ANN).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = measure(three)
    assert found["participants"] == 2
    assert sums(three.leader) == [2, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("which", ["batch", "answer"])
def test_a_batch_or_answer_with_any_byte_altered_changes_no_figure(three: Pair, which: Kind) -> None:
    three.run(three.leader)
    if which == "answer":
        three.run(three.helper)
    path = batch(three) if which == "batch" else answer(three)
    data = path.read_bytes()
    for place in range(len(data)):
        with pytest.raises(ReportError):
            read_message(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], which, WEEK, [three.study])
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    if which == "batch":
        assert "not signed by" in three.run(three.helper)
        assert not answer(three).exists()
    else:
        three.run(three.leader)
        assert published(three)["withheld"]
    three.run(three.leader)
    three.run(three.helper)
    three.run(three.leader)
    assert published(three)["participants"] == 3


def test_a_half_moved_elsewhere_is_refused(three: Pair) -> None:
    """Of another participant, week, study or role, or beside another half: everything that info binds."""
    keys = private(three.leader)
    report = parse_report(three.report(ANN).read_bytes())
    other = parse_report(three.report(BOB).read_bytes())
    sound: dict[str, Any] = {"study": three.study, "email": ANN, "role": "leader"}
    longer = dataclasses.replace(three.study, min_participants=3)
    for changed, moved in (
        (vars(report), {"email": BOB}),
        (vars(report) | {"week": IsoWeek(2024, 46)}, {}),
        (vars(report) | {"study": longer.id}, {"study": longer}),
        (vars(report) | {"nonce": other.nonce}, {}),
        (vars(report) | {"leader": other.leader}, {}),
        (vars(report) | {"helper": report.leader}, {"role": "helper"}),
    ):
        where = sound | moved
        with pytest.raises(ReportError):
            open_half(type(report)(**changed), where["role"], keys, where["study"], where["email"])
    open_half(report, "leader", keys, three.study, ANN)


@pytest.mark.usefixtures("without_noise")
@pytest.mark.parametrize("when", ["before the batch", "after it"])
def test_bytes_that_open_under_two_addresses_count_once(
    three: Pair, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Two dishonest members can make such bytes: AES-GCM commits to no key. Here Cat's open under Dan's address too."""

    def opens(report: Report, role: Role, keys: Keys, study: Study, participant: str) -> Half:
        return open_half(report, role, keys, study, CAT if participant == DAN else participant)

    monkeypatch.setattr(steps, "open_half", opens)
    if when == "after it":
        three.run(three.leader)
    three.report(DAN).parent.mkdir(parents=True)
    three.report(DAN).write_bytes(three.report(CAT).read_bytes())
    assert measure(three)["participants"] == 3
    assert sums(three.leader) == [3, 2, 0, 0, 0, 1]


def test_a_datasite_whose_name_is_no_text_counts_as_absent(three: Pair) -> None:
    strange = three.report(os.fsdecode(b"d\xffn@example.org"))
    strange.parent.mkdir(parents=True)
    strange.write_bytes(share_counts(ExactCounts(np.zeros(6, dtype=np.int64)), three.study, WEEK, DAN))
    assert measure(three)["participants"] == 3


def test_one_dishonest_half_withholds_the_week(three: Pair) -> None:
    huge = ExactCounts(np.full(6, 10**6))
    report = share_counts(huge, three.study, WEEK, CAT)
    three.report(CAT).write_bytes(report)
    found = measure(three)
    assert found["withheld"]
    assert found["reason"] == steps.IMPLAUSIBLE


def test_new_keys_are_a_new_fingerprint_and_the_study_before_stops(three: Pair) -> None:
    (three.helper.private(AGGREGATOR_APP) / "keys.json").unlink()
    with pytest.raises(Exception, match="names keys that are not here"):
        three.run(three.helper)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


STEPS = [(files, "write_atomically"), (PairRecord, "begin"), (PairRecord, "keep_answer"), (PairRecord, "finish")]


def killed_at(step: int, patch: pytest.MonkeyPatch, *, after: bool) -> list[int]:
    """Let the process end before or after the given durable step; return a list with the number of steps done."""
    done = [0]

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            done[0] += 1
            if done[0] == step and not after:
                raise Killed
            found = original(*args, **named)
            if done[0] == step:
                raise Killed
            return found

        return call

    for owner, name in STEPS:
        patch.setattr(owner, name, wrapped(getattr(owner, name)))
    return done


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_every_step_of_either_side_collects_the_week_once(
    three: Pair, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    root = three.neighbourhood.root
    before = tmp_path_factory.mktemp("before") / "root"
    shutil.copytree(root, before, symlinks=True)
    points = 0
    for side in ("leader", "helper", "leader again"):
        step = 0
        while True:
            step += 1
            shutil.rmtree(root)
            shutil.copytree(before, root, symlinks=True)
            sequence = [three.leader, three.helper, three.leader]
            turn = ["leader", "helper", "leader again"].index(side)
            for box in sequence[:turn]:
                three.run(box)
            answered = answer(three).read_bytes() if answer(three).exists() else None
            with monkeypatch.context() as patch:
                killed_at(step, patch, after=after)
                try:
                    three.run(sequence[turn])
                except Killed:
                    points += 1
                else:
                    break
            at_death = answer(three).read_bytes() if answer(three).exists() else answered
            for box in (*sequence, *sequence):
                three.run(box)
            assert published(three)["participants"] == 3
            assert at_death in {None, answer(three).read_bytes()}
            first = sums(three.leader)
            three.run(three.leader)
            assert sums(three.leader) == first
    assert points > 12


def test_members_join_no_study_of_which_a_byte_was_altered(pair: Pair) -> None:
    box = pair.neighbourhood.join(ANN, "Title,Date\n")
    accept(box, pair.study)
    for email in (LEADER, HELPER):
        path = box.results(email) / "study.json"
        data = path.read_bytes()
        for place in range(0, len(data), 7):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with pytest.raises(NetflixTrendError):
                pair.neighbourhood.run(ANN)
        path.write_bytes(data)
    assert not pair.report(ANN).exists()
    pair.neighbourhood.run(ANN)
    assert pair.report(ANN).exists()


def test_keys_that_were_replaced_on_their_way_are_another_fingerprint(pair: Pair) -> None:
    """The server puts keys of its own into both copies of the study: members stay away."""
    box = pair.neighbourhood.join(ANN, "Title,Date\n")
    accept(box, pair.study)
    forged = dataclasses.replace(pair.study, helper=Keys.generate().coordinator(HELPER))
    for email in (LEADER, HELPER):
        (box.results(email) / "study.json").write_bytes(forged.to_json())
    with pytest.raises(LimitReached, match="another one is there now"):
        pair.neighbourhood.run(ANN)
    assert not pair.report(ANN).exists()


def test_private_keys_are_their_owners_alone(pair: Pair) -> None:
    for box in (pair.leader, pair.helper):
        path = box.private(AGGREGATOR_APP) / "keys.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secret = json.loads(path.read_bytes())["hpke"].encode()
        assert not any(secret in each.read_bytes() for each in box.datasites.rglob("*") if each.is_file())


def test_the_public_keys_are_as_their_schema_says(pair: Pair) -> None:
    schema = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "keys-1.schema.json").read_bytes())
    for box in (pair.leader, pair.helper):
        jsonschema.validate(json.loads((box.results(box.email) / "keys.json").read_bytes()), schema)
