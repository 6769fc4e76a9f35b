"""The keys of a coordinator who measures together with another: HPKE to be told in private, Ed25519 to be believed.

All of it is `cryptography`'s. Public keys travel in the study, as the raw 32 bytes in hexadecimal digits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from shared.errors import ReportError, SettingsError, StudyError
from shared.study import Coordinator

PUBLIC_SCHEMA: Final = "netflix-trend/keys/1"
PRIVATE_SCHEMA: Final = "netflix-trend/private-keys/1"
MAX_BYTES: Final = 10_000
SEAL_BYTES: Final = 48
"""By how much sealing makes a text longer: the encapsulated key and the authentication tag."""
SIGNATURE_BYTES: Final = 64

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)  # RFC 9180, single-shot, base mode


@dataclass(frozen=True)
class Keys:
    """A coordinator's private keys."""

    hpke: X25519PrivateKey
    signing: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> Keys:
        """Return new keys, from the operating system's randomness."""
        return cls(X25519PrivateKey.generate(), Ed25519PrivateKey.generate())

    def coordinator(self, email: str) -> Coordinator:
        """Return who these keys belong to, as a study names them."""
        hpke, signing = self.hpke.public_key(), self.signing.public_key()
        return Coordinator(email, hpke.public_bytes_raw().hex(), signing.public_bytes_raw().hex())

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        """Return what was sealed for these keys under the same `info`.

        Raises: ReportError if it was not, or was altered.
        """
        try:
            return bytes(_SUITE.decrypt(sealed, self.hpke, info=info))
        except (InvalidTag, ValueError):
            raise ReportError("it was not sealed for this coordinator, or was altered") from None

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some bytes, SIGNATURE_BYTES long."""
        return self.signing.sign(data)

    def to_json(self) -> bytes:
        """Return the bytes of the private key file."""
        pair = {"hpke": self.hpke.private_bytes_raw().hex(), "signing": self.signing.private_bytes_raw().hex()}
        return json.dumps({"schema": PRIVATE_SCHEMA, **pair}, indent=2).encode() + b"\n"


def parse_keys(data: bytes) -> Keys:
    """Return the keys in the bytes of a private key file.

    Raises: SettingsError.
    """
    try:
        found = json.loads(data)
        _check_schema(found.pop("schema"), PRIVATE_SCHEMA)
        hpke, signing = (bytes.fromhex(found[name]) for name in ("hpke", "signing"))
        return Keys(X25519PrivateKey.from_private_bytes(hpke), Ed25519PrivateKey.from_private_bytes(signing))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SettingsError("the private key file is damaged: restore it from your backup") from None


def format_public(coordinator: Coordinator) -> bytes:
    """Return the bytes of the public key file, `keys.json` in the public folder."""
    return json.dumps({"schema": PUBLIC_SCHEMA, **vars(coordinator)}, indent=2).encode() + b"\n"


def parse_public(data: bytes) -> Coordinator:
    """Return the coordinator in the bytes of a public key file, which may come from anyone.

    Raises: StudyError.
    """
    try:
        found: dict[str, Any] = json.loads(data)
        _check_schema(found.pop("schema"), PUBLIC_SCHEMA)
        return Coordinator(**found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StudyError(f"keys.json is no file of public keys ({PUBLIC_SCHEMA})") from None


def seal(text: bytes, coordinator: Coordinator, info: bytes) -> bytes:
    """Return bytes that this coordinator alone can read, under the same `info`; SEAL_BYTES longer than the text.

    Raises: StudyError for a public key that nothing can be sealed for.
    """
    try:
        public = X25519PublicKey.from_public_bytes(bytes.fromhex(coordinator.hpke_public_key))
        return bytes(_SUITE.encrypt(text, public, info=info))
    except ValueError:
        raise StudyError(f"the study names an unusable key of {coordinator.email}") from None


def is_signed(data: bytes, signature: bytes, coordinator: Coordinator) -> bool:
    """Tell whether this coordinator signed these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(coordinator.signing_public_key)).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _check_schema(found: object, expected: str) -> None:
    if found != expected:
        raise ValueError(found)
