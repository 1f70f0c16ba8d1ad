"""Former place of `leakear.dashboard.broker.subscriber`; scripts written for version 0.1 import it from here."""

from leakear.dashboard.broker.subscriber import *  # noqa: F403
