"""For resource servers: is this token alive, whose is it, and may it do this?

    from watchword.client import Introspector

    tokens = Introspector("https://watchword.example.com", api_token)
    token = tokens.require(value, scopes={"read_builds"})

`AsyncIntrospector` is the same for asyncio. `JobIdentities` checks offline what `oidc request-token` gives to
jobs. `watchword.client.fastapi`, `.litestar` and `.django` fit them into those frameworks (docs/client.md).
"""

from watchword.client.answers import ActiveToken, ClientError, TokenRefused, Unavailable
from watchword.client.asynchronous import AsyncIntrospector
from watchword.client.identities import AsyncJobIdentities, JobIdentities, JobIdentity
from watchword.client.synchronous import Introspector

__all__ = [
    "ActiveToken",
    "AsyncIntrospector",
    "AsyncJobIdentities",
    "ClientError",
    "Introspector",
    "JobIdentities",
    "JobIdentity",
    "TokenRefused",
    "Unavailable",
]
