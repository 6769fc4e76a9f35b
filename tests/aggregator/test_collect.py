"""Which release files count. Every kind of damage is rejected with its reason and harms nobody else."""

import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from aggregator.collect import Accepted, Reason, Rejected, collect
from shared.mechanism import NoisedCounts
from shared.release import Release, encode_releases
from shared.study import Study
from shared.week import IsoWeek

NOW = datetime(2024, 11, 26, 12, tzinfo=timezone.utc)
STUDY = Study(catalogue_rows=3, catalogue_sha256="0" * 64)
OTHER = Study(catalogue_rows=3, catalogue_sha256="1" * 64)


def release(week: int = 202447, *counts: int, study: Study = STUDY) -> bytes:
    cells = NoisedCounts(np.array(counts or (1, 0, 1), dtype=np.int16))
    return encode_releases([Release(IsoWeek.from_key(week), study.id, cells)])


def put(datasites: Path, email: str, data: bytes) -> Path:
    path = datasites / email / "api_data" / "netflix_trend_participant" / "netflix_reduced.npy"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def verdicts(datasites: Path, counts: Callable[[str], bool] = lambda _: True) -> dict[str, Accepted | Rejected]:
    found = list(collect(datasites, {STUDY.id: STUDY}, counts, NOW))
    return {verdict.datasite: verdict for verdict in found}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.NO_RELEASE),
        (b"garbage", Reason.NO_RELEASE),
        (release()[:-1], Reason.NO_RELEASE),
        (b"\0" * 10_000_001, Reason.UNREADABLE),
        (release(study=OTHER), Reason.UNKNOWN_STUDY),
        (release(202448), Reason.FUTURE_WEEK),
        (release(209901), Reason.FUTURE_WEEK),
        (release(202447, 1, 0, 2), Reason.WRONG_CELLS),
        (release(202447, 1, 0), Reason.WRONG_CELLS),
        (release(202447, 1, 0, 1, 1), Reason.WRONG_CELLS),
    ],
)
def test_a_bad_release_is_rejected_with_its_reason_and_the_good_one_counts(
    tmp_path: Path, data: bytes, reason: Reason
) -> None:
    put(tmp_path, "bad@example.org", data)
    put(tmp_path, "good@example.org", release())
    found = verdicts(tmp_path)
    assert found["bad@example.org"] == Rejected("bad@example.org", reason)
    assert isinstance(found["good@example.org"], Accepted)


def test_what_stands_in_place_of_the_file_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(release())
    put(tmp_path / "d", "link@example.org", b"").unlink()
    base = tmp_path / "d" / "link@example.org" / "api_data" / "netflix_trend_participant"
    (base / "netflix_reduced.npy").symlink_to(secret)
    put(tmp_path / "d", "fifo@example.org", b"").unlink()
    os.mkfifo(tmp_path / "d" / "fifo@example.org" / "api_data" / "netflix_trend_participant" / "netflix_reduced.npy")
    put(tmp_path / "d", "folder@example.org", b"").unlink()
    (tmp_path / "d" / "folder@example.org" / "api_data" / "netflix_trend_participant" / "netflix_reduced.npy").mkdir()
    found = verdicts(tmp_path / "d")
    assert len(found) == 3
    assert all(isinstance(verdict, Rejected) and verdict.reason is Reason.UNREADABLE for verdict in found.values())


def test_a_week_that_is_over_somewhere_on_earth_is_taken(tmp_path: Path) -> None:
    put(tmp_path, "early@example.org", release())
    sunday = datetime(2024, 11, 24, tzinfo=timezone.utc)
    for hour, taken in ((9, False), (10, True)):
        (verdict,) = collect(tmp_path, {STUDY.id: STUDY}, lambda _: True, sunday.replace(hour=hour))
        assert isinstance(verdict, Accepted) == taken


def test_a_datasite_without_a_release_is_no_participant(tmp_path: Path) -> None:
    (tmp_path / "quiet@example.org").mkdir()
    (tmp_path / "a file").write_text("x")
    assert verdicts(tmp_path) == {}
    assert verdicts(tmp_path / "missing") == {}


def test_one_address_counts_once_and_blocked_ones_never(tmp_path: Path) -> None:
    for email in ("ann@example.org", "Ann@Example.org", "bob@example.org"):
        put(tmp_path, email, release())
    found = verdicts(tmp_path, counts=lambda email: email != "bob@example.org")
    reasons = sorted(verdict.reason.name if isinstance(verdict, Rejected) else "" for verdict in found.values())
    assert reasons == ["", "NOT_A_MEMBER", "TWICE"]


def test_a_bad_file_under_an_address_in_other_case_shuts_nobody_out(tmp_path: Path) -> None:
    put(tmp_path, "ANN@example.org", b"garbage")
    put(tmp_path, "ann@example.org", release())
    found = verdicts(tmp_path)
    assert isinstance(found["ann@example.org"], Accepted)


def test_more_weeks_than_a_study_keeps_are_rejected(tmp_path: Path) -> None:
    first = IsoWeek(2020, 1)
    cells = NoisedCounts(np.array([1, 0, 1], dtype=np.int16))
    weeks = [Release(first.plus(number), STUDY.id, cells) for number in range(STUDY.weeks + 1)]
    put(tmp_path, "many@example.org", encode_releases(weeks))
    assert verdicts(tmp_path)["many@example.org"] == Rejected("many@example.org", Reason.TOO_MANY_WEEKS)
