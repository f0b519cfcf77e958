"""The routes of portals: below `/portal`, and at the paths that the vendor's own host has.

A run executes what is stored and nothing else: the body holds values of its variables alone.
"""

from dataclasses import dataclass

from watchword.domain.errors import Malformed
from watchword.domain.events import SYSTEM
from watchword.domain.portals import PORTAL_TOKENS
from watchword.domain.ratelimits import Surface
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.portal.wire import (
    MAX_BODY,
    MAX_TOKEN_BODY,
    code_answer,
    issued_answer,
    limit_headers,
    read_arguments,
    read_token_body,
    refuse_run,
    refuse_token,
)
from watchword.services.addresslimits import AddressLimit
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.portaldocuments import Run

PATH = "/organizations/{org}/portals/{portal}"
PREFIXES = ("/portal", "")
_GRANTS = ("client_credentials", "device_code")


@dataclass(slots=True)
class PortalSurface:
    """Runs, tokens and codes.

    Attributes:
        asked: how many tokens and codes an address may ask for.
    """

    authority: Authority
    asked: AddressLimit

    @classmethod
    def of(cls, authority: Authority) -> "PortalSurface":
        """The surface, with the installation's limits."""
        context = authority.context
        return cls(authority, AddressLimit(context.clock, context.installation.rate_limits.portal_codes))

    def routes(self) -> list[Route]:
        """Runs take a portal's token; for tokens and codes the proof stands in the body (§1.2)."""
        return [
            route
            for prefix in PREFIXES
            for route in (
                Route("POST", prefix + PATH, self.run, PORTAL_TOKENS, refuse_run),
                Route("POST", f"{prefix}{PATH}/tokens", self.token, (), refuse_token),
                Route("POST", f"{prefix}{PATH}/codes", self.code, (), refuse_token),
            )
        ]

    async def run(self, request: Request, org: str, portal: str) -> Response:
        """Run the portal's document; `operation_name` says which operation where it has several.

        Raises:
            Refused: the token does not pass.
            BudgetSpent: the organization has run too much.
            NotFound: the token's organization has no such portal.
            Forbidden: it is another portal's token, or the address may not call.
            Malformed: the body is no JSON object.
        """
        presented = await self.authority.verifier.verify(
            request.credential(), PORTAL_TOKENS, address=request.address, agent=request.agent
        )
        budgets = self.authority.budgets
        budgets.look(Surface.PORTAL, presented.organization_id, None).require()
        spent = budgets.spend(Surface.PORTAL, presented.organization_id, None, 1).organization
        found = await self.authority.portal_door.enter(presented, org, portal, request.address, request.id)
        run = Run(
            presented=presented,
            document=found.query,
            operation=request.query().get("operation_name") or None,
            variables=read_arguments(await request.body(MAX_BODY)),
            address=request.address,
            request_id=request.id,
        )
        response = Response.json(await self.authority.portals.reader.run(run))
        response.headers += limit_headers(spent)
        return response

    async def token(self, request: Request, org: str, portal: str) -> Response:
        """A token for a secret (`client_credentials`) or an approved code (`device_code`).

        Raises:
            Malformed: the body cannot be read, there is no such grant, or a code gives no token.
            Refused: portal and secret do not go together.
            Forbidden: the address may not call.
            Invalid: `expires_in` is not acceptable.
            TooMany: the address has asked too often.
        """
        self.asked.spend(request.address, 1)
        asked = read_token_body(await request.body(MAX_TOKEN_BODY))
        door, caller = self.authority.portal_door, _caller(request)
        if asked.grant_type == "client_credentials":
            return issued_answer(
                await door.ephemeral(org, portal, asked.client_id, asked.secret, asked.expires_in, caller)
            )
        if asked.grant_type == "device_code":
            return issued_answer(
                await door.exchange(org, portal, asked.code, asked.secret, asked.expires_in, caller)
            )
        raise Malformed(f"grant_type is one of {', '.join(_GRANTS)}.", code="unsupported_grant_type")

    async def code(self, request: Request, org: str, portal: str) -> Response:
        """A code for a portal that users may invoke.

        Raises:
            Forbidden: there is no such portal.
            TooMany: the address has asked too often.
        """
        self.asked.spend(request.address, 1)
        return code_answer(await self.authority.portal_door.ask_code(org, portal, _caller(request)))


def _caller(request: Request) -> Caller:
    return Caller(SYSTEM, request.address, request.id, request.agent)


def routes(authority: Authority) -> list[Route]:
    """Every route of this surface."""
    return PortalSurface.of(authority).routes()
