"""Limits password guessing: by name and address, by address, by name, and overall.

A try counts before it is checked, so that many tries at once are many tries.
"""

from collections import OrderedDict
from dataclasses import dataclass

FREE_TRIES = 5
"""wrong passwords per name and address before each further try has to wait"""
FREE_PER_ADDRESS = 20
"""wrong passwords from an address, whatever the names"""
FREE_PER_NAME = 50
"""wrong passwords for a name, from all addresses"""
LONGEST_S = 60.0
BURST, PER_S = 60.0, 1.0
"""tries of all together: so many at once, then so many a second"""
REMEMBERED = 1000
"""largest number of names and addresses whose failures are remembered"""


class Throttle:
    """Limits tries: after `free` failures each wait is twice as long, up to a minute.

    Times are seconds of one clock.
    """

    def __init__(self, free: int = FREE_TRIES) -> None:
        self._free = free
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, who: str, now: float) -> float:
        """Seconds until the next try is allowed."""
        count, last = self._failures.get(who, (0, 0.0))
        pause = min(LONGEST_S, 2.0 ** min(count - self._free, 10)) if count >= self._free else 0.0
        return max(0.0, last + pause - now)

    def failed(self, who: str, now: float) -> None:
        """Note a try that failed, or one that is about to be checked."""
        count, _ = self._failures.pop(who, (0, 0.0))
        self._failures[who] = (count + 1, now)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def undone(self, who: str) -> None:
        """Take one try back: it was not wrong."""
        count, last = self._failures.get(who, (0, 0.0))
        if count > 1:
            self._failures[who] = (count - 1, last)
        else:
            self._failures.pop(who, None)

    def succeeded(self, who: str) -> None:
        """Forget the failures."""
        self._failures.pop(who, None)


class Budget:
    """A number of tries that fills up again with time."""

    def __init__(self, burst: float = BURST, per_s: float = PER_S) -> None:
        self._burst, self._per_s = burst, per_s
        self._left, self._at = burst, 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next try is allowed."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        return 0.0 if self._left >= 1 else (1 - self._left) / self._per_s

    def use(self) -> None:
        """Take one."""
        self._left -= 1

    def give_back(self) -> None:
        """Return one."""
        self._left = min(self._burst, self._left + 1)


class Budgets:
    """A budget for each user, or whatever else has a name."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._users: OrderedDict[str, Budget] = OrderedDict()

    def wait(self, who: str, now: float) -> float:
        """Seconds until this user may take one."""
        return self._of(who).wait(now)

    def take(self, who: str, now: float) -> bool:
        """Take one from a user's budget; False when it is used up."""
        budget = self._of(who)
        if budget.wait(now) > 0:
            return False
        budget.use()
        return True

    def _of(self, who: str) -> Budget:
        budget = self._users.setdefault(who, Budget(self._burst, self._per_s))
        self._users.move_to_end(who)
        while len(self._users) > REMEMBERED:
            self._users.popitem(last=False)
        return budget


@dataclass(frozen=True)
class Try:
    """One try, counted."""

    name: str
    address: str

    @property
    def pair(self) -> str:
        """Name and address as one key."""
        return f"{self.name} {self.address}"


class LogInLimits:
    """All limits together. Called in the event loop, so that no two tries are counted as one."""

    def __init__(self) -> None:
        self._pairs, self._addresses = Throttle(), Throttle(FREE_PER_ADDRESS)
        self._names, self._all = Throttle(FREE_PER_NAME), Budget()
        self._welcome: OrderedDict[str, None] = OrderedDict()
        """names with their addresses that have logged in: strangers' tries do not use up theirs"""

    def begin(self, name: str, address: str, now: float) -> tuple[Try | None, float]:
        """Count a try; return it, or None and the seconds to wait."""
        made = Try(name, address)
        wait = max(self._pairs.wait(made.pair, now), self._addresses.wait(address, now))
        if made.pair not in self._welcome:
            wait = max(wait, self._names.wait(name, now), self._all.wait(now))
        if wait > 0:
            return None, wait
        for throttle, key in ((self._pairs, made.pair), (self._addresses, address), (self._names, name)):
            throttle.failed(key, now)
        self._all.use()
        return made, 0.0

    def elsewhere(self, name: str, address: str, now: float) -> None:
        """Count a try that was wrong at another server of the same pages."""
        made = Try(name, address)
        for throttle, key in ((self._pairs, made.pair), (self._addresses, address), (self._names, name)):
            throttle.failed(key, now)
        self._all.wait(now)
        self._all.use()

    def right(self, made: Try) -> None:
        """Undo the count: the password was right."""
        self._pairs.succeeded(made.pair)
        self.undo(made)
        self._welcome[made.pair] = None
        while len(self._welcome) > REMEMBERED:
            self._welcome.popitem(last=False)

    def undo(self, made: Try) -> None:
        """Take a try back that was not checked."""
        for throttle, key in ((self._pairs, made.pair), (self._addresses, made.address), (self._names, made.name)):
            throttle.undone(key)
        self._all.give_back()
