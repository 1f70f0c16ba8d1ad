"""Errors, grouped by what the daemon does about them.

A configuration or model error ends the process with 78 (systemd does not restart it: only a person can correct it). An
audio error is recovered from. A broker outage is not an error at all.
"""


class LeakearError(Exception):
    """Root of all errors of this project; its text is one sentence that says what to do."""

    exit_code = 1


class UsageError(LeakearError, ValueError):
    """A command line that makes no sense: the sentence names the option."""

    exit_code = 2


class ConfigError(LeakearError, ValueError):
    """A configuration that cannot work: the sentence names the file, the key and the remedy."""

    exit_code = 78


class ModelError(LeakearError, ValueError):
    """A model file that leakear did not make, is damaged, or gives other results than at its converter."""

    exit_code = 78


class InputDataError(LeakearError, ValueError):
    """A recording or data set that cannot be used."""

    exit_code = 65


class AudioError(LeakearError, OSError):
    """The sound device failed; capture reopens it."""


class DeliveryError(LeakearError):
    """Delivery failed: a bounded run ended with unacknowledged events, or the MQTT thread has ended."""

    exit_code = 69


UNUSABLE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""Raised by a saved state that is not of this version's form, or damaged: none of them may stop the node."""
