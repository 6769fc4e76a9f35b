"""A participant's counts of one week in two halves, one for each of two coordinators: the report, docs/formats.md.

The helper's half is a seed, the leader's is the counts minus what the seed expands to, modulo 2^32. Each half alone is
uniformly random; their sum is the counts. Summed over participants, the halves give the sum of the counts and nothing
else, as in Prio (Corrigan-Gibbs, Boneh 2017, https://arxiv.org/abs/1703.06255), without its proofs of validity.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from shared.catalogue import MAX_ROWS
from shared.errors import ReportError
from shared.keys import SEAL_BYTES, Keys, seal
from shared.mechanism import ExactCounts
from shared.study import Coordinator, Study
from shared.week import IsoWeek

Role = Literal["leader", "helper"]
Half = npt.NDArray[np.uint32]
"""Integers modulo 2^32, one for each catalogue row."""

VERSION: Final = 1
ADDITIVE: Final = 1
"""The algorithm: two additive halves modulo 2^32, no proof that the counts are sound. Prio3 gets another number."""

_LABEL: Final = b"netflix-trend report"
_MAGIC: Final = b"NFTSHARE"
_HEAD: Final = struct.Struct("<8sBBII32s16s")  # magic, version, algorithm, week, rows, study id, nonce
_SEED_BYTES: Final = 32
_NONCE_BYTES: Final = 16


@dataclass(frozen=True)
class Report:
    """The report of one participant for one week, as it is published: two halves that only their coordinators read."""

    study: str
    """The study's id."""
    week: IsoWeek
    rows: int
    nonce: bytes
    """Random, and bound into both halves: two halves of different reports do not go together."""
    leader: bytes
    helper: bytes
    id: bytes
    """SHA-256 of the file."""


def report_bytes(rows: int) -> int:
    """Return the size of a report over so many catalogue rows: it depends on nothing else."""
    return _HEAD.size + (SEAL_BYTES + 4 * rows) + (SEAL_BYTES + _SEED_BYTES)


def share_counts(counts: ExactCounts, study: Study, week: IsoWeek, participant: str) -> bytes:
    """Return the report of a participant (e-mail in lower case) for a week: fresh randomness at each call.

    The counts are bounded before, by `participant.bound`. Nobody but leader and helper together learns anything of
    them; what the two publish of their sum carries the study's noise, see `shared.mechanism.NoisedSum`.

    Raises: StudyError if the study's coordinators have unusable keys.
    """
    seed, nonce = secrets.token_bytes(_SEED_BYTES), secrets.token_bytes(_NONCE_BYTES)
    exact = counts.astype(np.uint32)
    halves: dict[Role, bytes] = {"leader": (exact - expand(seed, len(exact))).astype("<u4").tobytes(), "helper": seed}
    head = _HEAD.pack(_MAGIC, VERSION, ADDITIVE, week.key, len(exact), bytes.fromhex(study.id), nonce)
    sealed = [
        seal(half, _coordinator(study, role), _info(role, study, week, len(exact), participant, nonce))
        for role, half in halves.items()
    ]
    return head + b"".join(sealed)


def parse_report(data: bytes) -> Report:
    """Return the report in the bytes of a file, which may come from anyone. Its halves are not opened.

    Raises: ReportError.
    """
    if len(data) < _HEAD.size:
        raise ReportError("it is too short for a report")
    magic, version, algorithm, week, rows, study, nonce = _HEAD.unpack_from(data)
    if (magic, version, algorithm) != (_MAGIC, VERSION, ADDITIVE):
        raise ReportError("it is no report of a version that is known here")
    if not 1 <= rows <= MAX_ROWS or len(data) != report_bytes(rows):
        raise ReportError("it is shorter or longer than its number of rows says")
    try:
        named = IsoWeek.from_key(week)
    except ValueError:
        raise ReportError("it names a week that does not exist") from None
    middle = _HEAD.size + SEAL_BYTES + 4 * rows
    return Report(study.hex(), named, rows, nonce, data[_HEAD.size : middle], data[middle:], sha256(data).digest())


def open_half(report: Report, role: Role, keys: Keys, study: Study, participant: str) -> Half:
    """Return the half of a report that is for the coordinator with these keys, shape (catalogue_rows,).

    Raises: ReportError if it is of another study, week, participant or role than it says, or was altered.
    """
    if report.study != study.id or report.rows != study.catalogue_rows:
        raise ReportError("it is of another study")
    sealed = report.leader if role == "leader" else report.helper
    info = _info(role, study, report.week, report.rows, participant, report.nonce)
    text = keys.unseal(sealed, info)
    if role == "helper":
        return expand(text, report.rows)
    return np.frombuffer(text, dtype="<u4")


def expand(seed: bytes, rows: int) -> Half:
    """Return the integers that a seed stands for: the key stream of ChaCha20 (RFC 8439), counter and nonce zero.

    Raises: ReportError if the seed is not 32 bytes long.
    """
    if len(seed) != _SEED_BYTES:
        raise ReportError("its seed has another length than 32 bytes")
    stream = Cipher(ChaCha20(seed, bytes(16)), mode=None).encryptor()
    return np.frombuffer(stream.update(bytes(4 * rows)), dtype="<u4")


def _coordinator(study: Study, role: Role) -> Coordinator:
    coordinator = study.leader if role == "leader" else study.helper
    if coordinator is None:
        raise ReportError(f"study {study.id[:8]} has one coordinator: its counts are not shared")
    return coordinator


def _info(role: Role, study: Study, week: IsoWeek, rows: int, participant: str, nonce: bytes) -> bytes:
    """Return what a half is bound to, each part preceded by its length: opened under anything else, it fails.

    Raises: ReportError if the participant's datasite has a name that is no text.
    """
    try:
        address = participant.lower().encode()
    except UnicodeEncodeError:  # bytes that a file system takes for a name
        raise ReportError("its datasite has a name that is no text") from None
    same = _info_of_all(role, study.id, _coordinator(study, role).email, week, rows)
    return same + _with_lengths(address, nonce)


@lru_cache(maxsize=100)
def _info_of_all(role: Role, study: str, coordinator: str, week: IsoWeek, rows: int) -> bytes:
    """Return the part that is the same for all participants."""
    versions = bytes([VERSION]), bytes([ADDITIVE])
    texts = (text.encode() for text in (role, study, coordinator, str(week)))
    return _with_lengths(_LABEL, *versions, *texts, rows.to_bytes(4, "big"))


def _with_lengths(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)
