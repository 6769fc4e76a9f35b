"""What an e-mail address of a datasite looks like."""

from __future__ import annotations

import re
from typing import Final

_EMAIL = re.compile(r"[^@\s/\\\x00-\x1f\"<>]+@[^@\s/\\\x00-\x1f\"<>]+")
_LONGEST: Final = 254  # RFC 5321


def is_email(text: str) -> bool:
    """Tell whether a text can be a datasite's address; none of those leads out of the datasites folder."""
    return len(text) <= _LONGEST and _EMAIL.fullmatch(text) is not None
