"""The server's own front door, as drills go through it: real requests to the address that it listens on."""

from collections.abc import Mapping
from dataclasses import dataclass

from watchword.services.drills import Unproved

_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """Sends requests to this server.

    Attributes:
        url: where it listens, on this machine.
    """

    url: str

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Send a request and read the answer: status and body.

        Raises:
            Unproved: there was no answer.
        """
        import httpx  # noqa: PLC0415 - slow to import, needed for drills alone

        # Its certificate names what others call it; nobody else answers at an address of this machine.
        async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False, verify=False) as client:  # noqa: S501
            try:
                answer = await client.request(method, self.url + path, headers=dict(headers), content=body)
            except httpx.HTTPError as error:
                raise Unproved(f"the server did not answer: {type(error).__name__}") from None
        return answer.status_code, answer.content
