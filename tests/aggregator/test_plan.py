"""What a study will show. The forecast is compared with weeks that are noised; these state how often they fail."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from aggregator import cli
from aggregator.__main__ import main
from aggregator.cli import call
from aggregator.plan import (
    NAMED,
    PAIR,
    by_merit,
    expected_counts,
    named_first,
    people_needed,
    prospect,
    prospects,
    shortlist,
    studies,
)
from benchmarks.sums import noised_sums
from shared.errors import ExitCode, StudyError
from shared.mechanism import ExactCounts, randomizer_of
from shared.study import MechanismName, Study


def terms(epsilon: float, mechanism: MechanismName = "randomized-response", rows: int = 2000) -> Study:
    return Study(catalogue_rows=rows, catalogue_sha256="0" * 64, epsilon=epsilon, mechanism=mechanism)


@pytest.mark.parametrize(("people", "epsilon"), [(2130, 1.0), (385, 2.0), (48, 4.0)])
def test_it_agrees_with_what_others_found_by_simulation(people: int, epsilon: float) -> None:
    # 20 % against 15 %: so many people name the true top show in 95 of 100 weeks (simulated within a few per cent).
    assert prospect(people, terms(epsilon), (0.2, 0.15)).named_first == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("mechanism", ["randomized-response", "laplace"])
@pytest.mark.parametrize(("people", "epsilon"), [(30, 4.0), (100, 2.0), (400, 1.0)])
def test_the_true_top_show_is_named_and_lies_in_the_interval_as_often_as_foretold(
    people: int, epsilon: float, mechanism: MechanismName
) -> None:
    study, weeks, luck = terms(epsilon, mechanism), 1500, np.random.default_rng()
    counts = np.rint(expected_counts(people, study)).astype(np.int64)
    exact = named_first(counts.astype(float), math.sqrt(people * randomizer_of(study).variance))
    sums = noised_sums(luck, study, np.tile(counts, (weeks, 1)), np.asarray(people))
    estimates = randomizer_of(study).estimate(sums, np.full(sums.shape, people)) + luck.uniform(0, 1e-6, sums.shape)
    foretold = prospect(people, study)
    # The normal curve is off by up to 0.06; six deviations of chance are 0.078, exceeded once in 5e8 runs.
    assert (estimates.argmax(axis=1) == 0).mean() == pytest.approx(exact, abs=0.06 + 0.078)
    assert exact == pytest.approx(foretold.named_first, abs=0.1)  # people are whole
    inside = np.abs(estimates[:, 0] - counts[0]) <= foretold.half_width
    assert inside.mean() == pytest.approx(0.95, abs=0.04 + 0.034)
    best = np.argpartition(-estimates, 10, axis=1)[:, :10]
    cut = np.sort(counts)[-10]
    allowed = 0.2 if people < 100 else 0.1  # few people and few flips: the noise has a longer tail than a normal curve
    assert (counts[best] >= cut).mean() >= foretold.in_top_ten - allowed  # of equal counts any is right


def test_that_check_notices_a_forecast_for_twice_the_epsilon() -> None:
    honest, boasting = prospect(100, terms(2.0)).named_first, prospect(100, terms(4.0)).named_first
    assert boasting - honest > 0.06 + 0.078


def test_opendp_s_own_noise_has_the_spread_that_the_forecast_takes() -> None:
    study = terms(2.0)
    mechanism = randomizer_of(study)
    draws = np.sum([mechanism.noise(ExactCounts(np.zeros(2000, dtype=np.int64))) for _ in range(40)], axis=0)
    errors = mechanism.estimate(draws, np.full(2000, 40))
    half_width = prospect(40, study).half_width
    assert (np.abs(errors) <= half_width).mean() == pytest.approx(0.95, abs=0.02 + 0.03)  # 0.03: by chance 1e-9
    assert (np.abs(1.5 * errors) <= half_width).mean() < 0.9  # and noticed


def test_more_people_a_larger_epsilon_and_a_smaller_catalogue_name_it_more_often() -> None:
    assert prospect(100, terms(2.0)).named_first > prospect(50, terms(2.0)).named_first
    assert prospect(100, terms(2.0)).named_first > prospect(100, terms(1.0)).named_first
    assert prospect(100, terms(2.0, rows=500)).named_first > prospect(100, terms(2.0)).named_first


@pytest.mark.parametrize(("people", "epsilon"), [(94, 1.0), (48, 2.0)])
def test_it_agrees_with_what_others_found_for_two_coordinators(people: int, epsilon: float) -> None:
    study = Study(catalogue_rows=2000, catalogue_sha256="0" * 64, epsilon=epsilon, **PAIR)
    assert prospect(people, study, (0.2, 0.15)).named_first == pytest.approx(0.95, abs=0.04)  # Laplace, few people


def test_two_coordinators_are_compared_as_well_and_name_it_with_fewer_people() -> None:
    found = studies((2000,), (2.0,))
    assert {study.trust for study in found} == {"one-coordinator", "two-coordinators"}
    assert len({study.id for study in found}) == len(found)
    needed, pair_needed = people_needed(terms(2.0)), people_needed(replace(terms(2.0), **PAIR))
    assert needed is not None
    assert pair_needed is not None
    assert pair_needed < needed / 3


def test_the_advice_costs_a_week_least_among_those_that_do_it() -> None:
    found = list(prospects(300, studies((500, 2000), (1.0, 2.0, 4.0))))
    good = [each for each in found if each.named_first >= NAMED]
    assert by_merit(found)[0].epsilon_of_a_week == min(each.epsilon_of_a_week for each in good)
    one = [study for study in studies((2000,), (1.0, 4.0)) if study.trust == "one-coordinator"]
    poor = list(prospects(6, one))
    assert by_merit(poor)[0].epsilon <= 2


def test_the_short_list_names_each_kind_of_terms_once_and_what_is_advised_first() -> None:
    found = list(prospects(100, studies((500, 2000), (1.0, 2.0, 4.0))))
    listed = shortlist(found, 5)
    assert listed[0] == by_merit(found)[0]
    assert len({(each.trust, each.unit, each.mechanism, each.epsilon, each.max_views_per_show) for each in listed}) == 5
    merits = [by_merit(found).index(each) for each in listed]
    assert merits == sorted(merits)
    assert len(shortlist(found, 1000)) == len(found) / 2  # two sizes of the catalogue


def test_the_advice_is_read_before_the_table_which_is_short_unless_all_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = ["plan", "--people", "40", "--epsilon", "2", "--epsilon", "4"]
    assert call(line) == 0
    short = capsys.readouterr().out
    assert short.index("publish it with") < short.index("true top first")
    assert len(short.splitlines()) < 30
    assert "--all" in short
    assert call([*line, "--all"]) == 0
    full = capsys.readouterr().out
    assert len(full.splitlines()) > len(short.splitlines()) + 20
    assert "--all" not in full


def test_the_people_needed_are_enough_and_one_tenth_less_are_not() -> None:
    needed = people_needed(terms(2.0))
    assert needed is not None
    assert prospect(needed, terms(2.0)).named_first >= NAMED - 0.005
    assert prospect(int(needed * 0.9), terms(2.0)).named_first < NAMED
    assert people_needed(terms(0.001)) is None


@pytest.mark.parametrize("shares", [(), (0.0,), (1.2,)])
def test_shares_that_are_none_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(StudyError, match="above 0"):
        prospect(10, terms(2.0), shares)


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    studied = studies((500,), (1.0,))
    list(prospects(10, studied, progress=lambda done, total: told.append((done, total))))
    assert told == [(done, len(studied)) for done in range(1, len(studied) + 1)]


def test_the_command_prints_json_and_a_table_and_needs_no_workspace(capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(main)
    line = ["plan", "--people", "40", "--shares", "20%,0.15", "--epsilon", "4", "--rows", "500"]
    assert call([*line, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["top_shares"] == [0.2, 0.15]
    assert {study["unit"] for study in document["studies"]} == {"view", "show", "week"}
    assert {study["trust"] for study in document["studies"]} == {"one-coordinator", "two-coordinators"}
    assert document["advice"]["trust"] == "one-coordinator"
    assert document["two_coordinators"]["command"].endswith("--trust two-coordinators --helper EMAIL")
    assert document["advice"]["words"][-1].startswith("two coordinators")
    assert any("max_epsilon_per_week = 4" in words for words in document["advice"]["words"])
    assert document["advice"]["command"].startswith("netflix-trend-aggregator study new --unit show")
    assert call(line) == 0
    assert "randomized-response" in capsys.readouterr().out


@pytest.mark.parametrize("shares", ["much", "0", "2", "nan"])
def test_shares_that_cannot_be_read_are_one_clear_line(shares: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["plan", "--people", "40", "--shares", shares]) != 0
    assert "--shares" in capsys.readouterr().err


def test_what_was_installed_as_members_install_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "NEEDED", (*cli.NEEDED, "a_package_that_is_not_here"))
    assert call(["plan", "--people", "40"]) == ExitCode.WORKSPACE
    assert 'pip install "netflix-trend[aggregator]"' in capsys.readouterr().err
