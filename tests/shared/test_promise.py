import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.promise import ANYONE, odds, promise, terms_in_words
from shared.study import Study

BASE = {"catalogue_rows": 6533, "catalogue_sha256": "0" * 64}


def test_the_default_study_says_what_it_promises() -> None:
    assert promise(Study(**BASE)) == (  # type: ignore[arg-type]
        "Anyone who sees your file, even knowing all else about your viewing, can shift the odds that you watched one "
        "given show in one given week by at most 7.4 times; over k weeks of that show by 7.4 to the power k; for a "
        "whole week of 5 shows by e^10."
    )


@given(st.floats(1e-3, 6.9))
def test_odds_are_never_understated_and_close(epsilon: float) -> None:
    assert math.exp(epsilon) <= float(odds(epsilon)) * (1 + 1e-9) <= math.exp(epsilon) * 1.11


def test_large_odds_are_powers_of_e() -> None:
    assert odds(104.0) == "e^104"
    assert odds(1e9) == "e^1e+09"


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"unit": "week", "max_shows_per_week": 5}, "rather than nothing, by at most 7.4 times"),
        ({"unit": "week", "max_shows_per_week": 5}, "of one way to spend that week against another by 55"),
        ({"unit": "view", "mechanism": "laplace", "max_views_per_show": 3}, "for a whole week of 5 shows by e^30"),
        ({"epsilon": 8.0}, "over k weeks of that show by e^(8 x k)"),
    ],
)
def test_each_unit_says_what_several_of_it_add_up_to(terms: dict[str, object], words: str) -> None:
    assert words in promise(Study(**{**BASE, **terms}))  # type: ignore[arg-type]


def test_of_others_it_speaks_in_the_third_person() -> None:
    assert "a member's file" in promise(Study(**BASE), ANYONE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, "flipped with probability 0.119"),
        ({"mechanism": "laplace", "max_views_per_show": 4}, "discrete Laplace noise of scale 2"),
        ({"unit": "week", "max_shows_per_week": 5}, "at most the 5 most viewed shows"),
    ],
)
def test_the_terms_say_how_and_what_is_counted(terms: dict[str, object], words: str) -> None:
    assert words in " ".join(terms_in_words(Study(**{**BASE, **terms})))  # type: ignore[arg-type]
