"""Agent tokens of a cluster (contract rest-graphql §2.6); a value is seen at creation and never again."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, Meta, UnsetType

from watchword.domain import accounts, tokens
from watchword.domain.errors import Invalid
from watchword.domain.ids import TokenId, UserId, is_uuid
from watchword.domain.restrictions import load
from watchword.domain.use import Use
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.clusters import CLUSTER
from watchword.rest.formats import Site, graphql_id, instant, read_time, whole_seconds
from watchword.rest.users import User, show_person
from watchword.services.issuing import TokenRequest, issue_agent_token
from watchword.services.narrowing import EVERYWHERE, narrow, networks_text
from watchword.services.queries import Access, Unit, agent_tokens_of, find_cluster, people
from watchword.services.revoking import edit_agent_token, find_agent_token, revoke

TOKENS = CLUSTER + "/tokens"
TOKEN = TOKENS + "/{token:str}"


class AgentToken(msgspec.Struct, kw_only=True):
    """An agent token; `not_before` and what follows it are Watchword's own."""

    id: str
    graphql_id: str
    description: str
    allowed_ip_addresses: str
    expires_at: str | None
    url: str
    cluster_url: str
    created_at: str
    created_by: User | None
    not_before: str | None
    max_uses: int | None
    uses: int
    queue: str | None
    tags: list[str]
    last_used_at: str | None
    last_used_from: str | None


class CreatedAgentToken(AgentToken, kw_only=True):
    """A fresh agent token with its value, which is shown this once."""

    token: str


Uses = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class NewAgentToken(Body):
    """What a new agent token is; `not_before` and what follows it are Watchword's own."""

    description: str | None = None
    expires_at: str | None = None
    allowed_ip_addresses: str | None = None
    not_before: str | None = None
    max_uses: Uses | None = None
    queue: str | None = None
    tags: list[str] | None = None


class AgentTokenChange(Body):
    """What changes of an agent token: description and networks; the rest may be repeated, not changed."""

    description: str | UnsetType | None = UNSET
    allowed_ip_addresses: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    not_before: str | UnsetType | None = UNSET
    max_uses: int | UnsetType | None = UNSET
    queue: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType | None = UNSET


def show_token(
    site: Site,
    organization: accounts.Organization,
    token: tokens.Token,
    people: Mapping[UserId, accounts.User],
    used: Use | None = None,
) -> AgentToken:
    """An agent token as JSON."""
    cluster_url = site.rest("organizations", organization.slug, "clusters", token.cluster_id)
    restrictions = load(token.restrictions)
    return AgentToken(
        id=token.id,
        graphql_id=graphql_id("ClusterToken", token.id),
        description=token.description,
        allowed_ip_addresses=" ".join(block.text for block in restrictions.networks) or EVERYWHERE,
        expires_at=whole_seconds(token.expires_at),
        url=f"{cluster_url}/tokens/{token.id}",
        cluster_url=cluster_url,
        created_at=instant(token.created_at),
        created_by=show_person(people, token.created_by),
        not_before=whole_seconds(token.not_before),
        max_uses=token.max_uses or None,
        uses=token.uses,
        queue=restrictions.queue or None,
        tags=list(restrictions.tags),
        last_used_at=instant(used.last_at) if used is not None else None,
        last_used_from=used.address or None if used is not None else None,
    )


async def _find(call: Call, tx: Unit, access: Access) -> tokens.Token:
    cluster = await find_cluster(tx, access.id, call.path("cluster"))
    text = call.path("token")
    # An id that is none is no token's; the look-up then finds nothing.
    token_id = TokenId(text.lower() if is_uuid(text) else "")
    return await find_agent_token(tx, access.id, cluster.id, token_id)


async def _used(call: Call, shown: AgentToken) -> AgentToken:
    """Fill in the last use, which the ledger knows."""
    used = await call.authority.ledger.last_used(call.presented.organization_id, TokenId(shown.id))
    if used is not None:
        shown.last_used_at = instant(used.last_at)
        shown.last_used_from = used.address or None
    return shown


