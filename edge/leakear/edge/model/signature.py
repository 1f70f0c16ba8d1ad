"""Signatures of model files: Ed25519 (RFC 8032), with the `cryptography` package.

A signature covers all bytes of the file (`bundle.seal`); in files of version 0.1 the digests of network, description
and golden vector (`bundle.digest`). A node with a public key accepts only models signed with its private key, which
never leaves the workstation.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from leakear.edge import options, texts
from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.model import bundle
from leakear.edge.model.bundle import Bundle

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check_seal(data: bytes, public_key: str | Path, name: str, *, needed: bool) -> bool:
    """Check the signature of all bytes of a file, before anything of it is read; return whether it has one.

    `needed`: one without is refused, though it may be signed in the way of version 0.1. Raises as `check`.
    """
    found = bundle.seal(data)
    if found is not None:
        _verify(read_public_key(public_key), found[1], found[0], f"{name}: its signature", public_key)
    elif needed:
        raise ModelError(f"{name} is not signed as a whole; sign it (again, if by version 0.1): leakear-convert sign")
    return found is not None


def check(loaded: Bundle, public_key: str | Path, name: str) -> None:
    """Return when the file is signed with the private key that belongs to `public_key`.

    `public_key`: PEM file. Raises ConfigError for a key that is missing or not valid, ModelError for a file that is not
    signed, or not by that key.
    """
    key = read_public_key(public_key)
    if loaded.signature is None:
        raise ModelError(f"{name} is not signed, and this node takes only signed models; sign it: leakear-convert sign")
    _verify(key, loaded.signature, loaded.signed_bytes, f"{name}: its signature", public_key)


def _verify(key: "Ed25519PublicKey", signature: bytes, covered: bytes, what: str, public_key: str | Path) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, covered)
    except InvalidSignature:
        raise ModelError(
            f"{what} was not made with the key that belongs to {public_key}, or the file is damaged"
        ) from None


def read_public_key(path: str | Path) -> "Ed25519PublicKey":
    """Read a PEM file. Raises ConfigError that names it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(texts.content(options.path(str(path)), texts.LARGEST))
    except OSError as error:
        raise ConfigError(
            f"public key {path}: {error.strerror}; name the PEM file that leakear-convert sign made"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            f"public key {path} is not a PEM public key; make a pair: leakear-convert sign --new-key"
        ) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"public key {path} is not an Ed25519 key; make a pair: leakear-convert sign --new-key")
    return key
