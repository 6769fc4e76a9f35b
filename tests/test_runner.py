from dataclasses import dataclass
from pathlib import Path

from shared.errors import ExitCode, NotYet
from shared.runner import run_once


@dataclass(frozen=True)
class Broken:
    """An app whose pass fails."""

    private: Path
    error: Exception

    def run(self) -> str:
        raise self.error

    def watched_files(self) -> list[str]:
        return []

    def next_change(self) -> float:
        return 0.0


def test_an_unexpected_error_ends_in_one_line_without_its_text(tmp_path: Path) -> None:
    answer = run_once(lambda: Broken(tmp_path, KeyError("The Secret Title: Season 1")))
    assert answer.code == ExitCode.UNEXPECTED
    assert "Secret" not in answer.line
    assert "\n" not in answer.line
    assert "Secret" in (tmp_path / "last_error.txt").read_text()
    assert (tmp_path / "last_error.txt").stat().st_mode & 0o777 == 0o600


def test_waiting_is_no_error(tmp_path: Path) -> None:
    assert run_once(lambda: Broken(tmp_path, NotYet("waiting"))) == ("waiting", 0)
