"""Formats that REST and GraphQL share: ids, times and addresses (contract rest-graphql §1.4, §1.5)."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from watchword.domain.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_US = 1_000_000


def graphql_id(type_name: str, uuid: str) -> str:
    """An id as GraphQL writes it: base64 of `Type---uuid`."""
    return base64.b64encode(f"{type_name}---{uuid}".encode()).decode()


def instant(microseconds: int) -> str:
    """A time in UTC with milliseconds."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def maybe_instant(microseconds: int) -> str | None:
    """A time in UTC with milliseconds; None where there is none."""
    return instant(microseconds) if microseconds else None


def whole_seconds(microseconds: int) -> str | None:
    """A time in UTC with whole seconds, as expiries are written; None where there is none."""
    if not microseconds:
        return None
    return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%dT%H:%M:%SZ}"


def utc_text(microseconds: int) -> str | None:
    """A time as `GET /v2/access-token` writes it; None where there is none."""
    if not microseconds:
        return None
    return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M:%S} UTC"


def read_time(name: str, text: str | None) -> int:
    """Read an ISO 8601 time into microseconds, cut to whole seconds; 0 where there is none.

    Raises:
        Invalid: it is no time; `name` says in the message which one.
    """
    if text is None or not text.strip():
        return 0
    try:
        moment = datetime.fromisoformat(text.strip())
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        seconds = (aware.astimezone(UTC) - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise Invalid(
            f"Validation failed: {name} is an ISO 8601 time such as 2030-01-31T12:00:00Z",
            code="invalid_time",
        ) from None
    if seconds <= 0:
        raise Invalid(f"Validation failed: {name} lies before 1970", code="invalid_time")
    return seconds * _SECOND_US


@dataclass(frozen=True, slots=True)
class Site:
    """Public addresses of this installation's things."""

    url: str

    def rest(self, *parts: object) -> str:
        """Address under `/v2`."""
        return "/".join((self.url, "v2", *(quote(str(part), safe="") for part in parts)))

    def web(self, *parts: object) -> str:
        """Address of a page for people."""
        return "/".join((self.url, *(quote(str(part), safe="") for part in parts)))
