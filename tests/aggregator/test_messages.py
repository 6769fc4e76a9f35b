"""What two coordinators write to each other: a message is what it says, or it is refused, whoever signed it."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aggregator.messages import Kind, Message, message_bytes, read_message, sign_message
from shared.errors import ReportError
from shared.keys import SIGNATURE_BYTES, Keys
from shared.mechanism import MAX_PARTICIPANTS
from shared.study import Study
from shared.week import IsoWeek

WEEK = IsoWeek(2024, 47)
ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))
LEADER, HELPER = Keys.generate(), Keys.generate()
STUDY = Study(
    catalogue_rows=4,
    catalogue_sha256="0" * 64,
    trust="two-coordinators",
    mechanism="laplace",
    leader=LEADER.coordinator("leader@example.org"),
    helper=HELPER.coordinator("helper@example.org"),
)
SUMS = np.array([1, 2, 3, 2**32 - 1], dtype=np.uint32)
HEAD = struct.Struct("<8sB32sIII")  # docs/formats.md


def signed(kind: Kind, *, study: Study = STUDY, week: IsoWeek = WEEK, ids: tuple[bytes, ...] = (ONE, TWO)) -> bytes:
    message = Message(study.id, week, ids, SUMS if kind == "answer" else None)
    return sign_message(message, LEADER if kind == "batch" else HELPER)


def resigned(kind: Kind, change: Callable[[list[Any], bytes], tuple[list[Any], bytes]]) -> bytes:
    """Return a message whose writer signed something else than the app does."""
    body = signed(kind)[SIGNATURE_BYTES:]
    head, rest = change(list(HEAD.unpack_from(body)), body[HEAD.size :])
    changed = HEAD.pack(*head) + rest
    return (LEADER if kind == "batch" else HELPER).sign(changed) + changed


def put(place: int, value: object) -> Callable[[list[Any], bytes], tuple[list[Any], bytes]]:
    """Return a change of one part of the head: magic, version, study, week, number of ids, number of sums."""
    return lambda head, rest: ([*head[:place], value, *head[place + 1 :]], rest)


@pytest.mark.parametrize("kind", ["batch", "answer"])
def test_a_message_is_read_as_it_was_signed_with_its_ids_in_order(kind: Kind) -> None:
    found, study = read_message(signed(kind, ids=(THREE, ONE, TWO)), kind, WEEK, [STUDY])
    assert (found.study, found.week, found.ids, study) == (STUDY.id, WEEK, (ONE, TWO, THREE), STUDY)
    assert (found.sums is None) is (kind == "batch")
    assert found.sums is None or np.array_equal(found.sums, SUMS)


@pytest.mark.parametrize("kind", ["batch", "answer"])
def test_a_message_cut_or_lengthened_anywhere_is_refused(kind: Kind) -> None:
    data = signed(kind)
    assert len(data) == message_bytes(2, 4 if kind == "answer" else 0)
    for length in range(len(data)):
        with pytest.raises(ReportError):
            read_message(data[:length], kind, WEEK, [STUDY])
    with pytest.raises(ReportError):
        read_message(data + b"?", kind, WEEK, [STUDY])


@pytest.mark.parametrize("kind", ["batch", "answer"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put(0, b"NFTSHARE"), "of a version that is not known here"),
        (put(1, 2), "of a version that is not known here"),
        (put(2, bytes(32)), "a study that is not in force here"),
        (put(3, WEEK.plus(-1).key), "none of that week"),
        (put(4, 1), "another length than it says"),
        (put(4, 2**32 - 1), "another length than it says"),
        (put(5, 3), "another length than it says"),
        (lambda head, rest: (head, rest[:-1]), "another length than it says"),
        (lambda head, rest: (head, rest + b"?"), "another length than it says"),
        (lambda head, rest: (head, rest[32:64] + rest[:32] + rest[64:]), "names a report twice"),
        (lambda head, rest: (head, rest[:32] * 2 + rest[64:]), "names a report twice"),
    ],
)
def test_a_message_that_its_writer_signed_and_should_not_have_is_refused(
    kind: Kind, change: Callable[[list[Any], bytes], tuple[list[Any], bytes]], reason: str
) -> None:
    with pytest.raises(ReportError, match=reason):
        read_message(resigned(kind, change), kind, WEEK, [STUDY])


def test_a_message_of_another_number_of_rows_than_its_study_is_refused() -> None:
    batch = resigned("batch", lambda head, rest: ([*head[:5], 4], rest + bytes(16)))
    answer = resigned("answer", lambda head, rest: ([*head[:5], 5], rest + bytes(4)))
    with pytest.raises(ReportError, match="another length"):
        read_message(batch, "batch", WEEK, [STUDY])
    with pytest.raises(ReportError, match="another length"):
        read_message(answer, "answer", WEEK, [STUDY])


def test_a_message_of_more_reports_than_a_study_can_have_is_refused() -> None:
    most = b"".join(number.to_bytes(32, "big") for number in range(MAX_PARTICIPANTS + 1))
    data = resigned("batch", lambda head, _rest: ([*head[:4], MAX_PARTICIPANTS + 1, 0], most))
    with pytest.raises(ReportError, match="another length"):
        read_message(data, "batch", WEEK, [STUDY])


def test_each_writes_its_own_kind_alone() -> None:
    """A batch that the helper signed, and an answer that the leader signed, are nobody's."""
    body = signed("batch")[SIGNATURE_BYTES:]
    with pytest.raises(ReportError, match=r"not signed by leader@example.org"):
        read_message(HELPER.sign(body) + body, "batch", WEEK, [STUDY])
    body = signed("answer")[SIGNATURE_BYTES:]
    with pytest.raises(ReportError, match=r"not signed by helper@example.org"):
        read_message(LEADER.sign(body) + body, "answer", WEEK, [STUDY])


def test_a_study_with_one_coordinator_has_no_messages() -> None:
    alone = dataclasses.replace(STUDY, trust="one-coordinator", mechanism="laplace", leader=None, helper=None)
    with pytest.raises(ReportError, match="a study that is not in force here"):
        read_message(signed("batch", study=alone), "batch", WEEK, [alone])
