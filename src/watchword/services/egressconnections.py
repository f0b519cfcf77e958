"""The last step out: connections to addresses that were checked, whatever the name says by now."""

from collections.abc import Iterable, Sequence
from typing import Any

import httpcore

from watchword.domain.addresses import Address

_EACH_S = 3.0


class CheckedAddresses(httpcore.AsyncNetworkBackend):
    """Connects to given addresses in their order, and to nothing else.

    Args:
        addresses: what was checked. TLS is still told the name, and checks the certificate against it.
    """

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers.

        Raises:
            ConnectError: none does.
        """
        del host, local_address
        # One address that swallows everything must not take the time of the next.
        timeout = _EACH_S if len(self._addresses) > 1 else timeout
        failed: httpcore.ConnectError | None = None
        for address in self._addresses:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout=timeout, socket_options=socket_options
                )
            except httpcore.ConnectError as error:
                failed = error
        raise failed or httpcore.ConnectError("there is no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Sockets of this machine are never a destination.

        Raises:
            ConnectError: always.
        """
        del path, timeout, socket_options
        raise httpcore.ConnectError("no such destination")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)
