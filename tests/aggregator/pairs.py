"""A community with two coordinators on disk, for the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aggregator import app as aggregator
from aggregator.install import install_aggregator
from aggregator.pair import PATIENCE, answer_name, batch_name
from aggregator.pair_record import RECORD, open_record
from aggregator.pairing import pair_terms
from aggregator.terms import publish_study
from shared.settings import write_settings
from shared.study import Study
from shared.week import IsoWeek
from shared.workspace import AGGREGATOR_APP, PARTICIPANT_APP, Workspace
from tests.conftest import COORDINATOR, TUESDAY, Neighbourhood

LEADER = COORDINATOR
HELPER = "helper@example.org"
WEEK = IsoWeek(2024, 47)
"""The last week that is over on TUESDAY."""
COLLECTED = TUESDAY + timedelta(weeks=2)
"""When its open time is over."""


ANN, BOB, CAT, DAN = "ann@example.org", "bob@example.org", "cat@example.org", "dan@example.org"


@dataclass(frozen=True)
class Pair:
    """Leader and helper installed, a study that both publish, and any number of members."""

    neighbourhood: Neighbourhood
    study: Study

    @property
    def leader(self) -> Workspace:
        """Return the leader's workspace."""
        return self.neighbourhood.box(LEADER)

    @property
    def helper(self) -> Workspace:
        """Return the helper's workspace."""
        return self.neighbourhood.box(HELPER)

    def join(self, email: str, shows: Sequence[str]) -> Workspace:
        """Return the workspace of a member who accepts this pair and watched these shows in WEEK."""
        rows = "".join(f'"{show}: Season 1: One","2024-11-21"\n' for show in shows)
        box = self.neighbourhood.join(email, f"Title,Date\n{rows}")
        accept(box, self.study)
        self.neighbourhood.run(email)
        return box

    def run(self, box: Workspace, now: datetime = COLLECTED) -> str:
        """Run one coordinator's app once."""
        return aggregator.run(box, now)

    def report(self, email: str, week: IsoWeek = WEEK) -> Path:
        """Return where a member's report of a week is."""
        return self.leader.shares(email) / f"{week}.bin"


def accept(box: Workspace, study: Study) -> None:
    """Let a member's settings trust the pair of this study."""
    limits = {"max_epsilon_per_week": study.epsilon, "max_epsilon_total": 1000.0, "units": ["view", "show", "week"]}
    consent = {"trust": ["one-coordinator", "two-coordinators"], "fingerprint": study.fingerprint}
    write_settings(box.app(PARTICIPANT_APP) / "settings.toml", "", limits | consent)


def make_pair(neighbourhood: Neighbourhood, **terms: object) -> Pair:
    """Return a new pair whose study is published by both; a large epsilon unless `terms` say otherwise."""
    leader, helper = neighbourhood.coordinator(), neighbourhood.box(HELPER)
    for box, of in ((leader, None), (helper, LEADER)):
        list(install_aggregator(box, of))
    stated = pair_terms(leader, None, {"epsilon": 20.0, "min_participants": 2, **terms}, HELPER)
    study = publish_study(leader.results(LEADER), stated)
    aggregator.run(helper, TUESDAY)
    aggregator.run(leader, TUESDAY)
    return Pair(neighbourhood, study)


def measure(pair: Pair) -> dict[str, Any]:
    """Run leader, helper, until it waits no longer, and leader; return what was published of WEEK."""
    pair.run(pair.leader)
    for now in (COLLECTED, COLLECTED + PATIENCE):
        pair.run(pair.helper, now)
    pair.run(pair.leader)
    return published(pair)


def published(pair: Pair) -> dict[str, Any]:
    path = pair.leader.results(LEADER) / "weeks" / f"{WEEK}.json"
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def sums(box: Workspace) -> list[int]:
    with open_record(box.private(AGGREGATOR_APP) / RECORD) as record:
        return [int(each) for each in record.results()[WEEK].total.sums]


def answer(pair: Pair) -> Path:
    return pair.leader.exchange(HELPER) / answer_name(WEEK)


def batch(pair: Pair) -> Path:
    return pair.leader.exchange(LEADER) / batch_name(WEEK)
