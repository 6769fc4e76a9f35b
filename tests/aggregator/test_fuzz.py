"""`make fuzz`, bounded: what it would find in a million inputs, CI looks for in a few thousand."""

import os

import pytest

from aggregator.collect import Reason
from benchmarks import fuzz
from shared.errors import ReleaseError


def test_thousands_of_broken_files_are_judged_and_nothing_else() -> None:
    found = fuzz.fuzz(5_000, int.from_bytes(os.urandom(4), "little") if "CI" not in os.environ else 1)
    reached = {Reason.NO_RELEASE, Reason.WRONG_CELLS, Reason.FUTURE_WEEK, Reason.UNKNOWN_STUDY, Reason.TOO_MANY_WEEKS}
    assert set(found) == {*reached, None}


def test_that_check_notices_a_judge_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: object) -> None:
        raise ReleaseError

    monkeypatch.setattr(fuzz, "examine", raising)
    with pytest.raises(AssertionError, match="seed"):
        fuzz.fuzz(1, 1)


def test_that_check_notices_a_judge_that_lets_everything_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "examine", lambda *_: [])
    with pytest.raises(AssertionError, match="seed"):
        fuzz.fuzz(100, 1)
