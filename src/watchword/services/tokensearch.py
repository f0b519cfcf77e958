"""Token search: all kinds of an organization's tokens in one list, filtered, ordered, found by their value.

A page takes five statements however many rows it has; rotations, incidents and agents are in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from watchword.crypto.values import MAX_VALUE, Recognised, Secret, digest
from watchword.domain.accounts import Role, User
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.ids import AgentId, ClusterId, OrganizationId, TokenId, UserId
from watchword.domain.incidents import Incident
from watchword.domain.kinds import Kind
from watchword.domain.rotations import Rotation
from watchword.domain.tokenlists import (
    Condition,
    Cursor,
    Order,
    check_text,
    conditions,
    days_left,
    read_cursor,
    values_in,
)
from watchword.domain.tokens import Token
from watchword.domain.use import Use
from watchword.services.access import Access
from watchword.services.attention import Attention
from watchword.services.context import Context
from watchword.services.fleet import Fleet
from watchword.services.ledger import Ledger
from watchword.store.base import Transaction
from watchword.store.base_tokensearch import ListedToken, TokenQuery

SEARCHED = (
    Kind.AGENT,
    Kind.UNCLUSTERED_AGENT,
    Kind.API_ACCESS,
    Kind.DAGSTER_AGENT,
    Kind.DAGSTER_USER,
    Kind.PORTAL_SERVICE,
    Kind.PORTAL_SECRET,
    Kind.REGISTRY,
)
# What lives for hours at most is found by its value; a list of it would hide the rest.
_FOUND = (*SEARCHED, Kind.PORTAL_EPHEMERAL, Kind.PORTAL_USER, Kind.TEMPORARY_PACKAGE)
MAX_ROWS = 100
MAX_EXPIRING = 500
# What somebody may paste around a value; more is no token.
MAX_PASTED = 2 * MAX_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What somebody looks for; what is empty does not matter.

    Attributes:
        kinds: kinds of tokens; empty for all.
        condition: the state.
        text: part of a description, or the beginning of an id.
        owner: whose they are, or who made them.
        cluster: of agent tokens.
        scope: one that API access tokens have.
        cursor: from a former page.
        limit: rows of a page, at most `MAX_ROWS`.
    """

    kinds: tuple[Kind, ...] = ()
    condition: Condition = Condition.ANY
    text: str = ""
    owner: UserId | None = None
    cluster: ClusterId | None = None
    scope: str = ""
    order: Order = Order.CREATED
    descending: bool = True
    cursor: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token of a list with all that stands beside it.

    Attributes:
        owner: whose API access token or Dagster user token it is.
        role: the owner's role; None where the person left the organization.
        creator: who made it.
        cluster_name: empty outside clusters.
        used: its latest use; None where it was never used.
        agents: live agents that joined with it.
        conditions: what is told of its state, the gravest first.
        days_left: whole days until it expires, begun ones counted; 0 where it does not.
        rotation: the open one that it is part of.
        incident: the open one that names it.
    """

    token: Token
    owner: User | None
    role: Role | None
    creator: User | None
    cluster_name: str
    used: Use | None
    agents: int
    conditions: tuple[Condition, ...]
    days_left: int
    rotation: Rotation | None
    incident: Incident | None


@dataclass(frozen=True, slots=True)
class TokenPage:
    """One page of a list.

    Attributes:
        counts: how many tokens of each kind fit, whichever kinds the page shows.
        total: how many of the kinds that it shows.
        before: cursor of the page before; empty at the first.
        after: cursor of the page after; empty at the last.
    """

    rows: tuple[TokenRow, ...]
    counts: Mapping[Kind, int]
    total: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Pasted:
    """What is known of a pasted value.

    Attributes:
        row: the token, where there is one that the person may see.
        agent_id: the agent whose session token it is.
        recognised: what the value shows by itself; None where it has no shape of ours.
    """

    row: TokenRow | None
    agent_id: AgentId | None
    recognised: Recognised | None


@dataclass(frozen=True, slots=True)
class TokenFinder:
    """Looks tokens up for people, as far as the policy lets each of them see."""

    context: Context
    ledger: Ledger
    fleet: Fleet
    attention: Attention

    async def page_in(self, tx: Transaction, access: Access, sought: Sought) -> TokenPage:
        """One page of what somebody looks for.

        Administrators see every token; others the agent tokens of clusters that they maintain, and their
        own API access tokens and Dagster user tokens.

        Raises:
            Invalid: the text is too long, or the cursor is none of this list.
        """
        draining = await self._draining_in(tx, access.id)
        known = await tx.leaks.unclosed(access.id) if sought.condition is Condition.LEAKED else draining
        query = self._query(access, sought, known)
        place = query.place
        found = list(await tx.token_search.page(replace(query, limit=query.limit + 1)))
        more = len(found) > query.limit
        back = place is not None and place.back
        if more:
            found = found[1:] if back else found[:-1]
        counts = await tx.token_search.counts(query)
        rows = await self._rows_in(tx, access.id, found, draining)
        return TokenPage(
            rows=rows,
            counts=counts,
            total=sum(count for kind, count in counts.items() if kind in query.kinds),
            before=_cursor(found[0], back=True) if found and (more if back else place is not None) else "",
            after=_cursor(found[-1]) if found and (back or more) else "",
        )

    async def rows_in(
        self, tx: Transaction, organization_id: OrganizationId, found: list[ListedToken]
    ) -> tuple[TokenRow, ...]:
        """Tokens with their latest uses, agents, rotations, incidents, drains and leaks: three statements."""
        return await self._rows_in(tx, organization_id, found, await self._draining_in(tx, organization_id))

    async def _rows_in(
        self,
        tx: Transaction,
        organization_id: OrganizationId,
        found: list[ListedToken],
        draining: frozenset[TokenId],
    ) -> tuple[TokenRow, ...]:
        holders = [(each.token.organization_id, each.token.id) for each in found]
        uses = await self.ledger.last_uses_in(tx, holders)
        agents = self.fleet.held(organization_id)
        named = self.named(organization_id)
        leaked = await self._leaked_in(tx, found)
        now = self.context.clock.now()
        rows = []
        for each, holder in zip(found, holders, strict=True):
            token, used, incident = each.token, uses.get(holder), named.get(holder[1])
            rotation = self.attention.successors.get(token.id) or self.attention.predecessors.get(token.id)
            told = conditions(
                token,
                now,
                used=used is not None,
                rotating=rotation is not None,
                quarantined=incident is not None,
                leaked=token.id in leaked,
                draining=token.id in draining,
            )
            row = TokenRow(
                token=token,
                owner=each.owner,
                role=each.role,
                creator=each.creator,
                cluster_name=each.cluster_name,
                used=used,
                agents=agents[token.id],
                conditions=told,
                days_left=days_left(token, now),
                rotation=rotation,
                incident=incident,
            )
            rows.append(row)
        return tuple(rows)

    async def one_in(self, tx: Transaction, access: Access, token_id: TokenId) -> TokenRow:
        """One token in whatever state.

        Raises:
            NotFound: there is none that the person may see.
        """
        query = replace(self._query(access, Sought()), only=frozenset((token_id,)))
        rows = await self.rows_in(tx, access.id, list(await tx.token_search.page(query)))
        if not rows:
            raise NotFound("No token found")
        return rows[0]

    async def expiring_in(self, tx: Transaction, access: Access, since: int, until: int) -> list[Token]:
        """Tokens that the person may see and that end between two times, the first ones first.

        At most `MAX_EXPIRING` of them.
        """
        query = replace(
            self._query(access, Sought(condition=Condition.CURRENT)),
            order=Order.EXPIRES,
            descending=False,
            limit=MAX_EXPIRING,
            place=Cursor(since, ""),
        )
        return [each.token for each in await tx.token_search.page(query) if 0 < each.token.expires_at < until]

    async def pasted_in(self, tx: Transaction, access: Access, pasted: Secret) -> Pasted:
        """What is known of a value that somebody pasted; it is not kept, and nothing of it is told back.

        A value of another organization, or one that the person may not see, is as one that nobody knows.

        Raises:
            Invalid: nothing was pasted, or more than any value has.
        """
        values = _values(pasted)
        for value in values:
            token = await tx.tokens.by_digest(digest(value))
            if token is None:
                continue
            if token.kind in _FOUND:
                query = replace(self._query(access, Sought(kinds=_FOUND)), only=frozenset((token.id,)))
                found = list(await tx.token_search.page(query))
                if found:
                    (row,) = await self.rows_in(tx, access.id, found)
                    return Pasted(row, None, None)
            elif token.organization_id == access.id and token.agent_id is not None:
                return Pasted(None, token.agent_id, None)
        recogniser = self.context.recogniser()
        shapes = (recogniser.recognise(value) for value in values)
        return Pasted(None, None, next((shape for shape in shapes if shape is not None), None))

    def named(self, organization_id: OrganizationId) -> dict[TokenId, Incident]:
        """Tokens that open incidents concern or hold back."""
        named: dict[TokenId, Incident] = {}
        for incident in self.attention.incidents.values():
            if incident.organization_id == organization_id:
                named[incident.token_id] = incident
                named |= {TokenId(held): incident for held in incident.held}
        return named

    def rotations(self, organization_id: OrganizationId) -> list[Rotation]:
        """Open rotations, the one with the nearest deadline first."""
        every = self.attention.successors.values()
        found = [one for one in every if one.organization_id == organization_id]
        return sorted(found, key=lambda one: (one.deadline, one.successor_id))

    async def _draining_in(self, tx: Transaction, organization_id: OrganizationId) -> frozenset[TokenId]:
        """Tokens whose agents are leaving; of all installations' drains there are few."""
        return frozenset(
            one.token_id
            for one in await tx.revocations.open()
            if one.organization_id == organization_id and not one.finished_at
        )

    async def _leaked_in(self, tx: Transaction, found: list[ListedToken]) -> frozenset[TokenId]:
        """Tokens whose leaks somebody has to look at; each has its case where it belongs."""
        leaked: frozenset[TokenId] = frozenset()
        for organization_id in sorted({each.token.organization_id for each in found}):
            leaked |= await tx.leaks.unclosed(organization_id)
        return leaked

    def _query(self, access: Access, sought: Sought, known: frozenset[TokenId] = frozenset()) -> TokenQuery:
        """What the database is asked, within what the person may see; `known` are those of some states."""
        clusters = access.standing.clusters
        return TokenQuery(
            organization_id=access.id,
            now=self.context.clock.now(),
            everything=access.may("api_token.read") and access.may("unclustered_agent_token.read"),
            clusters=frozenset(each for each in clusters if access.may("agent_token.read", cluster=each)),
            person=access.user.id,
            kinds=sought.kinds or SEARCHED,
            condition=sought.condition,
            text=check_text(sought.text),
            owner=sought.owner,
            cluster=sought.cluster,
            scope=sought.scope,
            only=known
            if sought.condition in (Condition.DRAINING, Condition.LEAKED)
            else self._only(access.id, sought.condition),
            order=sought.order,
            descending=sought.descending,
            limit=max(1, min(sought.limit, MAX_ROWS)),
            place=read_cursor(sought.cursor, sought.order) if sought.cursor else None,
        )

    def _only(self, organization_id: OrganizationId, condition: Condition) -> frozenset[TokenId] | None:
        """Ids of the tokens in a state that memory knows; None where the database knows it."""
        if condition is Condition.QUARANTINED:
            return frozenset(self.named(organization_id))
        if condition is Condition.ROTATING:
            rotations = self.rotations(organization_id)
            return frozenset(
                token_id for one in rotations for token_id in (one.successor_id, one.predecessor_id)
            )
        return None


def _cursor(listed: ListedToken, *, back: bool = False) -> str:
    return Cursor(listed.key, listed.token.id, back).text()


def _values(pasted: Secret) -> tuple[str, ...]:
    text = pasted.reveal()
    if not text.strip():
        raise Invalid("Paste the value of a token.", code="nothing_pasted")
    if len(text) > MAX_PASTED:
        raise Invalid("That is longer than any token; paste the value alone.", code="pasted_too_long")
    return tuple(value for value in values_in(text) if len(value) <= MAX_VALUE)
