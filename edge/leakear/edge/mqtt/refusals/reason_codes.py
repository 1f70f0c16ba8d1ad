"""What a broker's refusal means: one sentence for people each, with the remedy."""

import ssl
import time
from dataclasses import dataclass

from leakear.edge.messages.reports import utc_text

NOT_AUTHORISED = 135
SESSION_TAKEN_OVER = 142
UNSUPPORTED_PROTOCOL = 132
PACKET_TOO_LARGE = 149
RETAIN_NOT_SUPPORTED = 154
FAILURE = 128
"""reason codes of MQTT 5 from here on mean failure"""


@dataclass(frozen=True)
class Refusal:
    """A named fault, and its sentence."""

    fault: str
    sentence: str


def explain_error(error: Exception | str, host: str, minimum: str, *, handshake: bool = False) -> Refusal | None:
    """Explain a failure below MQTT (`handshake`: while TLS was set up); None: an ordinary outage."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refusal("broker_certificate", _certificate(error, host))
    if handshake and isinstance(error, ConnectionResetError | BrokenPipeError | ssl.SSLEOFError):
        error = "SSL: WRONG_VERSION_NUMBER"  # mosquitto hangs up without an answer
    text = str(error).upper().replace(" ", "_")
    if not isinstance(error, ssl.SSLError) and "SSL" not in text:
        return None
    for sign, sentence in _HANDSHAKE.items():
        if sign in text:
            return Refusal("tls_refused", sentence.format(host=host, minimum=minimum))
    return Refusal("tls_refused", f"TLS with {host} failed: {error}.")


KEEPS_NOTHING = (
    "keeps no retained messages: whoever connects later does not learn state and availability before they are sent"
    " again. Switch retained messages on there (mosquitto: retain_available true)."
)
_HANDSHAKE = {
    "CERTIFICATE_REQUIRED": "{host} wants a client certificate: set mqtt.client_certificate and mqtt.client_key.",
    "CERTIFICATE_EXPIRED": "{host} says that this node's certificate has expired: issue a new one.",
    "CERTIFICATE_REVOKED": "{host} says that this node's certificate is revoked: issue a new one.",
    "UNKNOWN_CA": "{host} does not trust the CA of this node's certificate: issue it from the broker's CA.",
    "BAD_CERTIFICATE": "{host} refuses this node's certificate: issue one from the broker's CA.",
    "WRONG_VERSION_NUMBER": "{host} does not speak TLS on this port: set mqtt.port (usually 8883) or mqtt.tls = false.",
    "RECORD_LAYER_FAILURE": "{host} does not speak TLS on this port: set mqtt.port (usually 8883) or mqtt.tls = false.",
    "PROTOCOL_VERSION": "{host} offers no TLS {minimum}: update the broker, or lower mqtt.tls_minimum.",
    "UNSUPPORTED_PROTOCOL": "{host} offers no TLS {minimum}: update the broker, or lower mqtt.tls_minimum.",
    "HANDSHAKE_FAILURE": "{host} refuses the TLS handshake: it may want an mqtt.client_certificate.",
}
"""part of OpenSSL's error text → sentence"""


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    now = utc_text(time.time())[:16].replace("T", " ")
    known = {
        9: f"is not valid yet by this node's clock ({now} UTC): set the clock, or wait until it is synchronised.",
        10: f"has expired (this node's clock says {now} UTC): renew it on the broker.",
        62: f"is for another host name than {host}: set mqtt.host to a name it carries, or issue it for this one.",
        64: f"is for another address than {host}: set mqtt.host to a name it carries, or issue it for this one.",
    }
    untrusted = "comes from a CA this node does not trust: set mqtt.ca_file to the PEM file of the broker's CA."
    known |= dict.fromkeys((18, 19, 20, 21), untrusted)
    return f"the certificate of {host} " + known.get(error.verify_code, f"is refused: {error.verify_message}.")


