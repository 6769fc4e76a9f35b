"""From a title to the names of the shows it may belong to, and to the key under which a name is compared."""

import re
import unicodedata

_COUNTRY = re.compile(r"\((?:u\.?s\.?a?\.?)\)", re.IGNORECASE)
_COLON = re.compile(r"\s*[:\uff1a]")  # the full-width colon of Japanese and Chinese titles too


def show_key(name: str) -> str:
    """Return what two spellings of one show's name have in common: letters and digits, in lower case, without accents.

    Accents are dropped from Latin letters only: in other scripts the marks are letters of their own.

    >>> show_key("Grey’s Anatomy") == show_key("GREYS ANATOMY")
    True
    >>> show_key("Élite"), show_key("That '70s Show"), show_key("ガンダム") == show_key("カンタム")
    ('elite', 'that70sshow', False)
    """
    folded = unicodedata.normalize("NFKC", _COUNTRY.sub("", name)).casefold()
    return "".join(letter for character in folded for letter in _plain(character) if letter.isalnum())


def _plain(character: str) -> str:
    """Return a Latin letter without its accents, anything else as it is."""
    base = unicodedata.normalize("NFKD", character)
    return base[0] if base[0].isascii() else character


def leading_names(title: str) -> list[str]:
    """Return the title cut at each of its colons, longest first: the names a series may have within it.

    >>> leading_names("Star Trek: Deep Space Nine: Season 7: Penumbra")
    ['Star Trek: Deep Space Nine: Season 7', 'Star Trek: Deep Space Nine', 'Star Trek']
    """
    cuts = [found.start() for found in _COLON.finditer(title)]
    return [title[:cut] for cut in reversed(cuts) if title[:cut].strip()]
