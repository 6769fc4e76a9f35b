"""From bytes to lines of text: which encoding an export has."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TextIO

from shared.errors import HistoryError

MAX_LINE_BYTES: Final = 4_000_000
_PIECE: Final = 1 << 20
_SAMPLE: Final = 200_000  # bytes of lines with accents that a code page is judged by
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_TYPOGRAPHY: Final = frozenset("’‘“”„–—…«»‹›™®°ªº¡¿´\u00a0・、。「」『』！？：（）～")
_LATIN: Final = (
    *(("cp1252", letters) for letters in ("áéíóúüñ", "áéíóúãõçâêôàü", "àâæçéèêëîïôœùûü", "äöüßé", "åäöéæø", "àèéìòù")),
    *(("cp1252", letters) for letters in ("ëéïöèüá", "áéíóúñãõçâêôàüèäöåï")),
    *(("cp1250", letters) for letters in ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ")),
    ("cp1250", "čćđšž"),
    ("cp1254", "çğıöşüâîi̇"),
    *(
        ("mac_roman", letters)
        for letters in ("áéíóúüñ", "áéíóúãõçâêôàü", "àâæçéèêëîïôœùûü", "äöüßé", "åäöéæø", "àèéìòù")
    ),
)
_SCRIPTS: Final = (  # a script of its own: characters in these ranges
    ("cp1251", "\u0400", "\u04ff"),
    ("cp1253", "\u0370", "\u03ff"),
    ("cp1255", "\u0590", "\u05ff"),
    ("cp1256", "\u0600", "\u06ff"),
    ("cp874", "\u0e00", "\u0e7f"),
)
_EAST_ASIAN: Final = ("cp932", "cp949", "gb18030", "big5")


@dataclass(frozen=True)
class Encoding:
    """How the bytes of an export are read as text."""

    codec: str
    skip: int = 0
    """Bytes of the byte order mark."""
    damaged: bool = False
    """Some bytes are no text: they become U+FFFD, and their rows are to be left out."""

    def lines(self, data: bytes) -> TextIO:
        """Return the lines of the text; each ends in a line feed, whatever ended it in the file."""
        stream = io.BytesIO(data)  # shares the bytes
        stream.seek(self.skip)
        return io.TextIOWrapper(stream, self.codec, "replace" if self.damaged else "strict", newline=None)

    def ends_in_a_line_end(self, data: bytes) -> bool:
        """Tell whether the last line is complete: a download that was cut off rarely ends between two lines."""
        return data.endswith(("\n".encode(self.codec), "\r".encode(self.codec)))


def detect_encoding(data: bytes) -> Encoding:
    """Return the encoding of a text: by its mark, as UTF-8, as UTF-16, else as the code page that reads most likely.

    Raises: HistoryError if the bytes are no text, or hold a line longer than `MAX_LINE_BYTES`.
    """
    _check_lines(data)
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return _checked(data, Encoding(codec, len(bom)))
    if b"\0" in data:
        return _checked(data, _unmarked_utf16(data))
    if data.isascii() or _undecodable(data, "utf-8", 0) is None:
        return Encoding("utf-8")
    if _mostly_utf8(data):
        return Encoding("utf-8", damaged=True)
    return Encoding(_code_page(data))


def _check_lines(data: bytes) -> None:
    """Refuse a line that would fill the memory: half of `MAX_LINE_BYTES` without a line end is enough."""
    window = MAX_LINE_BYTES // 2
    for start in range(0, len(data) - window, window):
        if data.find(b"\n", start, start + window) < 0 and data.find(b"\r", start, start + window) < 0:
            raise HistoryError(
                f"the file has a line of more than {window:,} bytes: it is no Netflix export; download it anew"
            )


def _checked(data: bytes, encoding: Encoding) -> Encoding:
    position = _undecodable(data, encoding.codec, encoding.skip)
    if position is None:
        return encoding
    if encoding.codec == "utf-8" and _mostly_utf8(data):
        return Encoding("utf-8", encoding.skip, damaged=True)
    where = "ends in the middle of a character: it was cut off" if position >= len(data) - 4 else "is damaged"
    raise HistoryError(f"the file {where}; download it anew")


def _unmarked_utf16(data: bytes) -> Encoding:
    """Return UTF-16 without a mark: read so, the first line has a delimiter, more characters are ASCII, none is NUL."""
    head = data[: _PIECE // 16]
    plain: dict[str, int] = {}
    for codec in ("utf-16-le", "utf-16-be"):
        text = head[: len(head) // 2 * 2].decode(codec, "replace")
        if "\0" not in text and "\ufffd" not in text[:-1] and re.search(r"[,;\t]", text.partition("\n")[0]):
            plain[codec] = sum(map(str.isascii, text))
    if plain and max(plain.values()) * 20 >= len(head):  # a tenth: dates and delimiters are ASCII in every language
        return Encoding(max(plain, key=lambda codec: plain[codec]))
    raise HistoryError("the file holds NUL bytes: it is no text file, or was damaged; download it anew")


def _pieces(data: bytes, start: int) -> Iterator[tuple[int, bytes, bool]]:
    for position in range(start, max(len(data), start + 1), _PIECE):
        yield position, data[position : position + _PIECE], position + _PIECE >= len(data)


def _undecodable(data: bytes, codec: str, skip: int) -> int | None:
    """Return where the bytes stop being text (a NUL is none), None if they are text to the end. Memory: a piece."""
    decoder = codecs.getincrementaldecoder(codec)()
    for position, piece, last in _pieces(data, skip):
        try:
            if "\0" in decoder.decode(piece, last):
                return position
        except UnicodeDecodeError as error:
            return position + error.start
    return None


def _mostly_utf8(data: bytes) -> bool:
    """Tell whether the text is UTF-8 with some damage: ten good sequences for each bad byte."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    for _, piece, last in _pieces(data, 0):
        text = decoder.decode(piece, last)
        broken = text.count("\ufffd")
        bad += broken
        good += len(re.sub(r"[\x00-\x7f]+", "", text)) - broken
    return good >= 10 * bad


