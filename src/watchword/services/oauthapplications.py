"""Applications of OAuth that an organization registers: by which flows they ask, and their secrets."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from watchword.crypto.values import Secret, digest
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ResourceId, is_uuid
from watchword.domain.oauth import AUTHORIZATION_CODE
from watchword.domain.oauthapplications import (
    Application,
    check_application_name,
    check_application_scopes,
    check_flows,
    check_redirect_uris,
    check_token_seconds,
)
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.services.oauthgrants import end_all_in
from watchword.store.base import Page, Transaction

CLIENT_ID_BYTES = 10
_SECRET_BYTES = 32
DEFAULT_SECONDS = 8 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationRequest:
    """What an administrator says of an application.

    Attributes:
        token_seconds: how long its access tokens live; 0 means until they are revoked.
    """

    name: str = ""
    redirect_uris: Sequence[str] = ()
    confidential: bool = False
    flows: Sequence[str] = (AUTHORIZATION_CODE,)
    scopes: Sequence[str] = ()
    token_seconds: int = DEFAULT_SECONDS
    refresh: bool = True


@dataclass(frozen=True, slots=True)
class Registered:
    """A fresh application; its secret is seen here and never again, and None for a public client."""

    application: Application
    secret: Secret | None


def _secret() -> Secret:
    return Secret(secrets.token_urlsafe(_SECRET_BYTES))


async def register_in(
    context: Context, tx: Transaction, access: Access, asked: ApplicationRequest
) -> Registered:
    """Register an application; it reaches this organization alone.

    Raises:
        Invalid: what is said of it is not acceptable.
    """
    now, secret = context.clock.now(), _secret() if asked.confidential else None
    application = _checked(
        Application(
            organization_id=access.id,
            id=ResourceId(context.new_id()),
            client_id=secrets.token_hex(CLIENT_ID_BYTES),
            name=asked.name,
            redirect_uris=tuple(asked.redirect_uris),
            confidential=asked.confidential,
            secret_digest=digest(secret.reveal()) if secret is not None else b"",
            flows=tuple(asked.flows),
            scopes=" ".join(asked.scopes),
            token_seconds=asked.token_seconds,
            refresh=asked.refresh,
            created_at=now,
            created_by=access.user.id,
            updated_at=now,
        )
    )
    await tx.oauth.add_application(application)
    await _record(context, tx, access, Action.OAUTH_APPLICATION_CREATED, application, shown(application))
    return Registered(application, secret)


def _checked(application: Application) -> Application:
    """The application as it is kept.

    Raises:
        Invalid: something is not acceptable.
    """
    flows = check_flows(application.flows)
    return replace(
        application,
        name=check_application_name(application.name),
        flows=flows,
        redirect_uris=check_redirect_uris(application.redirect_uris, flows),
        scopes=check_application_scopes(application.scopes.split()),
        token_seconds=check_token_seconds(application.token_seconds),
    )


def shown(application: Application) -> dict[str, object]:
    """What the trail says of an application."""
    return {
        "name": application.name,
        "client_id": application.client_id,
        "redirect_uris": application.redirect_uris,
        "confidential": application.confidential,
        "flows": application.flows,
        "scopes": application.scopes,
        "token_seconds": application.token_seconds,
        "refresh": application.refresh,
    }


async def applications_of(tx: Transaction, access: Access, page: Page) -> list[Application]:
    """What the organization registered, oldest first."""
    return list(await tx.oauth.applications(access.id, page))


async def find_application(tx: Transaction, access: Access, text: str) -> Application:
    """One by its id.

    Raises:
        NotFound: there is none.
    """
    found = await tx.oauth.application(access.id, ResourceId(text.lower())) if is_uuid(text) else None
    if found is None:
        raise NotFound("No application found")
    return found


async def change_in(
    context: Context, tx: Transaction, access: Access, application: Application, changes: Mapping[str, object]
) -> Application:
    """Change an application; tokens that it has follow at their next renewal.

    Args:
        context: the ground.
        tx: the unit of work.
        access: who asks.
        application: as it is.
        changes: fields of `Application`; whether it is confidential cannot change.

    Raises:
        Invalid: something is not acceptable.
        NotFound: it was deleted meanwhile.
    """
    wanted = _checked(replace(application, **changes))  # type: ignore[arg-type] # names of its fields
    if wanted == application:
        return application
    before, after = shown(application), shown(wanted)
    changed = {name: after[name] for name in after if after[name] != before[name]}
    return await _save(context, tx, access, wanted, changed)


async def renew_secret_in(
    context: Context, tx: Transaction, access: Access, application: Application
) -> Registered:
    """Give a confidential application another secret; the former one is dead at once.

    Raises:
        Conflict: it is a public client.
        NotFound: it was deleted meanwhile.
    """
    if not application.confidential:
        raise Conflict("A public client has no secret.", code="public_client")
    secret = _secret()
    wanted = replace(application, secret_digest=digest(secret.reveal()))
    return Registered(await _save(context, tx, access, wanted, {"secret": "renewed"}), secret)


async def _save(
    context: Context, tx: Transaction, access: Access, wanted: Application, changed: Mapping[str, object]
) -> Application:
    written = replace(wanted, updated_at=context.clock.now())
    if not await tx.oauth.save_application(written):
        raise NotFound("No application found")
    await _record(context, tx, access, Action.OAUTH_APPLICATION_UPDATED, written, changed)
    return written


async def delete_in(context: Context, tx: Transaction, access: Access, application: Application) -> int:
    """Delete an application, and end what people let it do, at once; how many connections that was.

    Raises:
        NotFound: it was deleted meanwhile.
    """
    if not await tx.oauth.end_application(access.id, application.id, context.clock.now()):
        raise NotFound("No application found")
    ended = await end_all_in(
        context, tx, access.caller, application, access.user.id, "the application was deleted"
    )
    data = {"name": application.name, "client_id": application.client_id, "connections": len(ended)}
    await _record(context, tx, access, Action.OAUTH_APPLICATION_DELETED, application, data)
    return len(ended)


async def _record(
    context: Context,
    tx: Transaction,
    access: Access,
    action: Action,
    application: Application,
    data: Mapping[str, object],
) -> None:
    subject = ("oauth_application", application.id)
    await context.record(tx, access.caller, action, access.id, subject, data)
