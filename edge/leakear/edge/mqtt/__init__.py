"""Delivery: the connection to the broker, what is sent and received over it, and Home Assistant's discovery."""

from leakear.edge.mqtt.link import Link
from leakear.edge.mqtt.options import MqttOptions

__all__ = ["Link", "MqttOptions"]
