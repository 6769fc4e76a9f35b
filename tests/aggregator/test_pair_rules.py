"""What either of two coordinators refuses, waits for and keeps, whatever the other one or a member does."""

from __future__ import annotations

import dataclasses
import html
import re
import shutil
import sqlite3
from datetime import timedelta

import numpy as np
import pytest

from aggregator.keys import ensure_keys
from aggregator.messages import Message, read_message, sign_message
from aggregator.pair import LATE_WEEKS, LEFT_OUT, PATIENCE
from aggregator.pair_record import RECORD
from aggregator.pairing import look_at_pair, pair_terms
from aggregator.settings import TEMPLATE as AGGREGATOR_SETTINGS
from aggregator.terms import publish_study, read_terms
from shared.mechanism import ExactCounts
from shared.settings import write_settings
from shared.sharing import parse_report, share_counts
from shared.study import Study
from shared.week import IsoWeek
from shared.workspace import AGGREGATOR_APP, Workspace
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
    answer,
    batch,
    measure,
    published,
    sums,
)
from tests.conftest import TUESDAY

EVE = "eve@example.org"
ASKED = f"{HELPER}, the second coordinator, has not answered yet"


def record(box: Workspace) -> str:
    return str(box.private(AGGREGATOR_APP) / RECORD)


def reports_kept(box: Workspace) -> dict[IsoWeek, int]:
    with sqlite3.connect(record(box)) as connection:
        return {
            IsoWeek.from_key(week): number
            for week, number in connection.execute("SELECT week, count(*) FROM reports GROUP BY week")
        }


