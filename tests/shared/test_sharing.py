"""A week's counts in two halves: they add up to the counts, and bytes that are no report are refused, by anyone's."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import MAX_ROWS
from shared.errors import ReportError, StudyError
from shared.keys import SEAL_BYTES, Keys, seal
from shared.mechanism import ExactCounts
from shared.sharing import Role, _info, expand, open_half, parse_report, report_bytes, share_counts
from shared.study import Coordinator, Study
from shared.week import IsoWeek

WEEK = IsoWeek(2024, 47)
ANN = "ann@example.org"
LEADER, HELPER = Keys.generate(), Keys.generate()
ROLES: dict[Role, Keys] = {"leader": LEADER, "helper": HELPER}
STUDY = Study(
    catalogue_rows=4,
    catalogue_sha256="0" * 64,
    trust="two-coordinators",
    mechanism="laplace",
    leader=LEADER.coordinator("leader@example.org"),
    helper=HELPER.coordinator("helper@example.org"),
)
COUNTS = ExactCounts(np.array([1, 0, 0, 1]))
HEAD = struct.Struct("<8sBBII32s16s")  # docs/formats.md
REPORT = share_counts(COUNTS, STUDY, WEEK, ANN)


def with_head(place: int, value: object) -> bytes:
    """Return a report with another magic, version, algorithm, week, number of rows, study or nonce."""
    head: list[object] = list(HEAD.unpack_from(REPORT))
    head[place] = value
    return HEAD.pack(*head) + REPORT[HEAD.size :]


def test_the_two_halves_add_up_to_the_counts() -> None:
    report = parse_report(REPORT)
    leader = open_half(report, "leader", LEADER, STUDY, ANN)
    helper = open_half(report, "helper", HELPER, STUDY, "ANN@example.org")
    assert np.array_equal(leader + helper, COUNTS.astype(np.uint32))
    assert len(REPORT) == report_bytes(4)


def test_two_reports_of_the_same_counts_have_nothing_in_common() -> None:
    one, other = parse_report(REPORT), parse_report(share_counts(COUNTS, STUDY, WEEK, ANN))
    assert one.nonce != other.nonce
    for role, keys in ROLES.items():
        assert not np.array_equal(open_half(one, role, keys, STUDY, ANN), open_half(other, role, keys, STUDY, ANN))


def test_a_report_cut_anywhere_is_refused() -> None:
    for length in range(len(REPORT)):
        with pytest.raises(ReportError, match=r"too short|shorter or longer"):
            parse_report(REPORT[:length])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (REPORT + b"?", "shorter or longer"),
        (with_head(0, b"NFTBATCH"), "no report of a version that is known"),
        (with_head(1, 2), "no report of a version that is known"),
        (with_head(2, 2), "no report of a version that is known"),
        (with_head(3, 202460), "a week that does not exist"),
        (with_head(4, 3), "shorter or longer"),
        (with_head(4, 2**32 - 1), "shorter or longer"),
        (with_head(4, 0)[: report_bytes(0)], "shorter or longer"),
        (with_head(4, MAX_ROWS + 1) + bytes(4 * (MAX_ROWS - 3)), "shorter or longer"),
    ],
)
def test_bytes_that_are_no_report_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ReportError, match=reason):
        parse_report(data)


def test_a_report_may_be_as_long_as_the_longest_catalogue() -> None:
    assert parse_report(with_head(4, MAX_ROWS) + bytes(4 * (MAX_ROWS - 4))).rows == MAX_ROWS


@given(st.binary(max_size=2 * len(REPORT)))
def test_any_bytes_are_a_report_or_refused(data: bytes) -> None:
    for each in (data, REPORT[:10] + data, REPORT[: HEAD.size] + data):
        try:
            open_half(parse_report(each), "leader", LEADER, STUDY, ANN)
        except ReportError:
            continue
        assert each == REPORT


def test_a_report_of_a_study_of_another_length_is_refused() -> None:
    """One that its member sealed for that number of rows: nothing else would notice."""
    longer = dataclasses.replace(STUDY, catalogue_rows=5)
    report = parse_report(share_counts(ExactCounts(np.zeros(5, dtype=np.int64)), longer, WEEK, ANN))
    forged = dataclasses.replace(report, study=STUDY.id)
    with pytest.raises(ReportError, match="of another study"):
        open_half(forged, "leader", LEADER, STUDY, ANN)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    report = parse_report(REPORT)
    info = _info("helper", STUDY, WEEK, 4, ANN, report.nonce)
    assert STUDY.helper
    forged = dataclasses.replace(report, helper=seal(bytes(length), STUDY.helper, info))
    with pytest.raises(ReportError, match="another length than 32 bytes"):
        open_half(forged, "helper", HELPER, STUDY, ANN)


def test_a_seed_expands_to_the_key_stream_of_rfc_8439() -> None:
    """Appendix A.1, test vector 1: key and nonce of zeros, counter 0."""
    expected = bytes.fromhex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7")
    assert expand(bytes(32), 8).astype("<u4").tobytes() == expected


def test_sealing_adds_what_the_format_says() -> None:
    assert STUDY.leader
    assert len(seal(b"text", STUDY.leader, b"info")) == len(b"text") + SEAL_BYTES


def test_a_public_key_that_nothing_can_be_sealed_for_is_a_fault_of_the_study() -> None:
    with pytest.raises(StudyError, match=r"an unusable key of helper@example.org"):
        seal(b"text", Coordinator("helper@example.org", "0" * 64, "0" * 64), b"info")


def test_a_study_with_one_coordinator_has_no_reports() -> None:
    alone = dataclasses.replace(STUDY, trust="one-coordinator", leader=None, helper=None)
    with pytest.raises(ReportError, match="has one coordinator"):
        share_counts(COUNTS, alone, WEEK, ANN)
