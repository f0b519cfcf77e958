"""A new webhook, a changed one, and its token: shown in one answer where we make it, else never."""

from typing import Any

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.ids import OrganizationId, ServiceId, TokenId
from watchword.domain.webhooks import WEBHOOK as PROVIDER
from watchword.services.notifying import (
    ServiceChange,
    SettingsChange,
    create_in,
    find_service,
    token_of,
    update_in,
)
from watchword.services.queries import Access, Unit
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.once import Minted, fresh_once, mint_once
from watchword.web.settings import base
from watchword.web.visit import Page, Visit, WebRequest, Work
from watchword.web.webhookforms import (
    EVENT_GROUPS,
    Choices,
    empty,
    filled,
    problem_of,
    read_change,
    read_choices,
)
from watchword.web.webhooks import WEBHOOK, WEBHOOKS, at, host_of, read_whole

_TOKEN = "token"  # noqa: S105 - the name of a field
# What a page of a form needs: the webhook that it is about, or None for a new one.
Values = dict[str, Any]


def _take_token(visit: Visit) -> Secret:
    """A token that was typed, taken out of the form: no page and no memory of the form ever holds it."""
    typed = Secret(visit.form.text(_TOKEN))
    visit.form = Form(visit.form.without((_TOKEN,)))
    return typed


async def _enter(visit: Visit) -> tuple[OrganizationId, Choices]:
    async def work(tx: Unit, access: Access) -> tuple[OrganizationId, Choices]:
        return access.id, await read_choices(tx, access)

    return await visit.read(work)


def _values(form: Form, choices: Choices, **more: object) -> Values:
    return {"form": form, "choices": choices, "groups": EVENT_GROUPS, **more}


@get(WEBHOOKS + "/new", opt=page("notification_service.create", fresh=True))
async def ask_for_webhook(request: WebRequest) -> Page:
    """The form of a new webhook."""
    visit = Visit.of(request)
    _, choices = await _enter(visit)
    return visit.show("settings/webhook_edit.html", **_new(empty(), choices))


def _new(form: Form, choices: Choices) -> Values:
    return _values(form, choices, service=None, once=fresh_once())


@post(WEBHOOKS, opt=page("notification_service.create", fresh=True), status_code=200)
async def create_webhook(request: WebRequest) -> Page:
    """Create a webhook; a token that we made is shown in this one answer."""
    visit = Visit.of(request)
    typed = _take_token(visit)
    owner, choices = await _enter(visit)

    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        asked = read_change(visit.form, typed)
        service = await create_in(
            visit.context, tx, access.caller, access.id, access.user.id, PROVIDER, asked
        )
        return _known(service.id), token_of(visit.context, service)

    try:
        made = await _make(visit, owner, work, typed)
    except (Invalid, Conflict) as error:
        return visit.show_again("settings/webhook_edit.html", problem_of(error), **_new(visit.form, choices))
    path = f"{base(visit)}/webhooks/{made.token_id}"
    if made.value is None:
        return visit.go(path, done="webhook-created")
    return _show_token(visit, path, made.value)


async def _make(
    visit: Visit, owner: OrganizationId, work: Work[tuple[TokenId, Secret]], typed: Secret
) -> Minted:
    """Write a webhook and its token; the value is there to be shown where it is ours and new.

    A form with a typed token may be sent again with another one: such a form counts each time.
    """
    if typed.reveal():
        made, _ = await visit.write(work)
        return Minted(made, None)
    return await mint_once(visit, owner, visit.unit(work))


def _known(service_id: ServiceId) -> TokenId:
    """What `mint_once` remembers of a form: the id of what it made, here the webhook's."""
    return TokenId(service_id)


def _show_token(visit: Visit, path: str, token: Secret) -> Page:
    return visit.show("settings/webhook_token_shown.html", path=path, value=token.reveal())


async def _change(visit: Visit, form: Form | None, *problems: Problem) -> Page:
    whole = await read_whole(visit)
    values = _values(form or filled(whole.service), whole.choices, service=whole.service)
    if problems:
        return visit.show_again("settings/webhook_edit.html", *problems, **values)
    return visit.show("settings/webhook_edit.html", **values)


@get(WEBHOOK + "/edit", opt=page("notification_service.update", fresh=True))
async def ask_for_changes(request: WebRequest) -> Page:
    """The form of a webhook as it is."""
    return await _change(Visit.of(request), None)


@post(WEBHOOK + "/edit", opt=page("notification_service.update", fresh=True), status_code=200)
async def update_webhook(request: WebRequest) -> Page:
    """Change everything of a webhook but its token."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        service = await find_service(tx, access.id, visit.path("service"))
        await update_in(visit.context, tx, access.caller, service, read_change(visit.form, None))

    try:
        await visit.write(work)
    except (Invalid, Conflict) as error:
        return await _change(visit, visit.form, problem_of(error))
    return visit.go(at(visit), done="webhook-updated")


async def _ask_token(visit: Visit, *problems: Problem) -> Page:
    service = (await read_whole(visit)).service
    values: Values = {"service": service, "host": host_of(service), "once": fresh_once()}
    if problems:
        return visit.show_again("settings/webhook_token.html", *problems, **values)
    return visit.show("settings/webhook_token.html", **values)


@get(WEBHOOK + "/token", opt=page("notification_service.update", fresh=True))
async def ask_for_token(request: WebRequest) -> Page:
    """The form that replaces a webhook's token."""
    return await _ask_token(Visit.of(request))


@post(WEBHOOK + "/token", opt=page("notification_service.update", fresh=True), status_code=200)
async def replace_token(request: WebRequest) -> Page:
    """Replace a webhook's token by a typed one, or by one that we make and show in this one answer."""
    visit = Visit.of(request)
    typed = _take_token(visit)
    owner, _ = await _enter(visit)

    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        service = await find_service(tx, access.id, visit.path("service"))
        asked = ServiceChange(settings=SettingsChange(token=typed))
        changed = await update_in(visit.context, tx, access.caller, service, asked)
        return _known(changed.id), token_of(visit.context, changed)

    try:
        made = await _make(visit, owner, work, typed)
    except (Invalid, Conflict) as error:
        return await _ask_token(visit, problem_of(error))
    if made.value is None:
        return visit.go(at(visit), done="webhook-token-replaced")
    return _show_token(visit, at(visit), made.value)


HANDLERS = (
    ask_for_webhook,
    create_webhook,
    ask_for_changes,
    update_webhook,
    ask_for_token,
    replace_token,
)
