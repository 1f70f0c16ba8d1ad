"""Which versions and suites of TLS a server takes."""

import socket
import ssl


def offered(host: str, port: int, version: ssl.TLSVersion, cipher: str | None = None) -> str | None:
    """Name of the suite that a server takes; None when it takes none of this version and suite."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(f"{cipher or 'ALL:COMPLEMENTOFALL'}:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((host, port), 20) as line:
        try:
            with context.wrap_socket(line) as secured:
                found = secured.cipher()
                return found[0] if found else None
        except (ssl.SSLError, ConnectionError):
            return None


def suites() -> list[str]:
    """All suites of TLS 1.2 and older that this machine's OpenSSL can ask for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
