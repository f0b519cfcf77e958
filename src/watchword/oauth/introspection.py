"""Introspection (RFC 7662): whether a token is alive, for whom, and what it may do."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from watchword.domain.errors import Malformed, Refused
from watchword.domain.ids import OrganizationId
from watchword.domain.jobrights import kept_rights
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.scopes import INTROSPECT
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.verifying import Presented

CALLER = (Kind.API_ACCESS,)
_SECOND_US = 1_000_000
_PLAIN = re.compile(rb"token=([A-Za-z0-9._:-]+)")
_KINDS = tuple(Kind)
# RFC 7662 §2.2: nothing more is said of a token that is not active, or not this caller's to ask about.
_INACTIVE = Response(200, b'{"active":false}')


@dataclass(slots=True)
class Introspection:
    """The introspection endpoint."""

    authority: Authority

    def routes(self) -> list[Route]:
        """Its route."""
        return [Route("POST", "/oauth/introspect", self.introspect, CALLER)]

    async def introspect(self, request: Request) -> Response:
        """RFC 7662 §2: form fields `token`, and ours: `client_address`, where its holder called from.

        A token with a network limit is active only where `client_address` is given and inside it.
        The answer is the same for unknown tokens and for those that reach no organization of the caller.

        Raises:
            Forbidden: no organization of the caller lets its address call.
        """
        verifier = self.authority.verifier
        caller = await verifier.verify(
            request.credential(), CALLER, address=request.address, scope=INTROSPECT, agent=request.agent
        )
        value, address = _form(await request.body())
        try:
            presented = await verifier.verify(value, _KINDS, address=address)
        except Refused:
            return _INACTIVE
        asking = await self.authority.reach.asking(caller, request.address)
        reached = await self.authority.reach.of(presented)
        home = presented.organization_id
        if home not in asking or home not in reached:
            shared = sorted(asking.keys() & reached.keys())
            return Response.json(_describe(presented, shared[0])) if shared else _INACTIVE
        answer = presented.rendered
        if not isinstance(answer, Response):
            answer = presented.rendered = Response.json(_describe(presented, home))
        return answer


def _form(body: bytes) -> tuple[str, str | None]:
    """`token` and `client_address` of a form body; the plain common case is read without a parser."""
    plain = _PLAIN.fullmatch(body)
    if plain is not None:
        return plain[1].decode(), None
    try:
        fields = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise Malformed("The body is a form with the field token.", code="invalid_request") from None
    if len(fields.get("token", ())) != 1:
        raise Malformed("The body is a form with the field token, once.", code="invalid_request")
    return fields["token"][0], fields.get("client_address", [None])[0]


def _describe(presented: Presented, organization_id: OrganizationId) -> dict[str, object]:
    token, job = presented.token, presented.job
    answer: dict[str, object] = {
        "active": True,
        "token_type": presented.kind.value,
        "jti": presented.id,
        "organization_id": organization_id,
    }
    if presented.scopes:
        answer["scope"] = " ".join(sorted(presented.scopes))
    if job is not None:
        answer["sub"] = job.id
        answer["scope"] = " ".join(sorted(kept_rights(job.token_rights)))
        answer["agent_id"] = job.agent_id
        answer["exp"] = job.token_expires_at // _SECOND_US
        answer["iat"] = job.token_issued_at // _SECOND_US
    if token is not None:
        subject = token.agent_id or token.user_id or token.resource_id or token.cluster_id
        answer["sub"] = subject or organization_id
        answer["iat"] = token.created_at // _SECOND_US
        if token.expires_at:
            answer["exp"] = token.expires_at // _SECOND_US
        if token.not_before:
            answer["nbf"] = token.not_before // _SECOND_US
        for name in ("cluster_id", "agent_id", "user_id"):
            if (found := getattr(token, name)) is not None:
                answer[name] = found
    answer["title"] = KINDS[presented.kind].title
    return answer
