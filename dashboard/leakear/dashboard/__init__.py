"""The web page that watches a fleet of nodes over MQTT."""
