"""A million broken release files: `make fuzz [INPUTS=1000000]`. Each is judged, none may do more than that.

Sound files are mutated: bits, bytes, numbers, slices, words of the header, two files spliced. What is accepted must be
what NumPy's own reader finds in it, with cells that its study's mechanism can produce; everything else has a reason.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import time
from collections import Counter
from typing import Final

import numpy as np

from aggregator.collect import Reason, Rules, examine
from shared.mechanism import NoisedCounts, randomizer_of
from shared.release import Release, encode_releases
from shared.study import Study
from shared.week import IsoWeek

INPUTS: Final = 1_000_000
STUDIES: Final = (
    Study(catalogue_rows=3, catalogue_sha256="0" * 64, weeks=4),
    Study(catalogue_rows=4, catalogue_sha256="1" * 64, weeks=4),
    Study(catalogue_rows=3, catalogue_sha256="2" * 64, mechanism="laplace", weeks=4),
)
LAST: Final = IsoWeek(2024, 47)
RULES: Final = Rules({study.id: study for study in STUDIES}, LAST, LAST.plus(-4), frozenset({LAST.plus(-4)}))
WORDS: Final = (
    *(b"'<i4'", b"'>i4'", b"'|O'", b"'<f8'", b"'|S64'", b"'<i2'", b"'week'", b"'study'", b"'count'", b"False", b"True"),
    *(b"(3,)", b"(4,)", b"()", b"(0,)", b"(1,)", b"(9999,)", b"(99999,)", b"(-1,)", b"\n", b" ", b"\0", b"(3, 3)"),
    *(b"\x93NUMPY", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\xff\xff", b"\x00\x80", b"\xff\x7f", b"nan", b"1e9"),
    *(study.id.encode() for study in STUDIES),
    *(week.key.to_bytes(4, "little") for week in (LAST, LAST.plus(1), LAST.plus(-1), IsoWeek(9998, 1))),
    (202454).to_bytes(4, "little"),
)


def main() -> None:
    """Judge so many files, and print how many got which reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    chosen = parser.parse_args()
    begin = time.perf_counter()
    found = fuzz(chosen.inputs, chosen.seed)
    seconds = time.perf_counter() - begin
    sys.stdout.write(f"{chosen.inputs:,} inputs in {seconds:.0f} s, seed {chosen.seed}: none did more than be judged\n")
    for reason, number in found.most_common():
        sys.stdout.write(f"{number:>10,}  {reason.value if reason else 'accepted'}\n")


def fuzz(inputs: int, seed: int) -> Counter[Reason | None]:
    """Return how many of so many mutated files got which reason, None for the accepted.

    Raises: AssertionError with the file where one is accepted that is no release, and whatever the judge raises.
    """
    numbers = random.Random(seed)  # noqa: S311  # not a secret
    sound = _sound(numbers)
    found: Counter[Reason | None] = Counter()
    for _ in range(inputs):
        data = numbers.choice(sound)
        for _ in range(numbers.choice((1, 1, 1, 2, 3, 8))):
            data = _mutated(data, numbers, sound)
        try:
            found[_judged(data)] += 1
        except Exception as error:
            raise AssertionError(f"{data!r} of seed {seed}") from error
    return found


def _judged(data: bytes) -> Reason | None:
    """Return the reason that a file gets, None if it is accepted; AssertionError if it should not be."""
    judged = examine(data, RULES)
    if isinstance(judged, Reason):
        return judged
    records = np.load(io.BytesIO(data), allow_pickle=False)
    weeks = [week for part in judged for week in part.weeks]
    if weeks != records["week"].tolist() or weeks != sorted(set(weeks)):
        raise AssertionError("other weeks than NumPy finds")
    for record, counts in zip(records["count"], (counts for part in judged for counts in part.counts), strict=True):
        if record[: len(counts)].tolist() != counts.tolist():
            raise AssertionError("other cells than NumPy finds")
    if not all(randomizer_of(part.study).possible(part.counts) for part in judged):
        raise AssertionError("cells that cannot be")
    return None


def _sound(numbers: random.Random) -> list[bytes]:
    """Return sound files of one to five weeks, under each study and under several."""
    files = []
    for length in range(1, 6):
        for studies in (*((study,) for study in STUDIES), STUDIES):
            releases = []
            for number in range(length):
                study = studies[number % len(studies)]
                cells = [numbers.randrange(2) for _ in range(study.catalogue_rows)]
                counts = NoisedCounts(np.array(cells, dtype=np.int16))
                releases.append(Release(LAST.plus(-number), study.id, counts))
            files.append(encode_releases(releases))
    return files


def _mutated(data: bytes, numbers: random.Random, others: list[bytes]) -> bytes:  # noqa: PLR0911  # one for each kind
    place = numbers.randrange(len(data) + 1)
    end = min(len(data), place + numbers.choice((1, 2, 4, 8, 64, 300)))
    match numbers.randrange(11):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + data[end:]
        case 2:
            return data[:end] + data[place:]
        case 3:
            return data[:place] + numbers.randbytes(end - place) + data[end:]
        case 4:
            return (
                data[:place]
                + bytes(byte ^ 1 << numbers.randrange(8) for byte in data[place : place + 1])
                + data[place + 1 :]
            )
        case 5:
            word = numbers.choice(WORDS)
            return data[:place] + word + data[place + len(word) :]
        case 6:
            return data.replace(numbers.choice(WORDS), numbers.choice(WORDS), 1)
        case 7:
            return data[:place] + numbers.choice(others)[place:]
        case 8:
            return data.replace(_week(numbers), _week(numbers), 1)
        case _:
            cell = len(data) - 2 * numbers.randrange(1, 5)
            value = numbers.choice((0, 1, 2, -1, 15, 16, -14, -15, 32767, -32768))
            return data[:cell] + value.to_bytes(2, "little", signed=True) + data[cell + 2 :]


def _week(numbers: random.Random) -> bytes:
    return LAST.plus(numbers.randrange(-5, 3)).key.to_bytes(4, "little")


if __name__ == "__main__":
    main()