def _code_page(data: bytes) -> str:
    """Return the code page in which the bytes above ASCII look most like one of Netflix's languages.

    Only lines with such bytes are looked at. In doubt it is Windows-1252, which most exports outside Unicode have.
    """
    sample = b"".join(
        found[0] for found, _ in zip(re.finditer(rb"[^\r\n]*[\x80-\xff][^\r\n]*\n?", data), range(4000), strict=False)
    )
    sample = sample[:_SAMPLE]
    best, best_score = "cp1252", 0.0
    for codec in dict.fromkeys([name for name, *_ in _LATIN] + [name for name, *_ in _SCRIPTS] + list(_EAST_ASIAN)):
        text = _decoded(sample, codec)
        score = _likeliness(text, codec) if text else 0.0
        if score > best_score + 0.01:
            best, best_score = codec, score
    if _undecodable(data, best, 0) is not None:
        raise HistoryError(
            "the file is neither Unicode nor in a code page that reads to its end: it was damaged; download it anew"
        )
    return best


def _decoded(sample: bytes, codec: str) -> str:
    try:
        return sample.decode(codec)
    except UnicodeDecodeError as error:
        # A sample may be cut within a character, nothing else is forgiven.
        return sample[: error.start].decode(codec) if error.start >= len(sample) - 4 else ""


def _likeliness(text: str, codec: str) -> float:
    """Return the share of characters above ASCII that a language of this code page would have there, 0 to 1."""
    strange = [letter for letter in text if letter > "\x7f"]
    if not strange:
        return 0.0
    typography = sum(letter in _TYPOGRAPHY for letter in strange)
    # A capital after a small letter, or a mark between two letters, is a letter of another code page.
    torn: int = sum(letter.isupper() for letter in re.findall(r"(?<=[a-z])[^\x00-\x7f]", text))
    torn += len(re.findall(r"(?<=\w)[¿¡ªº°®´](?=\w)", text))
    known: int = 0
    for name, letters in _LATIN:
        if name == codec:
            known = max(known, sum(letter.casefold() in letters for letter in strange))
    for name, first, last in _SCRIPTS:
        if name == codec:
            # A script of its own stands in whole words, an accent alone among ASCII letters.
            alone = len(re.findall(rf"(?<=[A-Za-z])[{first}-{last}]|[{first}-{last}](?=[A-Za-z])", text))
            known = sum(first <= letter <= last for letter in strange) - 2 * alone
    if codec in _EAST_ASIAN:
        alone = len(re.findall(r"(?<=[A-Za-z])[\u3040-\ud7a3](?![\u3040-\ud7a3])", text))
        known = sum(_east_asian(letter, codec) for letter in strange) - 2 * alone
    return max(0.0, (known + typography - torn) / len(strange))


def _east_asian(letter: str, codec: str) -> bool:
    kana, hangul, han = "\u3040" <= letter <= "\u30ff", "\uac00" <= letter <= "\ud7a3", "\u4e00" <= letter <= "\u9fff"
    return {"cp932": kana or han, "cp949": hangul, "gb18030": han or kana, "big5": han}[codec]
