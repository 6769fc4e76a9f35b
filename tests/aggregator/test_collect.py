"""Which release files count. Every kind of damage is rejected with its reason and harms nobody else."""

import io
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from aggregator.collect import Participant, Reason, Rules, Seen, Verdict, find_releases, look, newest_week
from aggregator.combine import Totals
from shared.errors import FilesError
from shared.mechanism import ExactCounts, NoisedCounts, randomizer_of
from shared.release import NO_ROW, Release, encode_releases, record_dtype
from shared.study import Study
from shared.week import IsoWeek

NOW = datetime(2024, 11, 26, 12, tzinfo=UTC)
WEEK, LONG_AGO = IsoWeek(2024, 47), IsoWeek(2020, 1)
STUDY = Study(catalogue_rows=3, catalogue_sha256="0" * 64)
OTHER = Study(catalogue_rows=3, catalogue_sha256="1" * 64)
LAPLACE = Study(catalogue_rows=3, catalogue_sha256="0" * 64, mechanism="laplace")
LARGE = Study(catalogue_rows=6_500, catalogue_sha256="0" * 64)
LARGE_LAPLACE = Study(catalogue_rows=6_500, catalogue_sha256="0" * 64, mechanism="laplace")
STUDIES = {study.id: study for study in (STUDY, LAPLACE, LARGE, LARGE_LAPLACE)}


def rules(now: datetime = NOW, first: IsoWeek = LONG_AGO, final: frozenset[IsoWeek] = frozenset()) -> Rules:
    return Rules(STUDIES, newest_week(now), first, final)


def release(week: int = 202447, *counts: int, study: Study = STUDY) -> bytes:
    cells = NoisedCounts(np.array(counts or (1, 0, 1), dtype=np.int16))
    return encode_releases([Release(IsoWeek.from_key(week), study.id, cells)])


def noised(study: Study, watched: int = 0) -> bytes:
    exact = np.zeros(study.catalogue_rows, dtype=np.int64)
    exact[:watched] = 1
    return encode_releases([Release(WEEK, study.id, randomizer_of(study).noise(ExactCounts(exact)))])


def place(datasites: Path, name: str) -> Path:
    path = datasites / name / "api_data" / "netflix_trend_participant" / "netflix_reduced.npy"
    path.parent.mkdir(parents=True)
    return path


def put(datasites: Path, name: str, data: bytes) -> Path:
    path = place(datasites, name)
    path.write_bytes(data)
    return path


def looked(datasites: Path, by: Rules | None = None) -> tuple[list[Seen], Totals]:
    people = [Participant(email, tuple(folders)) for email, folders in find_releases(datasites).items()]
    return look(people, str(datasites), by or rules())


def verdicts(datasites: Path, by: Rules | None = None) -> dict[str, Verdict]:
    return {verdict.datasite: verdict for seen in looked(datasites, by)[0] for verdict in seen.verdicts}


