"""The objects' contract: named runs of bytes, written whole or not at all, read by range."""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from watchword.domain.errors import NotFound, Unavailable

Method = Literal["GET", "PUT"]


class Missing(NotFound):
    """There is no such object."""

    code = "object_missing"


class Objects(Protocol):
    """A store of objects. Keys are paths of plain segments without a slash at either end.

    Every method raises `Unavailable` where the store behind it cannot answer now.
    """

    async def put(self, key: str, source: AsyncIterator[bytes]) -> None:
        """Write an object; durable when it returns. An error of `source` leaves what was there."""

    async def size(self, key: str) -> int | None:
        """Bytes of an object; None if there is none."""

    async def read(self, key: str, first: int, count: int) -> AsyncIterator[bytes]:
        """Open an object and give `count` bytes from byte `first`, in pieces.

        Raises:
            Missing: there is no such object.
        """

    async def delete(self, prefix: str) -> None:
        """Delete every object below a prefix; one that is gone already is no error."""

    async def sign(self, method: Method, key: str, seconds: int) -> str | None:
        """An address that lets its holder read or write this object without us; None if there is no such."""


class Nowhere:
    """Objects where none are kept: everything is refused."""

    async def put(self, key: str, source: AsyncIterator[bytes]) -> None:
        """Refuse."""
        raise _nowhere(key, source)

    async def size(self, key: str) -> int | None:
        """Refuse."""
        raise _nowhere(key)

    async def read(self, key: str, first: int, count: int) -> AsyncIterator[bytes]:
        """Refuse."""
        raise _nowhere(key, first, count)

    async def delete(self, prefix: str) -> None:
        """Nothing is there."""

    async def sign(self, method: Method, key: str, seconds: int) -> str | None:  # noqa: ARG002
        """No address."""
        return None


def _nowhere(*_: object) -> Unavailable:
    return Unavailable("This server has no object store.", code="objects_unavailable")
