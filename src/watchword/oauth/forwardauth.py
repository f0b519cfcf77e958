"""Forward authentication: a proxy asks, with the caller's own credential, whether a request may pass.

nginx (`auth_request`), Traefik (`forwardAuth`) and Envoy (`ext_authz` over HTTP) send the headers of the
request that they hold, and go by the status. What a route of theirs needs stands in the address, because the
caller cannot change that: `/oauth/forward-auth/ORGANIZATION/KIND[,KIND…][:SCOPE[,SCOPE…]]`. Envoy puts the
request's own path behind it, which says nothing here.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.errors import NotFound, Refused
from watchword.domain.ids import OrganizationId
from watchword.domain.kinds import Kind
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokens import Reason
from watchword.edge.http import Headers, Request, Response
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.verifying import Presented, refusal

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATH = "/oauth/forward-auth/{organization}/{needs}"
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Needs:
    """What a proxy's route asks of a credential."""

    kinds: Sequence[Kind]
    scopes: frozenset[str]

    @classmethod
    def read(cls, text: str) -> "Needs":
        """Read `KIND[,KIND…][:SCOPE[,SCOPE…]]`.

        Raises:
            NotFound: a kind or a scope is none of ours.
        """
        kinds, _, scopes = text.partition(":")
        found = frozenset(scopes.split(",")) if scopes else frozenset[str]()
        unknown = found - ALL_SCOPES
        if unknown:
            raise NotFound(f"There is no scope {min(unknown)!r}.", code="unknown_scope")
        try:
            return cls(tuple(Kind(word) for word in kinds.split(",")), found)
        except ValueError:
            raise NotFound(
                f"Name kinds of tokens: {', '.join(Kind)}; then, behind a colon, scopes.", code="unknown_kind"
            ) from None


@dataclass(slots=True)
class ForwardAuth:
    """The endpoint that proxies ask."""

    authority: Authority

    def routes(self) -> list[Route]:
        """Its routes: Envoy asks with the method and the path of the request that it holds."""
        return [
            Route(method, path, self.decide, tuple(Kind))
            for method in METHODS
            for path in (PATH, PATH + "/{rest...}")
        ]

    async def decide(self, request: Request, organization: str, needs: str, rest: str = "") -> Response:
        """Answer 200 with headers that say who calls, 401 or 403 with the reason (RFC 6750 §3).

        Raises:
            NotFound: the address asks for a kind or a scope that does not exist.
        """
        del rest
        needed = Needs.read(needs)
        try:
            presented, home = await self._admit(request, organization, needed)
        except Refused as error:
            return _refuse(error)
        return Response(200, b"", _names(presented, home, organization))

    async def _admit(
        self, request: Request, organization: str, needed: Needs
    ) -> tuple[Presented, OrganizationId]:
        """The credential, where it passes and speaks for the organization.

        Raises:
            Refused: it does not; one of another organization is refused as one that is not known.
        """
        verifier = self.authority.verifier
        presented = await verifier.verify(
            _credential(request), needed.kinds, address=request.address, agent=request.agent
        )
        home = await self.authority.context.store.read(
            lambda tx: tx.accounts.organization_by_slug(organization)
        )
        if home is None or home.id not in await self.authority.reach.of(presented):
            raise refusal(Reason.UNKNOWN)
        missing = needed.scopes - presented.scopes
        if missing:
            raise refusal(Reason.SCOPE_MISSING, f"The token lacks the scope {min(missing)}.")
        return presented, home.id


def _credential(request: Request) -> str | None:
    """The value behind `Bearer` or `Token`; behind `Basic`, as package managers send it, the password."""
    value = request.credential()
    if value is not None:
        return value
    scheme, _, encoded = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password or user


def _refuse(error: Refused) -> Response:
    """The reason as a status and a challenge, which proxies hand on to the caller."""
    scope = error.code == Reason.SCOPE_MISSING
    word = "insufficient_scope" if scope else "invalid_token"
    challenge = f'Bearer realm="watchword", error="{word}", error_description="{error.message}"'
    response = Response.json({"error": error.code, "message": error.message}, error.status)
    if error.status != _FORBIDDEN or scope:
        response.headers.append((b"www-authenticate", challenge.encode("ascii", "replace")))
    return response


def _names(presented: Presented, home: OrganizationId, slug: str) -> Headers:
    """Who calls, in headers that a proxy may hand to what stands behind it."""
    token, job = presented.token, presented.job
    said: dict[str, str | None] = {
        "kind": presented.kind.value,
        "token": presented.id,
        "organization": slug,
        "organization-id": home,
        "scope": " ".join(sorted(presented.scopes)),
        "job": job.id if job is not None else None,
        "agent": job.agent_id if job is not None else token.agent_id if token is not None else None,
        "cluster": token.cluster_id if token is not None else None,
        "user": token.user_id if token is not None else None,
    }
    # All of them always, so that a caller's own headers of these names never stay.
    return [(f"x-watchword-{name}".encode(), (value or "").encode()) for name, value in said.items()]