@get(TOKENS, opt=needs("agent_token.read", query=PAGED), summary="List agent tokens")
async def list_tokens(request: RestRequest) -> Response[list[AgentToken]]:
    """Agent tokens of the cluster that are not revoked, oldest first; expired ones are listed."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[tokens.Token], list[AgentToken]]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        rows = await agent_tokens_of(tx, cluster, call.page.window)
        found = await people(tx, [token.created_by for token in rows])
        page = call.page.cut(rows)
        return rows, [show_token(call.site, access.organization, token, found) for token in page]

    rows, items = await call.read(work)
    return call.listed([await _used(call, item) for item in items], rows)


@get(TOKEN, opt=needs("agent_token.read"), summary="Get an agent token")
async def get_token(request: RestRequest) -> AgentToken:
    """One agent token by its id; never its value."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> AgentToken:
        token = await _find(call, tx, access)
        return show_token(call.site, access.organization, token, await people(tx, [token.created_by]))

    return await _used(call, await call.read(work))


@post(
    TOKENS, opt=needs("agent_token.create", body=NewAgentToken, keyed=True), summary="Create an agent token"
)
async def create_token(request: RestRequest) -> Response[CreatedAgentToken]:
    """Create an agent token; the answer alone carries its value."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedAgentToken:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        asked = call.decode(NewAgentToken)
        wanted = TokenRequest(
            organization_id=access.id,
            cluster_id=cluster.id,
            description=asked.description or "",
            restrictions=narrow(asked.allowed_ip_addresses or "", asked.queue or "", asked.tags or ()),
            not_before=read_time("Not before", asked.not_before),
            expires_at=read_time("Expires at", asked.expires_at),
            max_uses=asked.max_uses or 0,
        )
        issued = await issue_agent_token(call.context, tx, access.caller, wanted, access.user.id)
        shown = show_token(call.site, access.organization, issued.token, {access.user.id: access.user})
        return CreatedAgentToken(**msgspec.structs.asdict(shown), token=issued.value.reveal())

    return await call.create(work)


@route(
    TOKEN,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("agent_token.update", body=AgentTokenChange),
    summary="Update an agent token",
)
async def update_token(request: RestRequest) -> AgentToken:
    """Change description or networks of an agent token."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> AgentToken:
        token = await _find(call, tx, access)
        asked = call.decode(AgentTokenChange)
        _require_same(token, asked)
        description = None if asked.description is UNSET else asked.description or ""
        given = asked.allowed_ip_addresses
        networks = None if given is UNSET else networks_text(given or "")
        changed = await edit_agent_token(call.context, tx, access.caller, token, description, networks)
        return show_token(call.site, access.organization, changed, await people(tx, [changed.created_by]))

    return await _used(call, await call.write(work))


def _require_same(token: tokens.Token, asked: AgentTokenChange) -> None:
    """Refuse to change what is fixed at creation; repeating it is fine, as the documented curl does.

    Raises:
        Invalid: a fixed key holds something else.
    """
    restrictions = load(token.restrictions)
    same = {
        "Expires at": asked.expires_at is UNSET
        or whole_seconds(read_time("Expires at", asked.expires_at)) == whole_seconds(token.expires_at),
        "Not before": asked.not_before is UNSET
        or whole_seconds(read_time("Not before", asked.not_before)) == whole_seconds(token.not_before),
        "Max uses": asked.max_uses is UNSET or (asked.max_uses or 0) == token.max_uses,
        "Queue": asked.queue is UNSET or (asked.queue or "") == restrictions.queue,
        "Tags": asked.tags is UNSET or tuple(asked.tags or ()) == restrictions.tags,
    }
    for name, unchanged in same.items():
        if not unchanged:
            raise Invalid(
                f"Validation failed: {name} can't be changed after creation; create another token",
                code="immutable",
            )


@delete(TOKEN, opt=needs("agent_token.revoke", keyed=True), summary="Revoke an agent token")
async def revoke_token(request: RestRequest) -> None:
    """Revoke an agent token: it starts no new agent; connected agents stay."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> bytes:
        token = await _find(call, tx, access)
        await revoke(call.context, tx, access.caller, token, access.user.id, "revoked through REST")
        return b""

    await call.once(work)


HANDLERS = (list_tokens, get_token, create_token, update_token, revoke_token)
