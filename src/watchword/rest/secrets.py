"""Cluster secrets and network ranges (contract rest-graphql §2.9); a value is never in an answer."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, Meta, UnsetType

from watchword.crypto.values import Secret as Hidden
from watchword.domain import accounts, secrets
from watchword.domain.ids import UserId
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.clusters import CLUSTER
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant
from watchword.rest.users import User, show_person
from watchword.services.queries import Access, Unit, find_cluster, people
from watchword.services.secrets import (
    create_secret,
    delete_secret,
    find_secret,
    secrets_of,
    set_secret_value,
    update_secret,
)

SECRETS = CLUSTER + "/secrets"
SECRET = SECRETS + "/{secret:str}"

Policy = Annotated[str, Meta(max_length=secrets.MAX_POLICY)]


class SecretOrganization(msgspec.Struct, kw_only=True):
    """Whose secret it is."""

    id: str
    slug: str
    url: str
    web_url: str


class ClusterSecret(msgspec.Struct, kw_only=True):
    """What is known of a secret, but for its value."""

    id: str
    graphql_id: str
    key: str
    description: str | None
    policy: str | None
    url: str
    cluster_url: str
    created_at: str
    created_by: User | None
    updated_at: str
    updated_by: User | None
    last_read_at: str | None
    organization: SecretOrganization


class NewSecret(Body):
    """What a new secret is."""

    key: str | None = None
    value: str | None = None
    description: str | None = None
    policy: Policy | None = None


class SecretChange(Body):
    """What changes of a secret: an absent key leaves it as it is, null clears it."""

    description: str | UnsetType | None = UNSET
    policy: Policy | UnsetType | None = UNSET


class SecretValue(Body):
    """The new value."""

    value: str | None = None


class NetworkRange(msgspec.Struct, kw_only=True):
    """Addresses from which hosted agents of a cluster come; self-hosted ones have their own."""

    cidr_range: str
    kind: str


def show_secret(
    site: Site,
    organization: accounts.Organization,
    secret: secrets.ClusterSecret,
    people: Mapping[UserId, accounts.User],
) -> ClusterSecret:
    """A secret as JSON, without its value."""
    home = ("organizations", organization.slug)
    at = (*home, "clusters", secret.cluster_id)
    return ClusterSecret(
        id=secret.id,
        graphql_id=graphql_id("ClusterSecret", secret.id),
        key=secret.key,
        description=secret.description or None,
        policy=secret.policy or None,
        url=site.rest(*at, "secrets", secret.id),
        cluster_url=site.rest(*at),
        created_at=instant(secret.created_at),
        created_by=show_person(people, secret.created_by),
        updated_at=instant(secret.updated_at),
        updated_by=show_person(people, secret.updated_by),
        last_read_at=maybe_instant(secret.last_read_at),
        organization=SecretOrganization(
            id=organization.id,
            slug=organization.slug,
            url=site.rest(*home),
            web_url=site.web(organization.slug),
        ),
    )


async def _show(call: Call, tx: Unit, access: Access, secret: secrets.ClusterSecret) -> ClusterSecret:
    found = await people(tx, [secret.created_by, secret.updated_by])
    return show_secret(call.site, access.organization, secret, found)


@get(SECRETS, opt=needs("secret.read", query=PAGED), summary="List secrets of a cluster")
async def list_secrets(request: RestRequest) -> Response[list[ClusterSecret]]:
    """Secrets of the cluster, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[secrets.ClusterSecret], list[ClusterSecret]]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        rows = await secrets_of(tx, cluster, call.page.window)
        return rows, [await _show(call, tx, access, secret) for secret in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(SECRET, opt=needs("secret.read"), summary="Get a secret")
async def get_secret(request: RestRequest) -> ClusterSecret:
    """One secret by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> ClusterSecret:
        return await _show(call, tx, access, await _named(call, tx, access))

    return await call.read(work)


async def _named(call: Call, tx: Unit, access: Access) -> secrets.ClusterSecret:
    cluster = await find_cluster(tx, access.id, call.path("cluster"))
    return await find_secret(tx, cluster, call.path("secret"))


@post(SECRETS, opt=needs("secret.create", body=NewSecret), summary="Create a secret")
async def create_one(request: RestRequest) -> Response[ClusterSecret]:
    """Create a secret; its value is sealed and never shown again.

    It takes no idempotency key: a key taken twice is refused anyway, and no digest of the value is kept.
    """
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> ClusterSecret:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        asked = call.decode(NewSecret)
        made = await create_secret(
            call.context,
            tx,
            access.caller,
            cluster,
            asked.key or "",
            Hidden(asked.value or ""),
            description=asked.description or "",
            policy=asked.policy or "",
            created_by=access.user.id,
        )
        return await _show(call, tx, access, made)

    return Response(await call.write(work), status_code=201, media_type="application/json")


@route(
    SECRET,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("secret.update", body=SecretChange),
    summary="Update a secret",
)
async def change_secret(request: RestRequest) -> ClusterSecret:
    """Change description and policy; key and value stay."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> ClusterSecret:
        secret = await _named(call, tx, access)
        asked = call.decode(SecretChange)
        changed = await update_secret(
            call.context,
            tx,
            access.caller,
            secret,
            description=None if asked.description is UNSET else asked.description or "",
            policy=None if asked.policy is UNSET else asked.policy or "",
            by=access.user.id,
        )
        return await _show(call, tx, access, changed)

    return await call.write(work)


@route(
    SECRET + "/value",
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("secret.update", body=SecretValue),
    summary="Replace a secret's value",
)
async def change_value(request: RestRequest) -> ClusterSecret:
    """Replace the value; the old one is gone."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> ClusterSecret:
        secret = await _named(call, tx, access)
        value = Hidden(call.decode(SecretValue).value or "")
        changed = await set_secret_value(call.context, tx, access.caller, secret, value, access.user.id)
        return await _show(call, tx, access, changed)

    return await call.write(work)


@delete(SECRET, opt=needs("secret.delete"), summary="Delete a secret")
async def remove_secret(request: RestRequest) -> None:
    """Delete a secret with its value."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        await delete_secret(call.context, tx, access.caller, await _named(call, tx, access))

    await call.write(work)


@get(
    CLUSTER + "/network_ranges",
    opt=needs("network_range.read", query=PAGED),
    summary="List network ranges of a cluster",
)
async def list_network_ranges(request: RestRequest) -> Response[list[NetworkRange]]:
    """None: agents are self-hosted, and come from where their owner runs them."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[NetworkRange]:
        await find_cluster(tx, access.id, call.path("cluster"))
        return []

    return call.listed(await call.read(work), [])


HANDLERS = (
    list_secrets,
    get_secret,
    create_one,
    change_secret,
    change_value,
    remove_secret,
    list_network_ranges,
)
