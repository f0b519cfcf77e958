"""Reach: which organizations a presented token speaks for right now, kept in memory until that changes."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from watchword.domain.accounts import Organization
from watchword.domain.addresses import Block, contains, parse_address
from watchword.domain.errors import Forbidden
from watchword.domain.events import TOPIC_REACH_CHANGED, Notice
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.people import SignInData
from watchword.domain.restrictions import parse_networks
from watchword.services.access import reachable
from watchword.services.context import Context
from watchword.services.second_factor import require_person
from watchword.services.verifying import Presented
from watchword.store.base import Transaction

_SIZE = 50_000
# These reach what they were granted; a person's other tokens their own organization.
_GRANTED = (Kind.API_ACCESS, Kind.TOKEN_EXCHANGE)
Reached = Mapping[OrganizationId, tuple[Block, ...]]


class Reach:
    """Answers from memory, which `domain.events.REACH_CHANGES` empty before they are acknowledged."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, Reached] = {}
        self._changes = 0
        context.feed.follow(TOPIC_REACH_CHANGED, self._forget)

    async def of(self, presented: Presented) -> Reached:
        """Organizations that a token speaks for, each with the networks from which its APIs may be called.

        A token that is nobody's speaks for the organization that it belongs to; one that is somebody's only
        while the person may come in.
        """
        if presented.token is None or presented.token.user_id is None:
            return {presented.organization_id: ()}
        found = self._known.get(presented.id)
        if found is not None:
            return found
        changes = self._changes

        async def work(tx: Transaction) -> Reached:
            return await _reached(tx, presented)

        found = await self._context.store.read(work)
        if changes == self._changes:  # else it may be older than what was published meanwhile
            if len(self._known) >= _SIZE:
                self._known.clear()
            self._known[presented.id] = found
        return found

    async def asking(self, presented: Presented, address: str | None) -> Reached:
        """Organizations for which a caller at an address may ask; see `of`.

        Raises:
            Forbidden: it reaches some, and none of them lets this address call.
        """
        reached = await self.of(presented)
        if not any(reached.values()):
            return reached
        parsed = parse_address(address) if address else None
        open_to = {
            owner: blocks
            for owner, blocks in reached.items()
            if not blocks or (parsed is not None and contains(blocks, parsed))
        }
        if not open_to:
            raise Forbidden(
                "This organization's API may not be called from your address.", code="address_not_allowed"
            )
        return open_to

    def _forget(self, _notice: Notice) -> None:
        self._changes += 1
        self._known.clear()


async def _reached(tx: Transaction, presented: Presented) -> Reached:
    owner = presented.holder.user_id
    if owner is None:
        return {}
    data = await tx.people.sign_in_data(owner)
    reached = {}
    for organization in await _organizations(tx, presented, owner, data):
        policy = await tx.policies.policy(organization.id)
        with suppress(Forbidden):
            require_person(policy, data)
            reached[organization.id] = parse_networks(policy.allowed_networks)
    return reached


async def _organizations(
    tx: Transaction, presented: Presented, owner: UserId, data: SignInData
) -> Sequence[Organization]:
    """Organizations somebody's token opens; Dagster's and portals' have one, while its owner is a member."""
    if presented.kind in _GRANTED:
        return await reachable(tx, presented)
    if data.disabled_at:
        return ()
    home = await tx.accounts.organization(presented.organization_id)
    member = await tx.accounts.member(presented.organization_id, owner)
    return (home,) if home is not None and member is not None else ()
