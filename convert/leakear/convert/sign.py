"""`leakear-convert sign`: signs a model file; a node with the public key refuses all others."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from leakear.edge import texts
from leakear.edge.errors import ConfigError, LeakearError
from leakear.edge.model import bundle

HELP = """\
Sign a model file with an Ed25519 key, or make a pair of keys.

  leakear-convert sign --new-key leakear             writes leakear.private.pem (keep it) and leakear.public.pem
  leakear-convert sign leak.tflite --key leakear.private.pem
  on the node: [model] public_key = "/etc/leakear/leakear.public.pem"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", nargs="?", type=Path, help="model file; it is replaced by the signed one")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--key", type=Path, metavar="PRIVATE.pem", help="Ed25519 private key")
    what.add_argument("--new-key", metavar="NAME", help="write NAME.private.pem and NAME.public.pem and end")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="password of an encrypted private key")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.tflite", help="write here instead")


def main(args: argparse.Namespace) -> int:
    """Sign, or make keys."""
    if args.new_key:
        new_key(args.new_key)
        return 0
    if args.file is None:
        print("leakear-convert sign: name the model file to sign", file=sys.stderr)
        return 2
    key = read_private_key(args.key, args.password_file)
    target = args.output or args.file
    signed = bundle.signed(bundle.read_bytes(args.file), key.sign)
    try:
        bundle.write(target, signed)
    except OSError as error:
        raise LeakearError(f"{target} cannot be written: {error.strerror}; nothing was left behind") from None
    print(f"{target} is signed; give nodes the public key in [model] public_key")
    return 0


def read_private_key(path: Path, password_file: Path | None = None) -> Any:
    """Read a PEM file. Raises ConfigError that names it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        password = _password(password_file) if password_file else None
        key = load_pem_private_key(texts.content(path, texts.LARGEST), password)
    except OSError as error:
        raise ConfigError(f"private key {error.filename}: {error.strerror}; make one: --new-key NAME") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"private key {path} cannot be read: {error}; make one: --new-key NAME") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"private key {path} is not an Ed25519 key; make one: --new-key NAME")
    return key


def _password(path: Path) -> bytes:
    try:
        return texts.read(path, pipes=True).rstrip("\r\n").encode()
    except texts.TextError as error:
        raise ConfigError(f"--password-file {path} {error}") from None


def new_key(name: str) -> None:
    """Write a pair of keys, the private one readable only for its owner.

    Raises ConfigError where a private key is there already: it is never overwritten.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    secret = Path(f"{name}.private.pem")
    try:
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(private)
        Path(f"{name}.public.pem").write_bytes(public)
    except FileExistsError:
        raise ConfigError(f"{secret} exists already: nodes trust it; choose another name") from None
    except OSError as error:
        raise ConfigError(f"{secret} cannot be written: {error.strerror}") from None
    print(f"{secret} (keep it to yourself) and {name}.public.pem (for the nodes)")
