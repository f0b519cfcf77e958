"""Spans of time as people write them on the command line."""

import re
from datetime import UTC, datetime, timedelta

from watchword.cli.client import CommandError

_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(span: str) -> str:
    """The moment after a span of time.

    Raises:
        CommandError: it is no span.
    """
    found = _SPAN.fullmatch(span.strip())
    if found is None:
        raise CommandError(f"{span!r} is no time span; write 30d, 12h or 15m", code="invalid_span")
    try:
        ahead = datetime.now(UTC) + timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        raise CommandError(f"{span!r} is too long", code="invalid_span") from None
    # One second more, so that exactly ten minutes are enough after the way to the server.
    return f"{ahead + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"


def expiry(expires_in: str | None, expires_at: str | None) -> str | None:
    """When something expires, by one of two flags; None where neither is given.

    Raises:
        CommandError: both are given, or the span is none.
    """
    if expires_in is not None and expires_at is not None:
        raise CommandError("give --expires-in or --expires-at, not both", code="two_expiries")
    return moment(expires_in) if expires_in is not None else expires_at
