"""Where jobs' tokens for repositories come from: our own calls (docs/repository-tokens.md)."""

from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from msgspec import Meta

from watchword.crypto.values import Secret as Hidden
from watchword.domain import repositorycredentials as domain
from watchword.domain import secrets
from watchword.domain.repositorycredentials import Source
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.clusters import CLUSTER
from watchword.rest.formats import instant, maybe_instant
from watchword.services.queries import Access, Unit, find_cluster
from watchword.services.repositorycredentials import (
    Wish,
    create_credential,
    credentials_of,
    delete_credential,
    find_credential,
)

CREDENTIALS = CLUSTER + "/repository_credentials"
CREDENTIAL = CREDENTIALS + "/{repository_credential:str}"


class RepositoryCredential(msgspec.Struct, kw_only=True):
    """One source; an App's key is never shown."""

    id: str
    pattern: str
    also: list[str]
    source: Source
    secret_key: str | None
    app_id: str | None
    installation_id: str | None
    api_url: str | None
    policy: str | None
    description: str | None
    created_at: str
    last_used_at: str | None


class NewRepositoryCredential(Body):
    """What a new source is: a secret's key, or an App with its private key."""

    pattern: Annotated[str, Meta(min_length=1, max_length=domain.MAX_PATTERN)]
    also: Annotated[list[str], Meta(max_length=domain.MAX_ALSO)] | None = None
    source: Source = Source.SECRET
    secret_key: str | None = None
    app_id: str | None = None
    installation_id: str | None = None
    api_url: str | None = None
    private_key: Annotated[str, Meta(max_length=domain.MAX_KEY)] | None = None
    policy: Annotated[str, Meta(max_length=secrets.MAX_POLICY)] | None = None
    description: str | None = None


def _show(row: domain.RepositoryCredential) -> RepositoryCredential:
    return RepositoryCredential(
        id=row.id,
        pattern=row.pattern,
        also=list(row.also),
        source=row.source,
        secret_key=row.secret_key or None,
        app_id=row.app_id or None,
        installation_id=row.installation_id or None,
        api_url=row.api_url or None,
        policy=row.policy or None,
        description=row.description or None,
        created_at=instant(row.created_at),
        last_used_at=maybe_instant(row.last_used_at),
    )


@get(
    CREDENTIALS,
    opt=needs("repository_credential.read", query=PAGED),
    summary="List sources of credentials for repositories",
)
async def list_credentials(request: RestRequest) -> Response[list[RepositoryCredential]]:
    """Sources of the cluster, by pattern."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[domain.RepositoryCredential]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        return await credentials_of(tx, cluster, call.page.window)

    rows = await call.read(work)
    return call.listed([_show(each) for each in call.page.cut(rows)], rows)


@post(
    CREDENTIALS,
    opt=needs("repository_credential.create", body=NewRepositoryCredential),
    summary="Name a source of credentials for repositories",
)
async def create_one(request: RestRequest) -> Response[RepositoryCredential]:
    """Name a source; an App's private key is sealed and never shown again.

    It takes no idempotency key: a pattern taken twice is refused anyway, and no digest of the key is kept.
    """
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> RepositoryCredential:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        asked = call.decode(NewRepositoryCredential)
        wish = Wish(
            pattern=asked.pattern,
            also=asked.also or (),
            source=asked.source,
            secret_key=asked.secret_key or "",
            app_id=asked.app_id or "",
            installation_id=asked.installation_id or "",
            api_url=asked.api_url or "",
            private_key=Hidden(asked.private_key or ""),
            policy=asked.policy or "",
            description=asked.description or "",
        )
        return _show(await create_credential(call.context, tx, access.caller, cluster, wish, access.user.id))

    return Response(await call.write(work), status_code=201, media_type="application/json")


@delete(
    CREDENTIAL,
    opt=needs("repository_credential.delete"),
    summary="Delete a source of credentials for repositories",
)
async def remove_one(request: RestRequest) -> None:
    """Delete a source with its key; tokens that jobs have live out their time."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        found = await find_credential(tx, cluster, call.path("repository_credential"))
        await delete_credential(call.context, tx, access.caller, found)

    await call.write(work)


HANDLERS = (list_credentials, create_one, remove_one)
