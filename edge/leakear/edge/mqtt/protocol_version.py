"""How the next attempt asks: MQTT 5, and 3.1.1 where the broker does not take 5; with a retained last will, or without.

A broker that keeps no retained messages refuses a retained last will: MQTT 5 says so, 3.1.1 hangs up.
"""

import paho.mqtt.client as paho


class ProtocolVersion:
    """`configured`: 5, 3.1.1, or auto, which falls back to 3.1.1."""

    def __init__(self, configured: str) -> None:
        self._auto = configured == "auto"
        self._only_311 = configured == "3.1.1"
        self._try_311 = False  # for the next attempt alone
        self._retain = {int(paho.MQTTv5): True, int(paho.MQTTv311): True}

    @property
    def number(self) -> int:
        """Paho's number of the version for the next attempt."""
        return int(paho.MQTTv311 if self._only_311 or self._try_311 else paho.MQTTv5)

    @property
    def retain(self) -> bool:
        """Whether the last will of the next attempt is retained."""
        return self._retain[self.number]

    def attempt_ended(self, *, refused: bool, hung_up: bool, retain_refused: bool = False) -> bool:
        """Note how an attempt with `number` ended; return whether to try another way at once.

        `refused`: the broker answered that it does not speak this version. `hung_up`: it closed the connection without
        an answer, as some old brokers do; then 3.1.1 and 5 take turns until one is answered, and 3.1.1 with a retained
        last will and without. `retain_refused`: it answered that it keeps no retained messages.
        """
        with_5 = self.number == paho.MQTTv5
        if retain_refused:
            self._retain[self.number] = False
            return True
        if hung_up and not with_5:
            self._retain[self.number] = not self.retain
        self._only_311 = self._only_311 or (refused and with_5 and self._auto)
        self._try_311 = hung_up and with_5 and self._auto
        return refused and with_5 and self._auto


def text(number: int) -> str:
    """Return the version as people write it."""
    return "5" if number == paho.MQTTv5 else "3.1.1"
