"""Secrets of a cluster: listed, made, changed and deleted. A value goes in and is never shown again."""

from collections.abc import Mapping, Sequence
from functools import partial

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.accounts import Cluster, User
from watchword.domain.errors import WatchwordError
from watchword.domain.ids import UserId
from watchword.domain.secrets import ClusterSecret
from watchword.services.queries import Access, Unit, people
from watchword.services.secrets import (
    create_secret,
    delete_secret,
    find_secret,
    secrets_of,
    set_secret_value,
    update_secret,
)
from watchword.web.clusters import CLUSTER, cluster_here, home
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.paging import Paging
from watchword.web.visit import Page, Visit, WebRequest

SECRETS = CLUSTER + "/secrets"
SECRET = SECRETS + "/{secret:str}"

Known = Mapping[UserId, User]

# Which field these speak of here; elsewhere they speak of others.
_FIELDS = {"taken": "key", "invalid_yaml": "policy"}


def _named(error: WatchwordError) -> WatchwordError | Problem:
    return Problem.of(error, _FIELDS[error.code]) if error.code in _FIELDS else error


def at(visit: Visit) -> str:
    """Where the cluster's secrets are."""
    return f"{home(visit)}/secrets"


def _value(visit: Visit) -> Secret:
    """The value that was typed; forms end lines with CR LF, and no key or certificate means that."""
    return Secret(visit.form.raw("value").replace("\r\n", "\n"))


async def _find(visit: Visit, tx: Unit, access: Access) -> tuple[Cluster, ClusterSecret]:
    cluster = await cluster_here(visit, tx, access)
    return cluster, await find_secret(tx, cluster, visit.path("secret"))


@get(SECRETS, opt=page("secret.read"))
async def list_secrets(request: WebRequest) -> Page:
    """Secrets of the cluster, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Cluster, Paging, Sequence[ClusterSecret], Known]:
        cluster = await cluster_here(visit, tx, access)
        paging, shown = visit.paging.cut(await secrets_of(tx, cluster, visit.paging.window))
        return cluster, paging, shown, await people(tx, [secret.updated_by for secret in shown])

    cluster, paging, shown, known = await visit.read(work)
    return visit.show("secrets/index.html", cluster=cluster, secrets=shown, known=known, paging=paging)


# -- made ------------------------------------------------------------------------------------------


async def _show_new(visit: Visit, *errors: WatchwordError) -> Page:
    cluster = await visit.read(partial(cluster_here, visit))
    return visit.show_again("secrets/edit.html", *map(_named, errors), cluster=cluster, secret=None)


@get(SECRETS + "/new", opt=page("secret.create"))
async def ask_for_secret(request: WebRequest) -> Page:
    """The form of a new secret."""
    return await _show_new(Visit.of(request))


@post(SECRETS, opt=page("secret.create"), status_code=200)
async def create_one(request: WebRequest) -> Page:
    """Create a secret; its value is sealed at once."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        await create_secret(
            visit.context,
            tx,
            access.caller,
            await cluster_here(visit, tx, access),
            visit.form.text("key"),
            _value(visit),
            description=visit.form.text("description"),
            policy=visit.form.text("policy"),
            created_by=access.user.id,
        )

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show_new(visit, error)
    return visit.go(at(visit), done="secret-created")


# -- changed ---------------------------------------------------------------------------------------


async def _show(visit: Visit, template: str, *errors: WatchwordError) -> Page:
    cluster, secret = await visit.read(partial(_find, visit))
    return visit.show_again(template, *map(_named, errors), cluster=cluster, secret=secret)


@get(SECRET + "/edit", opt=page("secret.update"))
async def ask_for_changes(request: WebRequest) -> Page:
    """The form of what a secret says of itself."""
    return await _show(Visit.of(request), "secrets/edit.html")


@post(SECRET + "/edit", opt=page("secret.update"), status_code=200)
async def change_secret(request: WebRequest) -> Page:
    """Change description and policy; key and value stay."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        _, secret = await _find(visit, tx, access)
        await update_secret(
            visit.context,
            tx,
            access.caller,
            secret,
            description=visit.form.text("description"),
            policy=visit.form.text("policy"),
            by=access.user.id,
        )

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, "secrets/edit.html", error)
    return visit.go(at(visit), done="secret-updated")


@get(SECRET + "/value", opt=page("secret.update"))
async def ask_for_value(request: WebRequest) -> Page:
    """The form of another value."""
    return await _show(Visit.of(request), "secrets/value.html")


@post(SECRET + "/value", opt=page("secret.update"), status_code=200)
async def change_value(request: WebRequest) -> Page:
    """Replace the value; the old one is gone."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        _, secret = await _find(visit, tx, access)
        await set_secret_value(visit.context, tx, access.caller, secret, _value(visit), access.user.id)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, "secrets/value.html", error)
    return visit.go(at(visit), done="secret-value-changed")


# -- deleted ---------------------------------------------------------------------------------------


@get(SECRET + "/delete", opt=page("secret.delete"))
async def ask_before_deletion(request: WebRequest) -> Page:
    """Who may miss it."""
    return await _show(Visit.of(request), "secrets/delete.html")


@post(SECRET + "/delete", opt=page("secret.delete"), status_code=200)
async def remove_secret(request: WebRequest) -> Page:
    """Delete a secret with its value."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        _, secret = await _find(visit, tx, access)
        await delete_secret(visit.context, tx, access.caller, secret)

    await visit.write(work)
    return visit.go(at(visit), done="secret-deleted")


HANDLERS = (
    list_secrets,
    ask_for_secret,
    create_one,
    ask_for_changes,
    change_secret,
    ask_for_value,
    change_value,
    ask_before_deletion,
    remove_secret,
)