def saved(array: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def records(rows: int = 3, weeks: tuple[int, ...] = (202447,), study: Study = STUDY) -> np.ndarray:
    found = np.zeros(len(weeks), dtype=record_dtype(rows))
    found["week"], found["study"] = weeks, study.id.encode()
    return found


def with_dtype(*fields: tuple[object, ...]) -> bytes:
    return saved(np.zeros(1, dtype=np.dtype([*fields])))


GOOD = release()
HOSTILE = {
    "nothing": (b"", Reason.NO_RELEASE),
    "garbage": (b"garbage", Reason.NO_RELEASE),
    "truncated": (GOOD[:-1], Reason.NO_RELEASE),
    "cut within the header": (GOOD[:60], Reason.NO_RELEASE),
    "more bytes than the header says": (GOOD + b"\0\0", Reason.NO_RELEASE),
    "larger than SyftBox carries": (b"\0" * 10_000_001, Reason.UNREADABLE),
    "a pickle": (saved(np.array([{"week": 1}], dtype=object), allow_pickle=True), Reason.NO_RELEASE),
    "a bare pickle": (b"\x80\x04cposix\nsystem\n(S'true'\ntR.", Reason.NO_RELEASE),
    "objects in a field": (GOOD.replace(b"'<i4'", b"'|O' "), Reason.NO_RELEASE),
    "a header that is code": (GOOD.replace(b"False", b"exit()"), Reason.NO_RELEASE),
    "floats with NaN": (
        with_dtype(("week", "<i4"), ("study", "S64"), ("count", "<f4", (3,))).replace(b"\0" * 12, b"\0\0\xc0\x7f" * 3),
        Reason.NO_RELEASE,
    ),
    "wider cells": (with_dtype(("week", "<i4"), ("study", "S64"), ("count", "<i8", (3,))), Reason.NO_RELEASE),
    "another field": (
        with_dtype(("week", "<i4"), ("study", "S64"), ("count", "<i2", (3,)), ("x", "i1")),
        Reason.NO_RELEASE,
    ),
    "the other byte order": (saved(records().astype(record_dtype(3).newbyteorder(">"))), Reason.NO_RELEASE),
    "two dimensions": (saved(records().reshape(1, 1)), Reason.NO_RELEASE),
    "columns first": (GOOD.replace(b"False", b"True "), Reason.NO_RELEASE),
    "version 2 of the format": (GOOD.replace(b"NUMPY\x01", b"NUMPY\x02"), Reason.NO_RELEASE),
    "a header that claims terabytes": (GOOD.replace(b"(1,)", b"(9999999999999,)"), Reason.NO_RELEASE),
    "rows that claim terabytes": (GOOD.replace(b"(3,)", b"(999999999999,)"), Reason.NO_RELEASE),
    "a week twice": (saved(records(weeks=(202447, 202447))), Reason.NO_RELEASE),
    "weeks out of order": (saved(records(weeks=(202447, 202446))), Reason.NO_RELEASE),
    "a week that does not exist": (saved(records(weeks=(202454,))), Reason.NO_RELEASE),
    "a week before time": (saved(records(weeks=(-1,))), Reason.NO_RELEASE),
    "a study that is not published": (release(study=OTHER), Reason.UNKNOWN_STUDY),
    "a study without an id": (GOOD.replace(STUDY.id.encode(), b"\0" * 64), Reason.NO_RELEASE),
    "this week": (release(202448), Reason.FUTURE_WEEK),
    "the far future": (release(209901), Reason.FUTURE_WEEK),
    "a count that is neither 0 nor 1": (release(202447, 1, 0, 2), Reason.WRONG_CELLS),
    "a negative count": (release(202447, 1, 0, -1), Reason.WRONG_CELLS),
    "a mark within the study's rows": (release(202447, 1, 0, NO_ROW), Reason.WRONG_CELLS),
    "fewer rows than the study": (release(202447, 1, 0), Reason.WRONG_CELLS),
    "more rows than the study": (release(202447, 1, 0, 1, 1), Reason.WRONG_CELLS),
    "more than Laplace noise gives": (release(202447, 0, 0, 100, study=LAPLACE), Reason.WRONG_CELLS),
    "less than Laplace noise gives": (release(202447, 0, 0, -100, study=LAPLACE), Reason.WRONG_CELLS),
    "more weeks than a study keeps": (saved(records(weeks=tuple(range(202401, 202428)))), Reason.TOO_MANY_WEEKS),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bad_release_is_rejected_whole_with_its_reason_and_the_good_one_counts(tmp_path: Path, kind: str) -> None:
    data, reason = HOSTILE[kind]
    put(tmp_path, "bad@example.org", data)
    put(tmp_path, "good@example.org", GOOD)
    seen, totals = looked(tmp_path)
    found = {verdict.datasite: verdict for one in seen for verdict in one.verdicts}
    assert found["bad@example.org"] == Verdict("bad@example.org", reason)
    assert found["good@example.org"].reason is None
    assert totals[WEEK][STUDY.id].sums.tolist() == [1, 0, 1]


def test_one_bad_week_spoils_the_whole_file(tmp_path: Path) -> None:
    both = records(weeks=(202446, 202447))
    both["count"][1] = 7
    put(tmp_path, "bad@example.org", saved(both))
    assert looked(tmp_path)[1] == {}


def test_as_many_weeks_as_a_study_keeps_are_accepted_and_so_is_none(tmp_path: Path) -> None:
    put(tmp_path, "full@example.org", saved(records(weeks=tuple(range(202422, 202448)))))
    put(tmp_path, "empty@example.org", saved(records(weeks=())))
    found = verdicts(tmp_path)
    assert found["full@example.org"].reason is None
    assert len(found["full@example.org"].weeks) == 26
    assert found["empty@example.org"] == Verdict("empty@example.org", None)


def test_what_stands_in_place_of_the_file_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(GOOD)
    place(tmp_path / "d", "link@example.org").symlink_to(secret)
    place(tmp_path / "d", "dangling@example.org").symlink_to(tmp_path / "nowhere")
    os.mkfifo(place(tmp_path / "d", "fifo@example.org"))
    place(tmp_path / "d", "folder@example.org").mkdir()
    place(tmp_path / "d", "zero@example.org").symlink_to("/dev/zero")
    found = verdicts(tmp_path / "d")
    assert {verdict.reason for verdict in found.values()} == {Reason.UNREADABLE}
    assert len(found) == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device file")
def test_a_device_in_place_of_the_file_is_not_read(tmp_path: Path) -> None:
    try:
        os.mknod(place(tmp_path, "device@example.org"), 0o20644, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this machine makes no device files")
    assert verdicts(tmp_path)["device@example.org"].reason is Reason.UNREADABLE


def test_a_worker_that_does_not_see_the_datasites_says_so_and_finds_nobody_missing(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="mount it"):
        look([Participant("ann@example.org", ("ann@example.org",))], str(tmp_path / "elsewhere"), rules())


def test_a_link_in_place_of_the_datasite_is_no_datasite(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "ann@example.org", GOOD)
    (tmp_path / "datasites").mkdir()
    (tmp_path / "datasites" / "ann@example.org").symlink_to(tmp_path / "elsewhere" / "ann@example.org")
    assert verdicts(tmp_path / "datasites") == {}


@pytest.mark.parametrize("name", ["a\nb", "\u202egro.elpmaxe@nna", "<b>&amp;", "'; --", "a\x1b[2J", b"\xff\xfe", " "])
def test_a_datasite_may_have_any_name(tmp_path: Path, name: str | bytes) -> None:
    name = os.fsdecode(name)
    put(tmp_path, name, GOOD)
    assert verdicts(tmp_path) == {name: Verdict(name, None, (202447,))}


def test_a_week_that_is_over_somewhere_on_earth_is_taken(tmp_path: Path) -> None:
    put(tmp_path, "early@example.org", GOOD)
    sunday = datetime(2024, 11, 24, tzinfo=UTC)
    for hour, reason in ((9, Reason.FUTURE_WEEK), (10, None)):
        assert verdicts(tmp_path, rules(sunday.replace(hour=hour)))["early@example.org"].reason is reason


def test_a_datasite_without_a_release_is_no_participant_and_takes_no_memory(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"quiet{number}@example.org").mkdir()
    (tmp_path / "a file").write_text("x")
    assert find_releases(tmp_path) == {}
    assert find_releases(tmp_path / "missing") == {}


def test_one_address_counts_once(tmp_path: Path) -> None:
    for email in ("ann@example.org", "Ann@Example.org"):
        put(tmp_path, email, GOOD)
    seen, totals = looked(tmp_path)
    assert [verdict.reason for verdict in seen[0].verdicts] == [None, Reason.TWICE]
    assert totals[WEEK][STUDY.id].participants == 1


@pytest.mark.parametrize("spelled", ["ANN@example.org", "ann@example.org"])
def test_a_bad_file_under_an_address_in_other_case_shuts_nobody_out(tmp_path: Path, spelled: str) -> None:
    put(tmp_path, spelled, b"garbage")
    put(tmp_path, "Ann@example.org", GOOD)
    found = verdicts(tmp_path)
    assert found["Ann@example.org"].reason is None
    assert found[spelled].reason is Reason.NO_RELEASE


def test_weeks_that_are_final_or_before_the_first_are_not_added(tmp_path: Path) -> None:
    put(tmp_path, "ann@example.org", saved(records(weeks=(202445, 202446, 202447))))
    totals = looked(tmp_path, rules(first=IsoWeek(2024, 46), final=frozenset({WEEK})))[1]
    assert list(totals) == [IsoWeek(2024, 46)]


def test_a_file_with_weeks_of_several_studies_is_added_study_by_study(tmp_path: Path) -> None:
    mixed = records(weeks=(202444, 202445, 202446, 202447))
    mixed["study"][[1, 2]] = LAPLACE.id.encode()
    mixed["count"] = [[1, 0, 0], [-3, 2, 0], [0, 5, 0], [0, 0, 1]]
    put(tmp_path, "ann@example.org", saved(mixed))
    sums = {str(week): {s: t.sums.tolist() for s, t in of.items()} for week, of in looked(tmp_path)[1].items()}
    assert sums == {
        "2024-W44": {STUDY.id: [1, 0, 0]},
        "2024-W45": {LAPLACE.id: [-3, 2, 0]},
        "2024-W46": {LAPLACE.id: [0, 5, 0]},
        "2024-W47": {STUDY.id: [0, 0, 1]},
    }


def test_as_many_sets_of_weeks_as_there_are_participants_add_up(tmp_path: Path) -> None:
    for number in range(1, 41):
        put(tmp_path, f"m{number}@example.org", saved(records(weeks=tuple(range(202400 + number, 202441, 7)))))
    totals = looked(tmp_path)[1]
    assert {week.number: of[STUDY.id].participants for week, of in totals.items()} == {
        number: (number + 6) // 7 for number in range(1, 41) if (number + 6) // 7
    }


@pytest.mark.parametrize("study", [LARGE, LARGE_LAPLACE])
@pytest.mark.parametrize("watched", [0, 100])
def test_an_honest_release_is_not_flagged(tmp_path: Path, study: Study, watched: int) -> None:
    put(tmp_path, "ann@example.org", noised(study, watched))  # flagged by chance: less than once in a million
    assert not verdicts(tmp_path)["ann@example.org"].flagged


@pytest.mark.parametrize(
    ("study", "watched"), [(LARGE, 6_500), (LARGE, 600), (LARGE_LAPLACE, 6_500), (LARGE_LAPLACE, 2_000)]
)
def test_a_release_with_more_than_anybody_watches_counts_and_is_flagged(
    tmp_path: Path, study: Study, watched: int
) -> None:
    put(tmp_path, "eager@example.org", noised(study, watched))
    assert verdicts(tmp_path)["eager@example.org"] == Verdict("eager@example.org", None, (202447,), flagged=True)
    final = rules(final=frozenset({WEEK}))
    assert not verdicts(tmp_path, final)["eager@example.org"].flagged  # what is final is not judged again


@pytest.mark.parametrize("study", [LARGE, LARGE_LAPLACE])
def test_a_release_without_noise_is_flagged(tmp_path: Path, study: Study) -> None:
    put(tmp_path, "plain@example.org", release(202447, *([0] * 6_500), study=study))
    assert verdicts(tmp_path)["plain@example.org"].flagged


def test_the_same_cells_have_the_same_mark_where_chance_cannot_make_them_so(tmp_path: Path) -> None:
    for name, data in (("small", GOOD), ("large", noised(LARGE)), ("laplace", noised(LARGE_LAPLACE))):
        original = put(tmp_path / name, "ann@example.org", data)
        shutil.copy(original, place(tmp_path / name, "copy@example.org"))
        put(tmp_path / name, "bob@example.org", noised(LARGE) if name == "large" else noised(LARGE_LAPLACE))
        marks = {seen.email: seen.counted for seen in looked(tmp_path / name)[0]}
        assert (marks["ann@example.org"] == marks["copy@example.org"]) == (name != "small")
        assert marks["ann@example.org"] != marks["bob@example.org"]
