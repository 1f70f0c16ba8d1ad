"""The unit and the daemon of this machine, as commands on it see them."""
