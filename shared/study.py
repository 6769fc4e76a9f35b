"""The study: the immutable terms that a coordinator publishes and a participant accepts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, get_args

from shared.catalogue import MAX_ROWS, Catalogue, parse_catalogue
from shared.email import is_email
from shared.errors import StudyError

Unit = Literal["view", "show", "week"]
MechanismName = Literal["randomized-response", "laplace"]
Trust = Literal["one-coordinator", "two-coordinators"]

SCHEMA: Final = "netflix-trend/study/1"
MAX_BYTES: Final = 100_000
MAX_RELEASE_BYTES: Final = 10_000_000  # SyftBox's server refuses larger files
MAX_EPSILON: Final = 30.0  # beyond it a cell is flipped less than once in 10^13: that is no noise
MOST_WEEKS: Final = 520
MIN_EPSILON: Final = 1e-6  # per cell

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ROLES: Final = ("leader", "helper")
_FINGERPRINT_DIGITS: Final = 40  # 160 bits: two pairs of coordinators with the same one are out of reach


@dataclass(frozen=True)
class Coordinator:
    """One of two coordinators who hold a half of every count each. Keys: the raw 32 bytes as 64 hex digits."""

    email: str
    hpke_public_key: str
    """X25519: what is for this coordinator alone is encrypted to it."""
    signing_public_key: str
    """Ed25519: what this coordinator publishes for the other is signed with its private half."""

    def __post_init__(self) -> None:
        if not isinstance(self.email, str) or not is_email(self.email) or self.email != self.email.lower():
            raise StudyError(f"{str(self.email)[:80]!r} is no e-mail address of a coordinator in lower case")
        for name in ("hpke_public_key", "signing_public_key"):
            _check_hex(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Study:
    """The terms of one study, sound by construction. Fields and defaults: design.md section 4, docs/formats.md.

    Raises: StudyError with the value and the rule.
    """

    catalogue_rows: int
    """How many rows of the catalogue are counted: the number of cells of a release."""
    catalogue_sha256: str
    """SHA-256 of the first `catalogue_rows` + 1 lines of catalogue.csv."""
    unit: Unit = "show"
    """What one epsilon protects: one view, one show's views in a week, or a whole week."""
    epsilon: float = 2.0
    """Privacy loss per unit and week."""
    max_views_per_show: int = 1
    """Cap per show and week; 1 counts viewers, more counts views."""
    max_shows_per_week: int | None = None
    """Cap on the shows of a week; for unit `week` alone."""
    mechanism: MechanismName = "randomized-response"
    trust: Trust = "one-coordinator"
    weeks: int = 26
    """How many past weeks a release file keeps."""
    open_weeks: int = 5
    """How many weeks after its end a week takes releases."""
    min_participants: int = 5
    """Below it a week is published as withheld."""
    predecessor: str | None = None
    """The id of the study that this one follows."""
    leader: Coordinator | None = None
    """With trust `two-coordinators`: the one whom members name as aggregator."""
    helper: Coordinator | None = None
    """With trust `two-coordinators`: the other one."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("catalogue_rows", 1, MAX_ROWS),
            ("max_views_per_show", 1, 1_000),
            ("weeks", 1, MOST_WEEKS),
            ("open_weeks", 1, 52),
            ("min_participants", 1, 1_000_000),
        ):
            _check_integer(name, getattr(self, name), low, high)
        for name, choices in (("unit", Unit), ("mechanism", MechanismName), ("trust", Trust)):
            if getattr(self, name) not in get_args(choices):
                raise StudyError(f"{name} {getattr(self, name)!r} is none of {', '.join(get_args(choices))}")
        if type(self.epsilon) is not float or not (math.isfinite(self.epsilon) and 0 < self.epsilon <= MAX_EPSILON):
            raise StudyError(f"epsilon {self.epsilon!r} must be a number above 0 and at most {MAX_EPSILON:g}")
        _check_hex("catalogue_sha256", self.catalogue_sha256)
        if self.predecessor is not None:
            _check_hex("predecessor", self.predecessor)
        self._check_combination()

    def _check_combination(self) -> None:
        """Refuse terms that contradict each other or would not protect what they say."""
        if self.unit == "week":
            if self.max_shows_per_week is None:
                raise StudyError("unit week needs max_shows_per_week: without it a week's loss has no bound")
            _check_integer("max_shows_per_week", self.max_shows_per_week, 1, self.catalogue_rows)
        elif self.max_shows_per_week is not None:
            raise StudyError(
                f"max_shows_per_week {self.max_shows_per_week!r} goes with unit week only: "
                f"under unit {self.unit} dropping one show would let another in"
            )
        if self.mechanism == "randomized-response" and self.max_views_per_show != 1:
            raise StudyError(f"randomized-response needs max_views_per_show 1, not {self.max_views_per_show}")
        if self.unit == "view" and self.max_views_per_show == 1:
            raise StudyError("unit view needs max_views_per_show above 1; with 1 it is unit show")
        self._check_coordinators()
        if self.epsilon / self.sensitivity < MIN_EPSILON:
            raise StudyError(
                f"epsilon {self.epsilon:g} over a sensitivity of {self.sensitivity} is below {MIN_EPSILON:g}: "
                f"no number of members would show anything"
            )
        if self.release_bytes > MAX_RELEASE_BYTES:
            raise StudyError(
                f"{self.weeks} weeks of {self.catalogue_rows} rows make {self.release_bytes:,} bytes; "
                f"SyftBox carries at most {MAX_RELEASE_BYTES:,}: ask for fewer weeks or rows"
            )
        if self.mechanism == "laplace":
            from shared.mechanism import check_laplace_fits

            check_laplace_fits(self)

    def _check_coordinators(self) -> None:
        """Refuse a study whose trust is not borne by the coordinators it names."""
        pair = (self.leader, self.helper)
        if self.trust == "one-coordinator":
            if pair != (None, None):
                raise StudyError("leader and helper go with trust two-coordinators only")
            return
        if not (isinstance(self.leader, Coordinator) and isinstance(self.helper, Coordinator)):
            raise StudyError("trust two-coordinators needs a leader and a helper")
        if self.leader.email == self.helper.email:
            raise StudyError(f"leader and helper are both {self.leader.email}: one person would hold both halves")
        if self.mechanism != "laplace":
            raise StudyError(f"trust two-coordinators needs mechanism laplace, not {self.mechanism}")

    @property
    def fingerprint(self) -> str:
        """What tells a pair of coordinators from any other, over both addresses and all keys; empty without a pair.

        Members compare it outside SyftBox. In groups of four hexadecimal digits, for the eye and for the telephone.
        """
        if not (self.leader and self.helper):
            return ""
        pair = {role: dataclasses.asdict(getattr(self, role)) for role in _ROLES}
        digits = hashlib.sha256(_canonical(pair)).hexdigest()[:_FINGERPRINT_DIGITS]
        return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))

    @property
    def sensitivity(self) -> int:
        """By how much one unit can change the bounded counts of a week, in L1 (design.md section 5)."""
        shows = self.max_shows_per_week or 1
        return 1 if self.unit == "view" else self.max_views_per_show * shows

    @property
    def release_bytes(self) -> int:
        """The size of the largest file that a participant publishes, header included: all weeks, or a shared one."""
        if self.trust == "two-coordinators":
            return 256 + 4 * self.catalogue_rows
        return 256 + self.weeks * (4 + 64 + 2 * self.catalogue_rows)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON without `id`."""
        return hashlib.sha256(_canonical(self._terms())).hexdigest()

    def to_json(self) -> bytes:
        """Return the bytes of `study.json`."""
        return json.dumps({"id": self.id, **self._terms()}, indent=2, ensure_ascii=False).encode() + b"\n"

    def catalogue(self, data: bytes) -> Catalogue:
        """Return the study's rows of a `catalogue.csv`, which may have grown since.

        Raises: CatalogueError if it is not sound or not the study's.
        """
        from shared.errors import CatalogueError

        lines = data.split(b"\n", self.catalogue_rows + 1)
        head = b"".join(line + b"\n" for line in lines[: self.catalogue_rows + 1])
        if len(lines) <= self.catalogue_rows + 1 or hashlib.sha256(head).hexdigest() != self.catalogue_sha256:
            raise CatalogueError(f"catalogue.csv is not the one of study {self.id[:8]}")
        return parse_catalogue(head)

    def _terms(self) -> dict[str, Any]:
        terms = {"schema": SCHEMA, **dataclasses.asdict(self)}
        return {name: value for name, value in terms.items() if name not in _ROLES or value is not None}


