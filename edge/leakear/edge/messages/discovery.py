"""Where a node introduces itself to Home Assistant; a dashboard that forgets the node empties it."""

from leakear.edge.messages.reports import Identity

PREFIX = "homeassistant"
"""Home Assistant's own discovery prefix."""


def discovery_topic(who: Identity, prefix: str = PREFIX) -> str:
    """Return the topic of a node's discovery message; its name is a level of its own, so that an ACL can name it."""
    return f"{prefix}/device/{Identity.ROOT}-{who.site}/{who.node}/config"
