"""Everything that may go wrong and is expected to, with the exit code that names it.

NetflixTrendError
├── WorkspaceError    no SyftBox workspace where one is needed, or one that cannot be used
├── SettingsError     settings.toml is missing, broken or says something impossible
├── HistoryError      no readable Netflix export
│   ├── DateOrderUnknown   the export does not show whether day or month comes first
│   └── ProfileUnknown     the export holds several profiles, and none is named so
├── CatalogueError    a catalogue that is broken, unsound or not the study's
├── StudyError        terms that are broken, unsound or changed
├── LimitReached      a study asks for more privacy than the participant allows
├── LedgerError       the private record cannot be read or written
├── ClockError        this machine's clock cannot be right
├── FilesError        the machine refuses to read or write a file
├── ReleaseError      bytes that are no release
├── ReportError       bytes that are no report for two coordinators, or not for this one
├── DeviceElsewhere   another machine of this member draws the noise (exit 0)
├── NotYet            nothing is wrong: something has still to arrive (exit 0)
│   └── StillArriving      SyftBox may be bringing it at this moment
└── Busy              another instance of the app is at work (exit 0)

A message says where, what rule, what value and what to do, in one line. It never cites a title: messages reach logs.
"""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means; 2 is click's own for a wrong call."""

    OK = 0
    UNEXPECTED = 1
    WORKSPACE = 10
    SETTINGS = 11
    HISTORY = 12
    DATE_ORDER = 13
    STUDY = 14
    LIMIT = 15
    LEDGER = 16
    FILES = 17
    CLOCK = 18
    PROMISE = 19


class NetflixTrendError(Exception):
    """The base of all expected errors: one clear line for the person, and an exit code for scripts."""

    exit_code = ExitCode.UNEXPECTED


class WorkspaceError(NetflixTrendError):
    """There is no SyftBox workspace where one is needed, or it cannot be used."""

    exit_code = ExitCode.WORKSPACE


class SettingsError(NetflixTrendError):
    """`settings.toml` is missing, broken or says something impossible."""

    exit_code = ExitCode.SETTINGS


class HistoryError(NetflixTrendError):
    """There is no readable Netflix export."""

    exit_code = ExitCode.HISTORY


class DateOrderUnknown(HistoryError):
    """The export does not show whether day or month comes first: the participant has to say.

    `orders` are those it leaves open; none where it contradicts what was said.
    """

    exit_code = ExitCode.DATE_ORDER

    def __init__(self, message: str, *, orders: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.orders = tuple(orders)


class ProfileUnknown(HistoryError):
    """The export holds several profiles, and the participant has to say which one is theirs.

    The message names the profiles there are, for the terminal; `log_safe` names none, for logs.
    """

    def __init__(self, message: str, *, log_safe: str, profiles: Sequence[str]) -> None:
        super().__init__(message)
        self.log_safe = log_safe
        self.profiles = tuple(profiles)


class CatalogueError(NetflixTrendError):
    """A catalogue that is broken, unsound or not the study's."""

    exit_code = ExitCode.STUDY


class StudyError(NetflixTrendError):
    """Terms that are broken, unsound or changed."""

    exit_code = ExitCode.STUDY


class LimitReached(NetflixTrendError):
    """A study asks for more privacy than the participant allows."""

    exit_code = ExitCode.LIMIT


class LedgerError(NetflixTrendError):
    """The private record cannot be read or written."""

    exit_code = ExitCode.LEDGER


class ClockError(NetflixTrendError):
    """The clock of this machine cannot be right: which weeks are over is not known."""

    exit_code = ExitCode.CLOCK


class FilesError(NetflixTrendError):
    """The machine refuses to read or write a file: full disk, read-only folder, no permission."""

    exit_code = ExitCode.FILES


class ReleaseError(NetflixTrendError):
    """Bytes that are no release."""


class ReportError(NetflixTrendError):
    """Bytes that are no report for two coordinators, or none that this one can open."""


class DeviceElsewhere(NetflixTrendError):
    """Another machine of this member draws the noise; this one steps aside."""

    exit_code = ExitCode.OK


class NotYet(NetflixTrendError):
    """Nothing is wrong: something has still to arrive."""

    exit_code = ExitCode.OK


class StillArriving(NotYet):
    """SyftBox may be bringing it at this moment: time alone ends the waiting, or a file that the app does not watch."""


class Busy(NetflixTrendError):
    """Another instance of the app is at work; this one steps aside."""

    exit_code = ExitCode.OK