def parse_study(data: bytes) -> Study:
    """Return the study in the bytes of a `study.json`, which may come from anyone.

    Unknown fields and versions are refused, and so is an id that is not the terms': nothing is guessed.

    Raises: StudyError.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"the study is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise StudyError("the study is not a JSON object")
    schema, study_id = found.pop("schema", None), found.pop("id", None)
    if schema != SCHEMA:
        raise StudyError(
            f"the study has schema {str(schema)[:80]!r}; this version reads {SCHEMA}: update netflix-trend"
        )
    known = {field.name for field in dataclasses.fields(Study)} - set(_ROLES)
    if found.get("trust") == "two-coordinators":
        known |= set(_ROLES)
        found |= {role: _parse_coordinator(role, found[role]) for role in _ROLES if role in found}
    if found.keys() != known:
        strange = sorted(str(name)[:40] for name in found.keys() ^ known)
        raise StudyError(f"the study has unknown or missing fields: {', '.join(strange)[:200]}")
    study = Study(**found)
    if study.id != study_id:
        raise StudyError(f"the study's id is not that of its terms ({study.id[:8]}...): it was altered on its way")
    return study


def _parse_coordinator(role: str, found: object) -> Coordinator:
    known = {field.name for field in dataclasses.fields(Coordinator)}
    if not isinstance(found, dict) or found.keys() != known:
        raise StudyError(f"{role} must have {', '.join(sorted(known))}, and nothing else")
    return Coordinator(**found)


def _canonical(terms: dict[str, Any]) -> bytes:
    return json.dumps(terms, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check_hex(name: str, value: object) -> None:
    if not (isinstance(value, str) and _SHA256.fullmatch(value)):
        raise StudyError(f"{name} {str(value)[:80]!r} must be 64 hexadecimal digits")


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise StudyError(f"{name} {str(value)[:40]!r} must be a whole number from {low} to {high:,}")
