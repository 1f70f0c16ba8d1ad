"""Former place of `leakear.dashboard.broker.inbox`; scripts written for version 0.1 import it from here."""

from leakear.dashboard.broker.inbox import *  # noqa: F403
