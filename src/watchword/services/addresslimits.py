"""Limits by address, for what anybody may ask without an account. Memory only.

Windows are fixed and begin with the first use. IPv4 addresses count each by itself, IPv6 by its /64, which is
what one subscriber has; addresses that are not known are counted together.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address

from watchword.domain.addresses import parse_address
from watchword.domain.errors import TooMany
from watchword.services.context import Clock

WINDOW_US = 60_000_000
_SECOND_US = 1_000_000
_HOST_BITS = 64
# Windows in memory; ended ones are dropped when there are so many.
_MAX_WINDOWS = 20_000


@lru_cache(maxsize=4096)
def network_of(address: str | None) -> str:
    """What an address is counted under."""
    parsed = parse_address(address) if address else None
    if parsed is None:
        return ""
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return f"{int(parsed) >> _HOST_BITS:x}/{_HOST_BITS}"


@dataclass(slots=True)
class _Window:
    ends_at: int
    used: int = 0


@dataclass(slots=True)
class AddressLimit:
    """One limit.

    Attributes:
        per_minute: what an address may use in a minute; 0 sets no limit.
    """

    clock: Clock
    per_minute: int
    _windows: dict[str, _Window] = field(default_factory=dict)

    def spend(self, address: str | None, cost: int) -> None:
        """Use some of an address's budget; a single call may always use as much as a whole window.

        Raises:
            TooMany: it is used up; `retry_after` says when it is whole again.
        """
        self.spend_as(network_of(address), cost)

    def spend_as(self, name: str, cost: int) -> None:
        """The same for anything else that has a name of its own.

        Raises:
            TooMany: its budget is used up.
        """
        if not self.per_minute:
            return
        window = self._window(name)
        if window.used and window.used + cost > self.per_minute:
            raise self._refusal(window)
        window.used += cost

    def require(self, address: str | None) -> None:
        """Require that an address has some of its budget left, which `count` takes where it failed.

        Raises:
            TooMany: it is used up; `retry_after` says when it is whole again.
        """
        if self.per_minute:
            window = self._window(network_of(address))
            if window.used >= self.per_minute:
                raise self._refusal(window)

    def count(self, address: str | None) -> None:
        """Use one of an address's budget, whatever is left of it."""
        if self.per_minute:
            self._window(network_of(address)).used += 1

    def _window(self, name: str) -> _Window:
        now = self.clock.now()
        window = self._windows.get(name)
        if window is None or window.ends_at <= now:
            self._make_room(now)
            window = self._windows[name] = _Window(now + WINDOW_US)
        return window

    def _refusal(self, window: _Window) -> TooMany:
        error = TooMany(
            f"At most {self.per_minute} a minute are answered. Wait a little and try again.",
            code="too_many_requests",
        )
        error.retry_after = -(-(window.ends_at - self.clock.now()) // _SECOND_US)
        return error

    def _make_room(self, now: int) -> None:
        if len(self._windows) < _MAX_WINDOWS:
            return
        self._windows = {name: one for name, one in self._windows.items() if one.ends_at > now}
        if len(self._windows) >= _MAX_WINDOWS:
            self._windows.clear()
