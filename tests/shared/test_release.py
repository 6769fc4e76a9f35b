import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ReleaseError
from shared.mechanism import NoisedCounts
from shared.release import NO_ROW, Release, decode_records, encode_releases, record_dtype, released_counts
from shared.week import IsoWeek

STUDY, OLDER = "ab" * 32, "cd" * 32


def release(week: int, *counts: int, study: str = STUDY) -> Release:
    return Release(IsoWeek.from_key(week), study, NoisedCounts(np.array(counts, dtype=np.int16)))


GOOD = encode_releases([release(202446, 0, 1, 1), release(202447, 1, 0, 0)])


def test_a_reader_needs_numpy_alone() -> None:
    records = np.load(io.BytesIO(GOOD), allow_pickle=False)
    assert records["count"].tolist() == [[0, 1, 1], [1, 0, 0]]
    assert records["week"].tolist() == [202446, 202447]
    assert records["study"].tolist() == [STUDY.encode()] * 2


def test_the_exact_bytes_of_the_format() -> None:
    header = "{'descr': [('week', '<i4'), ('study', '|S64'), ('count', '<i2', (3,))], "
    header += "'fortran_order': False, 'shape': (1,), }"
    start = b"\x93NUMPY\x01\x00" + (182).to_bytes(2, "little") + header.ljust(181).encode() + b"\n"
    week = (202447).to_bytes(4, "little")
    assert encode_releases([release(202447, 1, 0, 1)]) == start + week + STUDY.encode() + b"\x01\x00\x00\x00\x01\x00"


@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.lists(st.integers(-(2**15) + 1, 2**15 - 1), min_size=1, max_size=5)),
        min_size=1,
        max_size=6,
        unique_by=lambda item: item[0],
    )
)
def test_what_is_encoded_is_decoded_again_in_time_order(weeks: list[tuple[int, list[int]]]) -> None:
    releases = [release(IsoWeek(2020, 1).plus(number).key, *counts) for number, counts in weeks]
    records = decode_records(encode_releases(releases))
    for record, expected in zip(records, sorted(releases, key=lambda one: one.week), strict=True):
        assert int(record["week"]) == expected.week.key
        assert released_counts(record, len(expected.counts)).tolist() == expected.counts.tolist()


def test_the_order_of_releases_changes_no_byte() -> None:
    assert encode_releases([release(202447, 1, 0, 0), release(202446, 0, 1, 1)]) == GOOD


def test_rows_that_an_older_study_did_not_have_are_marked() -> None:
    records = decode_records(encode_releases([release(202446, 1, 0, study=OLDER), release(202447, 1, 0, 1)]))
    assert records["count"][0].tolist() == [1, 0, NO_ROW]
    assert released_counts(records[0], 2).tolist() == [1, 0]
    for rows in (1, 3, 4):
        with pytest.raises(ReleaseError, match="rows"):
            released_counts(records[0], rows)


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"week": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def with_weeks(*weeks: int) -> bytes:
    records = np.zeros(len(weeks), dtype=record_dtype(3))
    records["week"], records["study"] = weeks, STUDY.encode()
    return saved(records)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        GOOD[:-1],
        GOOD + b"\0",
        GOOD[:50],
        pickled(),
        saved(np.zeros(3)),
        saved(np.zeros(1, dtype=np.dtype(record_dtype(3)).newbyteorder(">"))),
        saved(np.zeros((1, 1), dtype=record_dtype(3))),
        GOOD.replace(b"(2,)", b"(9999999999999,)"),
        GOOD.replace(b"(3,)", b"(4,)"),
        GOOD.replace(b"(3,)", b"(0,)"),
        GOOD.replace(b"'week'", b"'weak'"),
        GOOD.replace(b"False", b"True "),
        GOOD.replace(b"\x93NUMPY\x01", b"\x93NUMPY\x02"),
        with_weeks(202447, 202446),
        with_weeks(202447, 202447),
        with_weeks(202460),
        with_weeks(-5),
        with_weeks(0),
        GOOD.replace(STUDY.encode(), b"x" * 64),
        GOOD.replace(STUDY.encode(), b"ab".ljust(64, b"\0")),
        b"\0" * 10_000_001,
    ],
    ids=range(23),
)
def test_what_is_no_release_is_refused(data: bytes) -> None:
    with pytest.raises(ReleaseError):
        decode_records(data)


@given(st.binary(max_size=400), st.integers(0, len(GOOD)))
def test_garbled_bytes_are_decoded_or_refused_and_nothing_else(noise: bytes, place: int) -> None:
    with contextlib.suppress(ReleaseError):
        decode_records(GOOD[:place] + noise + GOOD[place + len(noise) :])


def with_rows(rows: int, length: int = 1) -> bytes:
    """Return a file whose header says so many rows, and which is as long as that."""
    header = (
        f"{{'descr': [('week', '<i4'), ('study', '|S64'), ('count', '<i2', ({rows},))], "
        f"'fortran_order': False, 'shape': ({length},), }}"
    ).encode()
    records = ((202447).to_bytes(4, "little") + STUDY.encode() + bytes(2 * rows)) * length
    return b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + records


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (with_rows(0), "it has 0 rows"),
        (with_rows(100_001), "it has 100001 rows"),
        (with_rows(5_000, 1_000), "more than 10,000,000 bytes"),
        (with_weeks(199952), "a week that does not exist"),
        (with_weeks(300001), "a week that does not exist"),
    ],
)
def test_a_file_within_its_format_and_beyond_its_limits_is_refused_for_that(data: bytes, reason: str) -> None:
    with pytest.raises(ReleaseError, match=reason):
        decode_records(data)


@pytest.mark.parametrize("data", [with_rows(1), with_rows(100_000), with_weeks(200001), with_weeks(299952)])
def test_a_file_at_its_limits_is_read(data: bytes) -> None:
    assert len(decode_records(data)) == 1


@pytest.mark.parametrize("rows", [2, 4])
def test_several_records_at_once_have_the_rows_of_their_study_or_are_refused(rows: int) -> None:
    records = decode_records(GOOD)
    assert released_counts(records, 3).tolist() == [[0, 1, 1], [1, 0, 0]]
    with pytest.raises(ReleaseError, match="rows"):
        released_counts(records, rows)


def test_no_records_at_all_have_no_counts() -> None:
    assert released_counts(decode_records(with_rows(3, 0)), 3).shape == (0, 3)
