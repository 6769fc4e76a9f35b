"""Reports that are found in a member's own datasite, and those that stay published: nothing is drawn twice."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import numpy as np
import pytest

from aggregator.pairing import pair_terms
from aggregator.settings import TEMPLATE as AGGREGATOR_SETTINGS
from aggregator.terms import publish_study
from participant.app import ledger_path, watched_files
from participant.install import install_participant, withdraw_participant
from participant.ledger import Draw, open_ledger
from shared.catalogue import format_catalogue
from shared.errors import NotYet, StudyError
from shared.files import write_atomically
from shared.mechanism import ExactCounts
from shared.settings import write_settings
from shared.sharing import share_counts
from shared.study import Study
from shared.week import IsoWeek
from shared.workspace import AGGREGATOR_APP, Workspace
from tests.aggregator.pairs import ANN, HELPER, LEADER, WEEK, Pair, accept, make_pair
from tests.conftest import SHOWS, TUESDAY, Neighbourhood


@pytest.fixture
def pair(neighbourhood: Neighbourhood) -> Pair:
    return make_pair(neighbourhood)


@pytest.fixture
def ann(pair: Pair) -> Workspace:
    """Return the workspace of a member who has not shared anything yet."""
    box = pair.neighbourhood.join(ANN, 'Title,Date\n"Dark: Season 1: One","2024-11-21"\n')
    accept(box, pair.study)
    pair.report(ANN).parent.mkdir(parents=True)
    return box


def draws(box: Workspace) -> dict[IsoWeek, Draw]:
    with open_ledger(ledger_path(box)) as ledger:
        return {draw.week: draw for draw in ledger.draws()}


def report_of(week: IsoWeek, study: Study, rows: int = 6) -> bytes:
    return share_counts(ExactCounts(np.zeros(rows, dtype=np.int64)), study, week, ANN)


def reports(pair: Pair) -> set[str]:
    return {path.name for path in pair.report(ANN).parent.glob("*.bin")}


def test_a_report_made_on_another_device_is_kept_charged_and_published_again(pair: Pair, ann: Workspace) -> None:
    data = report_of(WEEK, pair.study)
    pair.report(ANN).write_bytes(data)
    assert "kept and charged 1 week published elsewhere" in pair.neighbourhood.run(ANN).line
    assert (draws(ann)[WEEK].payload, draws(ann)[WEEK].origin) == (data, "adopted")
    pair.report(ANN).unlink()
    pair.neighbourhood.run(ANN)
    assert pair.report(ANN).read_bytes() == data


def test_a_report_in_the_place_of_ours_gives_way_and_costs_nothing(pair: Pair, ann: Workspace) -> None:
    pair.neighbourhood.run(ANN)
    mine, before = pair.report(ANN).read_bytes(), draws(ann)
    pair.report(ANN).write_bytes(report_of(WEEK, pair.study))
    assert "charged" not in pair.neighbourhood.run(ANN).line
    assert pair.report(ANN).read_bytes() == mine
    assert draws(ann) == before


def test_a_report_of_a_week_that_is_not_over_is_none_of_ours(pair: Pair, ann: Workspace) -> None:
    coming = WEEK.plus(1)
    pair.report(ANN, coming).write_bytes(report_of(coming, pair.study))
    pair.neighbourhood.run(ANN)
    assert coming not in draws(ann)
    assert WEEK in draws(ann)
    assert f"{coming}.bin" not in reports(pair)


@pytest.mark.parametrize("wrong", ["no report", "another week's", "of a study with one coordinator", "of other rows"])
def test_of_a_week_with_a_spoiled_report_nothing_is_drawn_any_more(pair: Pair, ann: Workspace, wrong: str) -> None:
    """It may stand where one of ours was, from before the ledger was lost."""
    stated = pair_terms(pair.leader, pair.study, {"trust": "one-coordinator"}, None)
    alone = publish_study(pair.leader.results(LEADER), stated)
    sound = report_of(WEEK, pair.study)
    pair.report(ANN).write_bytes(
        {
            "no report": b"?",
            "another week's": report_of(WEEK.plus(-5), pair.study),
            "of a study with one coordinator": sound[:18] + bytes.fromhex(alone.id) + sound[50:],
            "of other rows": report_of(WEEK, pair.study, rows=5),
        }[wrong]
    )
    pair.neighbourhood.run(ANN)
    assert draws(ann) == {}


def test_a_report_under_a_study_that_has_not_arrived_is_waited_for(pair: Pair, ann: Workspace) -> None:
    unknown = dataclasses.replace(pair.study, min_participants=9)
    pair.report(ANN).write_bytes(report_of(WEEK, unknown))
    with pytest.raises(NotYet, match="waiting for the studies of"):
        pair.neighbourhood.run(ANN)
    assert draws(ann) == {}
    assert reports(pair) == {f"{WEEK}.bin"}


def test_taking_over_goes_on_without_the_weeks_of_a_study_that_never_arrives(pair: Pair, ann: Workspace) -> None:
    unknown = dataclasses.replace(pair.study, epsilon=0.5)
    pair.report(ANN, WEEK.plus(-1)).write_bytes(report_of(WEEK.plus(-1), unknown))
    said = install_participant(ann, LEADER, [], TUESDAY, take_over=True)
    assert f"nothing is drawn up to {WEEK}" in said
    assert pair.neighbourhood.run(ANN).released == ()


def test_taking_over_from_oneself_ends_the_wait_for_a_study_that_never_arrives(pair: Pair, ann: Workspace) -> None:
    pair.neighbourhood.run(ANN)
    later, after = (TUESDAY + timedelta(weeks=number) for number in (1, 2))
    unknown = dataclasses.replace(pair.study, epsilon=0.5)
    pair.report(ANN, WEEK.plus(1)).write_bytes(report_of(WEEK.plus(1), unknown))
    pair.neighbourhood.download(ANN, 'Title,Date\n"Dark: Season 1: One","2024-11-21"\n', made=after)
    with pytest.raises(NotYet, match="waiting for the studies of"):
        pair.neighbourhood.run(ANN, later)
    install_participant(ann, LEADER, [], later, take_over=True)
    assert pair.neighbourhood.run(ANN, later).released == ()
    assert [str(week) for week in pair.neighbourhood.run(ANN, after).released] == [str(WEEK.plus(2))]


def test_with_an_older_copy_of_the_ledger_and_no_report_left_nothing_that_is_over_is_drawn(
    pair: Pair, ann: Workspace
) -> None:
    pair.neighbourhood.run(ANN)
    older = ledger_path(ann).read_bytes()
    weeks = [TUESDAY + timedelta(weeks=later) for later in (1, 2)]
    pair.neighbourhood.download(ANN, 'Title,Date\n"Dark: Season 1: One","2024-11-21"\n', made=weeks[-1])
    pair.neighbourhood.run(ANN, weeks[0])
    assert f"{WEEK.plus(1)}.bin" in reports(pair)
    ledger_path(ann).write_bytes(older)
    for path in pair.report(ANN).parent.glob("*.bin"):
        path.unlink()
    assert pair.neighbourhood.run(ANN, weeks[0]).released == ()
    assert [str(week) for week in pair.neighbourhood.run(ANN, weeks[1]).released] == [str(WEEK.plus(2))]


def test_a_member_who_has_withdrawn_and_returned_goes_on_with_the_weeks_since(pair: Pair, ann: Workspace) -> None:
    pair.neighbourhood.run(ANN)
    withdraw_participant(ann, TUESDAY)
    later = TUESDAY + timedelta(weeks=1)
    pair.neighbourhood.download(ANN, 'Title,Date\n"Dark: Season 1: One","2024-11-21"\n', made=later)
    install_participant(ann, LEADER, [], later, take_over=False)
    assert [str(week) for week in pair.neighbourhood.run(ANN, later).released] == [str(WEEK.plus(1))]


def test_as_many_weeks_stay_published_as_the_study_keeps(neighbourhood: Neighbourhood) -> None:
    pair = make_pair(neighbourhood, weeks=2)
    pair.join(ANN, ["Dark"])
    for later in range(1, 4):
        now = TUESDAY + timedelta(weeks=later)
        neighbourhood.download(ANN, 'Title,Date\n"Dark: Season 1: One","2024-11-21"\n', made=now)
        neighbourhood.run(ANN, now)
    assert reports(pair) == {f"{WEEK.plus(2)}.bin", f"{WEEK.plus(3)}.bin"}


def test_reports_for_coordinators_whom_the_member_left_are_not_published_again(pair: Pair, ann: Workspace) -> None:
    pair.neighbourhood.run(ANN)
    assert reports(pair)
    other = pair.neighbourhood.box("other@example.org")
    write_settings(other.app(AGGREGATOR_APP) / "settings.toml", AGGREGATOR_SETTINGS, {})
    write_atomically(other.results(other.email) / "catalogue.csv", format_catalogue(SHOWS))
    publish_study(other.results(other.email), {"epsilon": 1.0})
    withdraw_participant(ann, TUESDAY)
    install_participant(ann, other.email, [], TUESDAY, take_over=False)
    pair.neighbourhood.run(ANN)
    assert reports(pair) == set()


def test_after_a_withdrawal_no_report_is_published_again(pair: Pair, ann: Workspace) -> None:
    pair.neighbourhood.run(ANN)
    withdraw_participant(ann, TUESDAY)
    assert reports(pair) == set()
    with pytest.raises(NotYet, match="you have withdrawn"):
        pair.neighbourhood.run(ANN)
    assert reports(pair) == set()


def test_a_pair_that_another_than_the_named_coordinator_leads_gets_nothing(pair: Pair, ann: Workspace) -> None:
    """Somebody publishes another pair's study as if it were theirs: whom the member named reads no report of it."""
    other = pair.neighbourhood.box("other@example.org")
    for name in ("study.json", "catalogue.csv"):
        write_atomically(other.results(other.email) / name, (pair.leader.results(LEADER) / name).read_bytes())
    withdraw_participant(ann, TUESDAY)
    install_participant(ann, other.email, [], TUESDAY, take_over=False)
    with pytest.raises(StudyError, match=f"led by {LEADER}, not by {other.email}"):
        pair.neighbourhood.run(ANN)
    assert draws(ann) == {}
    assert reports(pair) == set()


def test_leader_and_helper_alone_may_read_the_reports_and_the_machine_is_marked(pair: Pair, ann: Workspace) -> None:
    pair.neighbourhood.run(ANN)
    folder = pair.report(ANN).parent
    for name in ("syftperm.yaml", "syft.pub.yaml"):
        text = (folder / name).read_text()
        assert LEADER in text
        assert HELPER in text
        assert '"*"' not in text
    with open_ledger(ledger_path(ann)) as ledger:
        assert (folder.parent / "device").read_text() == f"{ledger.device}\n"


def test_the_pass_watches_the_reports_and_what_both_coordinators_publish(pair: Pair, ann: Workspace) -> None:
    pair.neighbourhood.run(ANN)
    watched = set(watched_files(ann, pair.neighbourhood.home(ANN)))
    assert watched >= {
        str(ann.shares(ANN) / f"{WEEK}.bin"),
        str(ann.shares(ANN)),
        str(ann.results(LEADER) / "study.json"),
        str(ann.results(HELPER) / "study.json"),
    }
