"""The averaging attack: whoever keeps every version of a member's file learns nothing beyond one draw a week."""

from __future__ import annotations

import shutil
from datetime import timedelta

import numpy as np
import pytest

from aggregator import app as aggregator
from aggregator.terms import publish_study
from participant.app import ledger_path
from participant.install import install_participant, withdraw_participant
from participant.ledger import read_ledger
from shared.errors import NetflixTrendError
from shared.settings import write_settings
from shared.workspace import PARTICIPANT_APP, RELEASE_FILE
from tests.conftest import COORDINATOR, EXPORT, TUESDAY, Neighbourhood
from tests.privacy import variants

ANN = "ann@example.org"
PASSES = 1000


def draws_seen(neighbourhood: Neighbourhood, passes: int) -> dict[int, set[bytes]]:
    """Run, restart, reinstall, export anew, meet new studies, withdraw and return; return every week's draws seen."""
    community = neighbourhood.coordinator()
    aggregator.run(community, TUESDAY)
    box = neighbourhood.join(ANN, EXPORT)
    settings = box.app(PARTICIPANT_APP) / "settings.toml"
    write_settings(settings, "", {"max_epsilon_total": 1e6})
    release = box.api_data(ANN) / RELEASE_FILE
    seen: dict[int, set[bytes]] = {}
    for number in range(passes):
        if number % 50 == 10:
            publish_study(community.results(COORDINATOR), {"min_participants": 5 + number})
        if number % 50 == 20:
            neighbourhood.download(ANN, EXPORT + f'"Dark: Season 1: {number}","20/11/2024"\n')
        if number % 50 == 30:
            withdraw_participant(box, TUESDAY)
        if number % 10 == 5 or number % 50 == 30:
            shutil.rmtree(box.app(PARTICIPANT_APP))  # also the settings: as after removing the app by hand
            install_participant(box, COORDINATOR, [], TUESDAY, take_over=False)
            write_settings(settings, "", {"max_epsilon_total": 1e6})
        if number % 50 == 40:
            release.unlink()
        if number % 50 == 45:
            release.write_bytes(b"damaged")
        try:
            neighbourhood.run(ANN, TUESDAY + timedelta(minutes=number))
        except NetflixTrendError as error:
            pytest.fail(f"pass {number}: {error}")
        for record in np.load(release):
            seen.setdefault(int(record["week"]), set()).add(record["count"].tobytes())
    with read_ledger(ledger_path(box)) as ledger:
        assert ledger.spent() == 2 * len(seen)
    return seen


def test_a_thousand_runs_restarts_and_reinstalls_show_one_draw_of_each_week(neighbourhood: Neighbourhood) -> None:
    seen = draws_seen(neighbourhood, PASSES)
    assert sorted(seen) == [202443, 202444, 202445, 202446, 202447]
    assert {week: len(draws) for week, draws in seen.items()} == dict.fromkeys(seen, 1)


def test_the_attack_finds_an_app_that_draws_anew(neighbourhood: Neighbourhood, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails by chance where twenty draws of six cells are equal in each of five weeks: less than once in 10^40."""
    variants.redrawn_weeks(monkeypatch)
    assert max(map(len, draws_seen(neighbourhood, 20).values())) > 1


def test_a_lost_private_folder_draws_nothing_again_while_the_file_is_there(
    neighbourhood: Neighbourhood,
) -> None:
    aggregator.run(neighbourhood.coordinator(), TUESDAY)
    box = neighbourhood.join(ANN, EXPORT)
    neighbourhood.run(ANN)
    before = (box.api_data(ANN) / RELEASE_FILE).read_bytes()
    for _ in range(20):
        shutil.rmtree(box.box / "private")
        install_participant(box, COORDINATOR, [], TUESDAY, take_over=True)
        neighbourhood.run(ANN)
        assert (box.api_data(ANN) / RELEASE_FILE).read_bytes() == before
