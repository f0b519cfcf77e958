"""After an old backup was brought back: what may have been revoked since is revoked again.

A database of yesterday knows nothing of today's revocations (design R16). Unless the operator says that
there were none, no token that it holds may pass: all are revoked, and each organization's administrator
gets a new one.
"""

from dataclasses import dataclass

from watchword.domain.accounts import Role
from watchword.domain.fleet import AgentState
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.portals import PORTAL_KINDS
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokens import Token
from watchword.services.authority import Authority
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.revoking import revoke
from watchword.services.signingkeys import replace_identity_keys
from watchword.store.base import EVERYTHING, Transaction

_REASON = "restored from a backup"
_KINDS = (
    Kind.AGENT,
    Kind.UNCLUSTERED_AGENT,
    Kind.API_ACCESS,
    Kind.DAGSTER_AGENT,
    Kind.DAGSTER_USER,
    Kind.REGISTRY,
    *PORTAL_KINDS,
)


@dataclass(frozen=True, slots=True)
class Renewed:
    """What was done: how many tokens and agents ended, and the administrators' new tokens, shown once."""

    tokens: int
    agents: int
    issued: tuple[tuple[str, Issued], ...]


async def renew(authority: Authority) -> Renewed:
    """Revoke every token, end every agent and with it its job, and issue one token per organization.

    Keys of job identity are replaced too: the file may hold one that was withdrawn since.
    """
    context = authority.context
    agents = list(authority.fleet.agents)
    for agent_id in agents:
        await authority.finisher.disconnect(LOCAL, agent_id, AgentState.LOST)
    tokens = 0
    issued: list[tuple[str, Issued]] = []
    for organization in await context.store.read(lambda tx: tx.accounts.organizations()):
        ended, admin = await _revoke_all(authority, organization.id)
        tokens += ended
        if admin is not None:
            issued.append((organization.slug, await _issue(authority, organization.id, admin)))
    await replace_identity_keys(context, LOCAL)
    return Renewed(tokens, len(agents), tuple(issued))


async def _revoke_all(authority: Authority, owner: OrganizationId) -> tuple[int, UserId | None]:
    """Revoke an organization's tokens; how many, and an administrator among their owners."""
    context = authority.context

    async def work(tx: Transaction) -> tuple[int, UserId | None]:
        found: list[Token] = []
        for kind in _KINDS:
            found += await tx.tokens.list(owner, kind, None, EVERYTHING)
        admin = None
        for token in found:
            await revoke(context, tx, LOCAL, token, None, _REASON)
            person = token.user_id or token.created_by
            member = await tx.accounts.member(owner, person) if person and admin is None else None
            if member is not None and member.role is Role.ADMIN:
                admin = member.user_id
        return len(found), admin

    return await context.store.write(work)


async def _issue(authority: Authority, owner: OrganizationId, admin: UserId) -> Issued:
    context = authority.context

    async def work(tx: Transaction) -> Issued:
        return await issue_api_token(context, tx, LOCAL, owner, admin, "After a restore", ALL_SCOPES)

    return await context.store.write(work)
