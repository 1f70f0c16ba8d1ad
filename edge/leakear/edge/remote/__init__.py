"""Remote: what a node does when it is asked over MQTT."""
