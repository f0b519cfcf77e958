"""Editing agent tokens: description and networks, and what narrower networks mean for connected agents.

A session carries the networks of its token. When these change, so do those of the sessions: a session
whose agent may stay keeps what it had besides what is new.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from watchword.domain.addresses import Block
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import TOPIC_TOKEN_CHANGED, Action
from watchword.domain.fleet import Agent
from watchword.domain.ids import UserId
from watchword.domain.lifecycle import Change, Mode, Withdrawal, escalated
from watchword.domain.restrictions import Restrictions, load, narrower, parse_networks, widened
from watchword.domain.tokens import State, Token, check_description
from watchword.services.context import Caller, Context
from watchword.services.revoking import Revoker
from watchword.services.siblings import require_single
from watchword.services.withdrawing import Withdrawn
from watchword.store.base import Transaction

Fits = Callable[[Agent], bool]


@dataclass(frozen=True, slots=True)
class Edited:
    """A changed token, and what its narrower networks did, if anything."""

    token: Token
    withdrawn: Withdrawn | None = None


async def edit_agent_token(
    context: Context,
    tx: Transaction,
    caller: Caller,
    token: Token,
    description: str | None,
    networks: str | None,
) -> Token:
    """Change description and networks of an agent token; None leaves one as it is.

    Agents that are connected stay, from where they are.

    Raises:
        Invalid: a new value is not acceptable.
        Conflict: the token ended meanwhile, or carries a restriction that this version does not know.
        NotFound: it vanished meanwhile.
    """
    return await _edit(context, tx, caller, token, description, networks, lambda _: False)


async def _edit(
    context: Context,
    tx: Transaction,
    caller: Caller,
    token: Token,
    description: str | None,
    networks: str | None,
    exactly: Fits,
) -> Token:
    restrictions = require_known(token)
    blocks = restrictions.networks if networks is None else parse_networks(networks)
    text = replace(restrictions, networks=blocks).dump()
    shown = token.description if description is None else check_description(description)
    if not await tx.tokens.edit(token.organization_id, token.id, shown, text):
        raise Conflict("This token is not active any more.", code="token_ended")
    now = context.clock.now()
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_CHANGED, token.digest.hex(), now)
    details = {"description": shown, "restrictions": text}
    subject = ("token", token.id)
    await context.record(tx, caller, Action.TOKEN_UPDATED, token.organization_id, subject, details)
    if networks is not None:
        await _follow(context, tx, token, blocks, exactly)
    found = await tx.tokens.find(token.organization_id, token.id)
    if found is None:
        raise NotFound("No agent token found")
    return found


def require_known(token: Token) -> Restrictions:
    """A token's restrictions, all of which this version must know to write them anew.

    Raises:
        Conflict: it does not.
    """
    restrictions = load(token.restrictions)
    if restrictions.unknown:
        # Writing it anew would drop what this version cannot read, and so widen the token.
        raise Conflict(
            "This token carries a restriction that this version does not know; it can only be revoked.",
            code="restriction_unknown",
        )
    return restrictions


async def _follow(
    context: Context, tx: Transaction, token: Token, blocks: Sequence[Block], exactly: Fits
) -> None:
    """Give the networks to the sessions: just these where `exactly` says so, else besides what they had."""
    now = context.clock.now()
    for agent in await tx.fleet.joined(token.organization_id, token.id):
        session = await tx.tokens.find(agent.organization_id, agent.session_id)
        held = load(session.restrictions) if session is not None else Restrictions(unknown=True)
        if session is None or session.state is not State.ACTIVE or held.unknown:
            continue
        wanted = tuple(blocks) if exactly(agent) else widened(held.networks, blocks)
        text = replace(held, networks=wanted).dump()
        if text != session.restrictions:
            await tx.tokens.edit(session.organization_id, session.id, session.description, text)
            await tx.audit.post(session.organization_id, TOPIC_TOKEN_CHANGED, session.digest.hex(), now)


@dataclass(slots=True)
class Editor:
    """Edits agent tokens in the modes of a revocation."""

    context: Context
    revoker: Revoker

    async def edit_in(
        self,
        tx: Transaction,
        caller: Caller,
        token: Token,
        by: UserId | None,
        description: str | None,
        networks: str | None,
        asked: Withdrawal,
    ) -> Edited:
        """Change a token inside a unit of work; call `settle` after the commit.

        With `stop_joining`, agents outside of narrower networks stay until they reconnect; `drain` and
        `cut` act on these alone, also where the networks were narrowed before. An agent that stays
        inside may then be inside only.

        Raises:
            Invalid: a new value is not acceptable, or a mode is given without networks.
            Conflict: the token ended meanwhile, is part of an open rotation, or carries a restriction that
                this version does not know.
            NotFound: it vanished meanwhile.
        """
        if networks is None:
            if asked.mode is not Mode.STOP_JOINING:
                raise Invalid(
                    "Validation failed: A mode says what becomes of agents outside of the networks; give "
                    "allowed_ip_addresses too",
                    code="mode_without_networks",
                )
            edit = edit_agent_token(self.context, tx, caller, token, description, None)
            return Edited(await edit)
        former, blocks = require_known(token).networks, parse_networks(networks)
        if blocks != former:
            await require_single(tx, token)
        outside = self.revoker.withdrawer.outside(token.organization_id, blocks)
        keep: Fits = (lambda _: False) if asked.mode is Mode.STOP_JOINING else (lambda one: not outside(one))
        changed = await _edit(self.context, tx, caller, token, description, networks, keep)
        if asked.mode is Mode.STOP_JOINING and not narrower(blocks, former):
            return Edited(changed)
        return Edited(changed, await self._withdraw_in(tx, caller, changed, by, blocks, asked))

    async def _withdraw_in(
        self,
        tx: Transaction,
        caller: Caller,
        token: Token,
        by: UserId | None,
        blocks: Sequence[Block],
        asked: Withdrawal,
    ) -> Withdrawn:
        networks = Restrictions(networks=tuple(blocks)).dump()
        rows = await self.revoker.of_token_in(tx, token, Change.NARROW)
        known = next((row for row in rows if row.networks == networks and not row.finished_at), None)
        if known is None:
            fresh = self.revoker.fresh(token, Change.NARROW, networks, by, asked)
            return await self.revoker.apply_in(tx, caller, None, fresh)
        grown = escalated(known, asked, self.context.clock.now(), by)
        return Withdrawn(known) if grown is None else await self.revoker.apply_in(tx, caller, known, grown)

    def settle(self, edited: Edited) -> None:
        """Tell memory, after the commit."""
        if edited.withdrawn is not None:
            self.revoker.settle(edited.withdrawn)
