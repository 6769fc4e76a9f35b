"""What two coordinators write to each other about a week, signed: the leader's batch and the helper's answer."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from shared.errors import ReportError
from shared.keys import SIGNATURE_BYTES, Keys, is_signed
from shared.mechanism import MAX_PARTICIPANTS
from shared.sharing import Half
from shared.study import Study
from shared.week import IsoWeek

Kind = Literal["batch", "answer"]

VERSION: Final = 1
ID_BYTES: Final = 32

_MAGIC: Final[dict[Kind, bytes]] = {"batch": b"NFTBATCH", "answer": b"NFTREPLY"}
_HEAD: Final = struct.Struct("<8sB32sIII")  # magic, version, study id, week, number of ids, number of sums


@dataclass(frozen=True)
class Message:
    """A batch names the reports that the leader could open; an answer those of them that the helper has added up."""

    study: str
    """The study's id, which binds both coordinators with it."""
    week: IsoWeek
    ids: tuple[bytes, ...]
    """Of reports, each a SHA-256, in order, none twice."""
    sums: Half | None = None
    """Of an answer: the helper's noised half of the sum over exactly these reports, shape (catalogue_rows,)."""


def message_bytes(ids: int, rows: int) -> int:
    """Return the size of a message about so many reports; `rows` is 0 for a batch."""
    return SIGNATURE_BYTES + _HEAD.size + ID_BYTES * ids + 4 * rows


def sign_message(message: Message, keys: Keys) -> bytes:
    """Return the bytes of a message's file: the signature, then all that is signed."""
    kind: Kind = "batch" if message.sums is None else "answer"
    sums = b"" if message.sums is None else message.sums.astype("<u4").tobytes()
    study, ids = bytes.fromhex(message.study), sorted(message.ids)
    head = _HEAD.pack(_MAGIC[kind], VERSION, study, message.week.key, len(ids), len(sums) // 4)
    body = b"".join([head, *ids, sums])
    return keys.sign(body) + body


def read_message(data: bytes, kind: Kind, week: IsoWeek, studies: Sequence[Study]) -> tuple[Message, Study]:
    """Return the message of the other coordinator about a week, and the one of these studies that it is about.

    Raises: ReportError if it is of another kind, version, week or study, or was not signed by the coordinator whose
    turn it is in that study.
    """
    signature, body = data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:]
    if len(body) < _HEAD.size:
        raise ReportError(f"the {kind} of {week} is too short")
    magic, version, study_id, key, number, rows = _HEAD.unpack_from(body)
    if (magic, version) != (_MAGIC[kind], VERSION) or key != week.key:
        raise ReportError(f"the {kind} of {week} is none of that week, or of a version that is not known here")
    study = next((each for each in studies if each.id == study_id.hex()), None)
    if study is None:
        raise ReportError(f"the {kind} of {week} is about a study that is not in force here")
    writer = study.leader if kind == "batch" else study.helper
    if writer is None:
        raise ReportError(f"the {kind} of {week} is about a study that is not in force here")
    if not is_signed(body, signature, writer):
        raise ReportError(f"the {kind} of {week} is not signed by {writer.email}, or was altered")
    expected = 0 if kind == "batch" else study.catalogue_rows
    if rows != expected or number > MAX_PARTICIPANTS or len(data) != message_bytes(number, rows):
        raise ReportError(f"the {kind} of {week} has another length than it says")
    end = _HEAD.size + ID_BYTES * number
    ids = tuple(body[start : start + ID_BYTES] for start in range(_HEAD.size, end, ID_BYTES))
    if any(one >= other for one, other in itertools.pairwise(ids)):
        raise ReportError(f"the {kind} of {week} names a report twice")
    sums = np.frombuffer(body, dtype="<u4", offset=end) if kind == "answer" else None
    return Message(study.id, week, ids, sums), study
