from dataclasses import dataclass
from pathlib import Path

from shared.errors import Busy, ExitCode, FilesError, LedgerError, NotYet, StillArriving
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


def test_an_error_that_may_pass_by_itself_leaves_no_stamp(tmp_path: Path) -> None:
    for error in (FilesError("full"), Busy("busy"), LedgerError("locked"), StillArriving("soon")):
        run_once(lambda error=error: Broken(tmp_path, error))  # type: ignore[misc]
        assert not (tmp_path / "stamp.json").exists()
    run_once(lambda: Broken(tmp_path, NotYet("waiting")))
    assert (tmp_path / "stamp.json").exists()


def test_waiting_is_no_error(tmp_path: Path) -> None:
    assert run_once(lambda: Broken(tmp_path, NotYet("waiting"))) == ("waiting", 0)
