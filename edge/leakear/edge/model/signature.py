"""Signatures of model files: Ed25519 (RFC 8032), with the `cryptography` package.

A signature covers the digests of network, description and golden vector (`bundle.digest`). A node with a
public key accepts only models signed with its private key, which never leaves the workstation.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from leakear.edge import options
from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.model.bundle import Bundle

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(loaded: Bundle, public_key: str | Path, name: str) -> None:
    """Return when the file is signed with the private key that belongs to `public_key`.

    `public_key`: PEM file. Raises ConfigError for a key that is missing or not valid, ModelError for a file that is not
    signed, or not by that key.
    """
    from cryptography.exceptions import InvalidSignature

    key = read_public_key(public_key)
    if loaded.signature is None:
        raise ModelError(f"{name} is not signed, and this node takes only signed models; sign it: leakear-convert sign")
    try:
        key.verify(loaded.signature, loaded.signed_bytes)
    except InvalidSignature:
        raise ModelError(f"{name}: its signature was not made with the key that belongs to {public_key}") from None


def read_public_key(path: str | Path) -> "Ed25519PublicKey":
    """Read a PEM file. Raises ConfigError that names it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(options.path(str(path)).read_bytes())
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
