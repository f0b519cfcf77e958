"""Everything about one agent token that its page shows, read in one unit of work."""

from dataclasses import dataclass

from watchword.domain.accounts import User
from watchword.domain.errors import NotFound
from watchword.domain.fleet import Agent
from watchword.domain.ids import UserId
from watchword.domain.incidents import Incident, IncidentState
from watchword.domain.leaks import Leak
from watchword.domain.lifecycle import Receipt
from watchword.domain.rotations import Rotation
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.abilities import Joining, joining
from watchword.services.access import Access
from watchword.services.authority import Authority
from watchword.services.queries import people
from watchword.services.tokensearch import TokenRow
from watchword.services.tokenuse import Usage, usage_of
from watchword.store.base import Page, Transaction

USE_DAYS = 90
MAX_AGENTS = 100


@dataclass(frozen=True, slots=True)
class TokenView:
    """One agent token.

    Attributes:
        row: the token as lists show it.
        joining: which agents may register with it right now.
        usage: who presented it in the last `USE_DAYS` days.
        agents: live agents that joined with it, the first `MAX_AGENTS`, oldest first.
        made_by: the rotation that made it, if one did.
        replaced_by: the latest rotation that was to give it a successor, if there was one.
        incident: the latest one about its value, open or closed.
        receipt: how access was last taken from it; None where it never was.
        leak: the case of its leak; None where it never leaked as far as anybody knows.
        copy_kept: whether a sealed copy of the value is there to be revealed.
        people: those whom the page names.
    """

    row: TokenRow
    joining: Joining
    usage: tuple[Usage, ...]
    agents: tuple[Agent, ...]
    made_by: Rotation | None
    replaced_by: Rotation | None
    incident: Incident | None
    receipt: Receipt | None
    leak: Leak | None
    copy_kept: bool
    people: dict[UserId, User]

    @property
    def token(self) -> Token:
        """Its record."""
        return self.row.token

    @property
    def incident_open(self) -> bool:
        """Whether somebody must look at an incident about it."""
        named = self.row.incident or self.incident
        return named is not None and named.state is IncidentState.OPEN

    @property
    def draining(self) -> bool:
        """Whether agents are still to leave because access was taken from it."""
        return self.receipt is not None and not self.receipt.revocation.finished_at


async def view_in(tx: Transaction, authority: Authority, access: Access, token: Token) -> TokenView:
    """Look at a token.

    Raises:
        NotFound: the person may not see it.
    """
    owner, now = token.organization_id, authority.context.clock.now()
    receipt = await _receipt_in(tx, authority, token)
    named = [token.created_by, token.ended_by, receipt.revocation.by if receipt is not None else None]
    live = token.state_at(now) is State.ACTIVE
    return TokenView(
        row=await authority.finder.one_in(tx, access, token.id),
        joining=await joining(tx, authority.verifier, token),
        usage=tuple(await usage_of(tx, authority.ledger, token, now - USE_DAYS * DAY_US)),
        agents=tuple(await live_agents(tx, token)),
        made_by=await tx.rotations.of_successor(owner, token.id),
        replaced_by=await tx.rotations.of_predecessor(owner, token.id),
        incident=await tx.incidents.latest(owner, token.id),
        receipt=receipt,
        leak=await tx.leaks.of_token(owner, token.id),
        copy_kept=live and await tx.sealed.find(owner, token.id) is not None,
        people=await people(tx, named),
    )


async def live_agents(tx: Transaction, token: Token) -> list[Agent]:
    """Live agents that joined with a token, the first `MAX_AGENTS`, oldest first."""
    return list(await tx.rotations.holders(token.organization_id, token.id, Page(MAX_AGENTS)))


async def _receipt_in(tx: Transaction, authority: Authority, token: Token) -> Receipt | None:
    try:
        return await authority.revoker.latest_in(tx, token)
    except NotFound:
        return None
