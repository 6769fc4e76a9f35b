"""From a title to the parts its colons make, and from a name to the key under which names are compared."""

from __future__ import annotations

import re
import unicodedata
from itertools import islice
from typing import Final, NamedTuple

_COLON: Final = re.compile(r"\s*[:\uff1a\ufe55\ufe13\ufe30\u2236\ua789]+\s*|_(?=\s)\s*")
MOST_COLONS: Final = 250  # a title has five; what follows more stays in one piece
_KEPT: Final = "#%+"  # symbols that tell names apart: 3%, #Alive, +1
_TAG: Final = re.compile(r"\s*[(\uff08]([^()\uff08\uff09]{1,40})[)\uff09]")
_AMERICAN_TAGS: Final = """
    us usa theus unitedstates unitedstatesofamerica usversion americanversion eeuu estadosunidos eua etatsunis
    statiuniti vereinigtestaaten stanyzjednoczone abd amerika сша америка ηπα ארהב الولاياتالمتحدة
    アメリカ アメリカ版 米国版 미국 미국판 美国 美國 美版 美国版 美國版
"""
_BRITISH_TAGS: Final = """
    uk gb theuk unitedkingdom ukversion britishversion reinounido royaumeuni regnounito vereinigteskonigreich
    wielkabrytania birlesikkrallik イギリス イギリス版 英国版 영국 영국판 英国 英國 英版
"""
_AMERICAN: Final = frozenset(_AMERICAN_TAGS.split())
_BRITISH: Final = frozenset(_BRITISH_TAGS.split())
_FOLDED: Final = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ħ": "h", "ё": "е", "&": "and"}
    | dict.fromkeys("™®©ـ")
)
# Marks that only help to read a letter: all of Latin's and Greek's, the vowel signs of Hebrew and Arabic.
_ACCENT: Final = re.compile(
    r"(?<=[\x00-\u024f\u0370-\u03ff\u0590-\u06ff])[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]+"
)
_MARKED: Final = re.compile(
    r"[\u02b0-\u036f\u0483-\u0489\u0590-\u1dff\u20d0-\u20ff\u302a-\u302f\u3099\u309a\ua66f-\uabff\ufe00-\uffff]|[^\x00-\uffff]"
)
_NO_KEY: Final = re.compile(rf"[^\w{_KEPT}]|_")
_LOWER: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz")
_DROPPED: Final = bytes(code for code in range(128) if not (chr(code).isalnum() or chr(code) in _KEPT))
_DROPPED_BUT_COLON: Final = _DROPPED.replace(b":", b"")


class Part(NamedTuple):
    """A piece of a title between two of its colons."""

    text: str
    end: int
    """Where the piece ends: `title[:end]` is the name that it completes."""
    loose: bool
    """The colon before it is not set as Netflix sets the one before a season or an episode (`name: episode`), but as
    a language sets one within a name: `Borgen : une femme au pouvoir`."""


def show_key(name: str) -> str:
    """Return what the spellings of one show's name have in common: letters and digits, in lower case, without accents.

    Accents are dropped where they are no letters of their own: in Latin, Greek, Hebrew and Arabic script. `&` is `and`;
    `#`, `%` and `+` stay. `(U.S.)`, which Netflix adds in some countries and not in others, is dropped; another
    country stays, since it is what tells two shows apart. A leading `The` stays for the same reason. The key of a title
    is that of its parts, one after the other. A name without any letter or digit is its symbols.

    >>> show_key("Grey’s Anatomy") == show_key("GREYS ANATOMY")
    True
    >>> show_key("Élite"), show_key("That '70s Show"), show_key("ガンダム") == show_key("カンタム")
    ('elite', 'that70sshow', False)
    >>> show_key("The Office (US)"), show_key("The Office (U.K.)"), show_key("3 %"), show_key("3")
    ('theoffice', 'theofficeuk', '3%', '3')
    """
    key = "".join([part_key(part.text) for part in split_title(name)])
    return key or "".join(unicodedata.normalize("NFKC", name).casefold().split())


def part_key(text: str) -> str:
    """Return the key of one part of a title, empty if it has neither letter nor digit."""
    if "(" in text or "\uff08" in text:
        text = _TAG.sub(_country, text) or text
    return _plain_key(text)


def colon_key(title: str) -> str | None:
    """Return the key of a plain ASCII title with its colons left in, None for any other: a quick look at most titles.

    >>> colon_key("Suits: Season 1: Pilot"), colon_key("Suits - Season 1 - Pilot")
    ('suits:season1:pilot', None)
    """
    if not title.isascii() or "(" in title or "&" in title or "_" in title or " - " in title or "[" in title:
        return None
    return title.encode().translate(_LOWER, _DROPPED_BUT_COLON).decode()


def split_title(title: str) -> list[Part]:
    """Return the parts of a title between its colons, or what stands for them (`_` where a file name was made of it).

    A colon between two digits is none (`7:30 p.m.`); nothing before a colon is no part.

    >>> [part.text for part in split_title("Star Trek: Deep Space Nine: Season 7: Penumbra")]
    ['Star Trek', 'Deep Space Nine', 'Season 7', 'Penumbra']
    """
    parts: list[Part] = []
    begin, loose = 0, False
    if title.isascii() and "_" not in title and (colons := title.count(":")) == title.count(": ") and " :" not in title:
        pieces = title.split(": ") if 0 < colons < MOST_COLONS else [title]
        if colons < MOST_COLONS and all(pieces) and pieces[0][0] != " " != pieces[-1][0]:
            for text in pieces:
                begin += len(text)
                parts.append(Part(text, begin, loose=False))
                begin += 2
            return parts
        begin = 0
    for colon in islice(_COLON.finditer(title), MOST_COLONS):
        start, end = colon.span()
        if title[begin:start].isspace() or start == begin:
            continue
        if end == start + 1 and end < len(title) and title[start - 1].isdigit() and title[end].isdigit():
            continue
        parts.append(Part(title[begin:start], start, loose))
        mark = colon[0]
        loose = mark != ": " and (mark[0] not in ":_" or not mark[-1].isspace())
        begin = end
    if begin < len(title) or not parts:
        parts.append(Part(title[begin:], len(title), loose))
    return parts


def fold(text: str) -> str:
    """Return the text in lower case and without accents, its other characters as they are."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text.translate(_FOLDED)).casefold().translate(_FOLDED)
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFKD", folded)))


def _plain_key(text: str) -> str:
    if text.isascii():
        return text.replace("&", "and").encode().translate(_LOWER, _DROPPED).decode()
    folded = fold(text)
    if not _MARKED.search(folded):
        return _NO_KEY.sub("", folded)
    kept: list[str] = []
    letter = False  # a mark is kept as part of the letter that it follows
    for character in folded:
        if character.isalnum() and not "\u02b0" <= character <= "\u02ff":
            letter = not character.isascii()
        elif character in _KEPT:
            letter = False
        elif not (letter and unicodedata.category(character)[0] == "M" and not "\ufe00" <= character <= "\ufe0f"):
            continue
        kept.append(character)
    return "".join(kept)


def _country(tag: re.Match[str]) -> str:
    country = _plain_key(tag[1])
    if country in _AMERICAN:
        return ""
    return " uk" if country in _BRITISH else tag[0]