def share(pair: Pair, email: str, study: Study, week: IsoWeek = WEEK, file: IsoWeek = WEEK) -> None:
    """Put a report with nothing watched into a datasite."""
    path = pair.report(email, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(share_counts(ExactCounts(np.zeros(6, dtype=np.int64)), study, week, email))


def people(pair: Pair, *emails: str) -> None:
    for email in emails:
        share(pair, email, pair.study)


def test_neither_collects_a_week_before_its_open_time_is_over_by_its_own_clock(pair: Pair) -> None:
    people(pair, ANN, BOB)
    early = COLLECTED - timedelta(days=2)  # a Sunday
    pair.run(pair.leader, early)
    assert not batch(pair).exists()
    pair.run(pair.leader)
    assert batch(pair).exists()
    pair.run(pair.helper, early)
    assert not answer(pair).exists()
    pair.run(pair.helper)
    assert answer(pair).exists()


def test_a_report_of_another_week_in_this_weeks_file_counts_as_absent(pair: Pair) -> None:
    people(pair, ANN, BOB)
    share(pair, CAT, pair.study, WEEK.plus(-1), file=WEEK)
    assert measure(pair)["participants"] == 2


def test_a_report_under_a_study_that_is_not_the_pairs_counts_as_absent(pair: Pair) -> None:
    people(pair, ANN, BOB)
    share(pair, CAT, dataclasses.replace(pair.study, min_participants=3))
    assert measure(pair)["participants"] == 2


def page(pair: Pair) -> str:
    text = (pair.leader.results(LEADER) / "index.html").read_text(encoding="utf-8")
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


def test_the_page_says_what_a_week_waits_for_and_never_that_too_few_took_part_where_they_did(pair: Pair) -> None:
    people(pair, ANN, BOB)
    pair.run(pair.leader, TUESDAY)
    waiting = "its counts are collected from 9 December 2024 on"
    assert f"No figure is published yet: {waiting}." in page(pair)
    assert f"Withheld: {waiting}" in page(pair)
    pair.run(pair.leader)
    assert f"Withheld: {HELPER}, the second coordinator, has not answered yet" in page(pair)
    measure(pair)
    assert "18–24 November 2024 Too close to call" in page(pair)


def test_the_page_says_that_too_few_took_part_where_they_did_not(pair: Pair) -> None:
    people(pair, ANN)
    pair.run(pair.leader)
    assert "18–24 November 2024 Withheld: too few took part– 1withheld" in page(pair)


def test_the_page_counts_the_reports_that_the_leader_left_out(pair: Pair) -> None:
    people(pair, ANN, BOB)
    assert "No release was rejected." in page(pair)
    share(pair, CAT, dataclasses.replace(pair.study, min_participants=3))
    share(pair, DAN, pair.study)
    pair.report(DAN).write_bytes(pair.report(DAN).read_bytes()[:-1] + b"?")
    assert measure(pair)["participants"] == 2
    assert f"Releases that do not count: 2 ({LEFT_OUT})." in page(pair)


def test_the_helper_adds_up_no_report_that_the_leader_did_not_name(pair: Pair) -> None:
    people(pair, ANN, BOB)
    pair.run(pair.leader)
    people(pair, CAT)
    assert "answered with 2 reports" in pair.run(pair.helper)
    message, _ = read_message(answer(pair).read_bytes(), "answer", WEEK, [pair.study])
    assert set(message.ids) == {parse_report(pair.report(each).read_bytes()).id for each in (ANN, BOB)}


def test_of_two_studies_the_one_of_most_reports_is_collected(pair: Pair) -> None:
    people(pair, ANN, BOB, CAT)
    newer = publish_study(
        pair.leader.results(LEADER), pair_terms(pair.leader, pair.study, {"min_participants": 3}, None)
    )
    for email in (DAN, EVE):
        share(pair, email, newer)
    pair.run(pair.leader)
    assert read_message(batch(pair).read_bytes(), "batch", WEEK, [pair.study])[0].study == pair.study.id
    assert reports_kept(pair.leader) == {WEEK: 3}


def test_below_the_minimum_the_leader_asks_for_nothing_and_looks_again(pair: Pair) -> None:
    people(pair, ANN)
    pair.run(pair.leader)
    assert not batch(pair).exists()
    assert published(pair)["reason"] == "1 of at least 2 participants"
    assert not published(pair)["final"]
    people(pair, BOB)
    assert measure(pair)["participants"] == 2


def test_a_week_that_nobody_shared_is_no_week(pair: Pair) -> None:
    pair.run(pair.leader)
    assert not batch(pair).exists()


def test_a_week_with_too_few_is_final_once_its_late_weeks_are_over_and_a_later_one_is_measured(pair: Pair) -> None:
    later = COLLECTED + timedelta(weeks=LATE_WEEKS)
    people(pair, ANN)
    for email in (ANN, BOB):
        share(pair, email, pair.study, WEEK.plus(1), file=WEEK.plus(1))
    for box in (pair.leader, pair.helper, pair.leader):
        pair.run(box, later - timedelta(days=2))
    assert not published(pair)["final"]
    pair.run(pair.leader, later)
    assert published(pair)["final"]
    assert published(pair)["withheld"]
    people(pair, BOB)
    pair.run(pair.leader, later)
    assert not batch(pair).exists()


@pytest.mark.parametrize("wrong", ["about a report that was not asked for", "about too few"])
def test_an_answer_that_the_helper_signed_and_should_not_have_changes_no_figure(pair: Pair, wrong: str) -> None:
    people(pair, ANN, BOB, CAT)
    pair.run(pair.leader)
    pair.run(pair.helper)
    sound = answer(pair).read_bytes()
    message, _ = read_message(sound, "answer", WEEK, [pair.study])
    ids = (*message.ids[:2], bytes(32)) if wrong.endswith("asked for") else message.ids[:1]
    forged = Message(pair.study.id, WEEK, ids, message.sums)
    answer(pair).write_bytes(sign_message(forged, ensure_keys(pair.helper)))
    pair.run(pair.leader)
    assert published(pair)["reason"] == ASKED
    answer(pair).write_bytes(sound)
    pair.run(pair.leader)
    assert published(pair)["participants"] == 3


@pytest.mark.parametrize("role", ["leader", "helper"])
def test_an_older_copy_of_the_record_measures_no_week_again(pair: Pair, role: str) -> None:
    """What is published tells that it was: another batch could get an answer with noise of its own."""
    people(pair, ANN, BOB)
    box = pair.leader if role == "leader" else pair.helper
    pair.run(box, TUESDAY)
    shutil.copyfile(record(box), record(box) + ".copy")
    pair.run(pair.leader)
    pair.run(pair.helper)
    asked, answered = batch(pair).read_bytes(), answer(pair).read_bytes()
    shutil.copyfile(record(box) + ".copy", record(box))
    people(pair, CAT)
    for _ in range(2):
        pair.run(pair.helper, COLLECTED + PATIENCE)
        pair.run(pair.leader, COLLECTED + PATIENCE)
    assert (batch(pair).read_bytes(), answer(pair).read_bytes()) == (asked, answered)
    assert published(pair)["withheld"] is (role == "leader")
    if role == "leader":
        assert published(pair)["reason"] == "it was collected before, and the record of it is lost"


def test_the_reports_of_a_week_are_kept_until_it_is_measured_and_no_longer(pair: Pair) -> None:
    before = WEEK.plus(-1)
    for week in (before, WEEK):
        for email in (ANN, BOB):
            share(pair, email, pair.study, week, file=week)
    pair.run(pair.leader)
    assert reports_kept(pair.leader) == {before: 2, WEEK: 2}
    pair.run(pair.helper)
    kept = answer(pair).read_bytes()
    answer(pair).write_bytes(b"")
    pair.run(pair.leader)
    assert reports_kept(pair.leader) == {WEEK: 2}
    answer(pair).write_bytes(kept)
    pair.run(pair.leader)
    assert reports_kept(pair.leader) == {}


def test_batch_and_answer_are_for_the_other_coordinator_alone(pair: Pair) -> None:
    people(pair, ANN, BOB)
    measure(pair)
    for box, reader in ((pair.leader, HELPER), (pair.helper, LEADER)):
        for name in ("syftperm.yaml", "syft.pub.yaml"):
            said = (box.exchange(box.email) / name).read_text()
            assert reader in said
            assert '*"' not in said.replace("**", "")


def test_status_tells_what_became_of_each_week_and_what_is_wrong_with_a_report(pair: Pair) -> None:
    people(pair, ANN, BOB)
    share(pair, CAT, pair.study, WEEK.plus(-1), file=WEEK)
    people(pair, DAN)
    write_settings(pair.leader.app(AGGREGATOR_APP) / "settings.toml", AGGREGATOR_SETTINGS, {"blocked": [DAN]})

    def look(box: Workspace) -> tuple[dict[str, str], dict[str, tuple[list[IsoWeek], str | None]]]:
        return look_at_pair(box, read_terms(box.results(box.email)), COLLECTED.date())

    words, verdicts = look(pair.leader)
    assert words == {}
    assert verdicts[ANN] == ([WEEK], None)
    assert verdicts[CAT] == ([], f"report of {WEEK}: it is of another week, or of a study that is not in force here")
    assert verdicts[DAN] == ([WEEK], "the settings leave this datasite out")
    pair.run(pair.leader)
    assert look(pair.leader)[0] == {str(WEEK): "asked the helper"}
    pair.run(pair.helper)
    assert look(pair.helper) == (
        {str(WEEK): "answered with 2 reports"},
        {each: ([], None) for each in (ANN, BOB, CAT, DAN)},
    )
    pair.run(pair.leader)
    assert look(pair.leader)[0] == {str(WEEK): "measured, 2 participants"}
    assert len(sums(pair.leader)) == 6
