"""TLS of the broker connection: trusted CAs, the node's own certificate, and when certificates expire."""

import logging
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from leakear.edge import options, texts
from leakear.edge.errors import ConfigError
from leakear.edge.mqtt.credentials import credential

log = logging.getLogger("leakear.mqtt")

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Files:
    """PEM files in use; None: there is none."""

    ca: Path | None
    """None: the system's authorities"""
    certificate: Path | None
    key: Path | None
    """None: the key is in the certificate's file"""

    @classmethod
    def of(cls, ca: str, certificate: str, key: str) -> "Files":
        """Return the systemd credentials where there are any, else the configured paths."""
        return cls(
            credential("mqtt-ca") or _path(ca),
            credential("mqtt-client-certificate") or _path(certificate),
            credential("mqtt-client-key") or _path(key),
        )


def context(files: Files, minimum: str) -> ssl.SSLContext:
    """Build a context that verifies the broker's chain and name. Raises ConfigError that names key and file."""
    made = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if files.ca is not None:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            made.load_verify_locations(files.ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"mqtt.ca_file: {files.ca}: {_reason(error)}; it must hold PEM certificates.") from None
    made.minimum_version = VERSIONS[minimum]
    if files.certificate is not None:
        _load_certificate(made, files.certificate, files.key)
    return made


def expiries(files: Files) -> Iterable[tuple[float, str]]:
    """Yield (POSIX s of the end, whose) of each certificate in the node's own files, as far as they can be read."""
    from cryptography import x509  # 10 MB: only where a site has certificates of its own

    for path, what in ((files.certificate, "this node's certificate"), (files.ca, "the CA certificate")):
        if path is None:
            continue
        try:
            found = x509.load_pem_x509_certificates(texts.content(path, texts.LARGEST))
        except (OSError, ValueError) as error:  # OpenSSL takes more than this does (`TRUSTED CERTIFICATE`)
            log.warning("the expiry date of %s %s cannot be read: %s", what, path, _reason(error))
            continue
        yield min(one.not_valid_after_utc.timestamp() for one in found), f"{what} {path}"


def soonest(files: Files, host: str, broker_ends: float) -> tuple[float, str]:
    """Return end (POSIX s) and owner of the first certificate to end; `broker_ends`: when that of the broker does."""
    return min([(broker_ends, f"the certificate of {host}"), *expiries(files)])


def _load_certificate(made: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    for name, path in (("client_certificate", certificate), ("client_key", key)):
        if path is not None and not _is_file(path, name):
            raise ConfigError(f"mqtt.{name}: {path} is not there.")
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"mqtt.client_certificate: {certificate} with its key cannot be used: {_reason(error)}; give a PEM"
            " certificate and its unencrypted PEM key."
        ) from None


def _is_file(path: Path, name: str) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        why = f"mqtt.{name}: {path}: {error.strerror}; make it readable for the user of the service."
        raise ConfigError(why) from None


def _no_password() -> str:
    """Return no password for an encrypted key: OpenSSL would ask for it on the terminal."""
    return ""


def _path(name: str) -> Path | None:
    return options.path(name) if name else None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not readable").replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)