def explain_connack(code: int, host: str, user: str, client_id: str) -> Refusal:
    """Explain a refused CONNECT by its MQTT 5 reason code (3.1.1's are translated to these by paho)."""
    who = f"user {user}" if user else "a client without a user name"
    sentences = {
        134: f"{host} refuses the password of {who}: set mqtt.username and the password (docs/DELIVERY.md).",
        NOT_AUTHORISED: f"{host} does not let {who} in, client id {client_id}: give it a user and password there.",
        133: f"{host} refuses the client id {client_id}: set another mqtt.client_id.",
        138: f"{host} has banned {who}: ask whoever runs the broker.",
        UNSUPPORTED_PROTOCOL: f"{host} does not speak this version of MQTT: set mqtt.protocol to auto, or update it.",
        136: f"{host} is not available now: it is tried again.",
        137: f"{host} is busy: it is tried again.",
        140: f"{host} wants another way to log in than user and password: a node cannot do that.",
        PACKET_TOO_LARGE: f"{host} finds even the CONNECT packet too large: raise max_packet_size on the broker.",
        144: f"{host} refuses the topic of the last will: let the node write its topics (docs/DELIVERY.md).",
        151: f"{host} says that this node's quota is used up: ask whoever runs the broker.",
        RETAIN_NOT_SUPPORTED: f"{host} {KEEPS_NOTHING}",
        155: f"{host} takes QoS 0 only, so that no alert can be confirmed: allow QoS 1 there (mosquitto: max_qos 1).",
        156: f"{host} says that another server is to be used: set mqtt.host to that one.",
        157: f"{host} says that the broker has moved: set mqtt.host to its new address.",
        159: f"{host} takes no more connections now: it is tried again.",
    }
    return Refusal("broker_refused", sentences.get(code, f"{host} refuses the connection (MQTT reason {code})."))


def explain_disconnect(code: int, client_id: str) -> Refusal | None:
    """Explain a DISCONNECT of the broker; None: the broker only stops."""
    if code == SESSION_TAKEN_OVER:
        return Refusal("client_id_taken", _taken(client_id))
    return None


def short_lived(client_id: str) -> Refusal:
    """Explain connections that are closed soon after they began, several times in a row."""
    return Refusal(
        "connection_cut",
        f"the broker cuts each connection soon after it began: either {_taken(client_id)[:-1]}, or it refuses"
        " something that this node sends and does not say so: its own log tells.",
    )


def _taken(client_id: str) -> str:
    return f"another client uses the client id {client_id}: give each node its own node.name or mqtt.client_id."


def explain_publish(code: int, topic: str, user: str) -> Refusal:
    """Explain a PUBACK that says no."""
    if code == NOT_AUTHORISED:
        who = f"user {user}" if user else "an anonymous client"
        return Refusal(
            "publish_refused",
            f"the broker's access list does not let {who} write {topic}: give the node its lines there"
            " (systemd/broker add-node, docs/DELIVERY.md).",
        )
    why = _PUBLISH.get(code, f"MQTT reason {code}")
    return Refusal("publish_refused", f"the broker does not take {topic} ({why}).")


_PUBLISH = {
    144: "it calls the topic not valid",
    PACKET_TOO_LARGE: "too large",
    151: "its quota is used up",
    153: "it calls the payload not valid",
    RETAIN_NOT_SUPPORTED: "it keeps no retained messages",
}
"""reason code of a PUBACK or DISCONNECT → what it means"""


def too_large(topic: str, size: int, limit: int) -> str:
    """Say that a message is larger than the broker takes, as its CONNACK told."""
    return (
        f"{topic} has {size} bytes and the broker takes at most {limit}: it is left out. Raise the broker's limit"
        " (mosquitto: max_packet_size)."
    )


def cut_at(topic: str, size: int) -> str:
    """Say that the connection ends whenever a message is sent."""
    return (
        f"the broker cuts the connection whenever {topic} ({size} bytes) is sent: it is left out for now. Either it is"
        " too large (mosquitto: message_size_limit, max_packet_size), or the broker's access list refuses it."
    )


def not_sendable(topic: str, error: Exception) -> str:
    """Say that a message cannot be sent by MQTT at all."""
    return f"{topic!a} cannot be sent ({error}): it is left out. Correct the name it is made of in the configuration."


def command_too_large(topic: str, size: int, limit: int) -> Refusal:
    """Explain a message for this node that was thrown away unread."""
    return Refusal(
        "command_too_large",
        f"a message of {size} bytes on {topic} was thrown away unread; at most {limit} are read (mqtt.max_payload)."
        " If it is retained, empty that topic on the broker.",
    )


def keeps_nothing(host: str) -> Refusal:
    """Explain a broker without retained messages."""
    return Refusal("no_retain", f"{host} {KEEPS_NOTHING}")


def explain_subscribe(topic: str) -> Refusal:
    """Explain a SUBACK that says no."""
    return Refusal("subscribe_refused", f"the broker's access list does not let this node read {topic}: no commands.")
