"""Package registries: listed, made, changed, deleted; what is in one, and how it is used."""

from dataclasses import replace
from typing import Any

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain import registries
from watchword.domain.errors import Forbidden, Invalid, NotFound, WatchwordError
from watchword.domain.ids import TokenId
from watchword.domain.packages import Package, PackageAccess
from watchword.domain.teams import Team
from watchword.services.lookups import EVERYTHING
from watchword.services.packagefiles import delete_package, find_package, packages_part
from watchword.services.queries import Access, Unit
from watchword.services.registries import (
    RegistryRequest,
    create_registry,
    delete_registry,
    find_registry,
    registries_of,
    update_registry,
)
from watchword.services.registrytokens import (
    RegistryTokenRow,
    create_temporary_token,
    registry_tokens,
    shown_tokens,
)
from watchword.services.teams import teams_of
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.once import fresh_once, mint_once
from watchword.web.rendering import segment
from watchword.web.visit import Page, Visit, WebRequest

REGISTRIES = "/organizations/{org:str}/registries"
REGISTRY = REGISTRIES + "/{registry:str}"
_SHOWN = 50


def base(visit: Visit) -> str:
    """Address of the list."""
    return f"/organizations/{segment(visit.path('org'))}/registries"


def at(visit: Visit) -> str:
    """Address of the registry of the path."""
    return f"{base(visit)}/{segment(visit.path('registry'))}"


def index_address(visit: Visit, registry: registries.Registry) -> str:
    """Where installers and uploaders find it."""
    slug = segment(visit.path("org"))
    return f"{visit.context.installation.url}/packages/{slug}/{registry.slug}/pypi/"


@get(REGISTRIES, opt=page("registry.read"))
async def list_registries(request: WebRequest) -> Page:
    """Registries that the person reaches, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> list[registries.Registry]:
        return await registries_of(tx, access, visit.paging.window)

    paging, shown = visit.paging.cut(await visit.read(work))
    return visit.show("registries/index.html", registries=shown, paging=paging)


async def _teams(visit: Visit) -> list[Team]:
    async def work(tx: Unit, access: Access) -> list[Team]:
        return await teams_of(tx, access, EVERYTHING)

    return await visit.read(work)


@get(REGISTRIES + "/new", opt=page("registry.create"))
async def ask_for_registry(request: WebRequest) -> Page:
    """The form of a new registry."""
    visit = Visit.of(request)
    teams = await _teams(visit)
    return visit.show("registries/edit.html", registry=None, teams=teams, chosen=())


@post(REGISTRIES, opt=page("registry.create"), status_code=200)
async def post_registry(request: WebRequest) -> Page:
    """Create a registry without packages."""
    visit = Visit.of(request)
    form = visit.form

    async def work(tx: Unit, access: Access) -> registries.Registry:
        asked = RegistryRequest(
            name=form.text("name"),
            ecosystem=form.text("ecosystem") or registries.PYTHON,
            description=form.text("description"),
            emoji=form.text("emoji"),
            color=form.text("color"),
            public=form.ticked("public"),
            team_ids=form.texts("team"),
        )
        return await create_registry(visit.context, tx, access, asked)

    try:
        made = await visit.write(work)
    except Forbidden:
        raise
    except WatchwordError as error:
        teams = await _teams(visit)
        chosen = form.texts("team")
        return visit.show_again("registries/edit.html", error, registry=None, teams=teams, chosen=chosen)
    return visit.go(f"{base(visit)}/{made.slug}", done="registry-created")


async def found(visit: Visit) -> registries.Registry:
    """The registry of the path.

    Raises:
        NotFound: there is none that the person reaches.
    """

    async def work(tx: Unit, access: Access) -> registries.Registry:
        return await find_registry(tx, access, visit.path("registry"))

    return await visit.read(work)


async def show_page(visit: Visit, *errors: WatchwordError, **shown: Any) -> Page:  # noqa: ANN401
    """The registry of the path, with a fresh value where one was just made."""

    async def work(
        tx: Unit, access: Access
    ) -> tuple[registries.Registry, tuple[Package, ...], int, list[RegistryTokenRow], list[Team]]:
        registry = await find_registry(tx, access, visit.path("registry"))
        part = await packages_part(tx, registry, "", "", _SHOWN)
        count = await tx.packages.count(access.id, registry.id)
        rows: list[RegistryTokenRow] = []
        if access.may("registry_token.read"):
            tokens = await registry_tokens(tx, registry, EVERYTHING)
            rows = await shown_tokens(tx, visit.authority.ledger, tokens)
        teams = [team for team in await teams_of(tx, access, EVERYTHING) if team.id in registry.team_ids]
        return registry, part.rows, count, rows, teams

    registry, packages, count, rows, teams = await visit.read(work)
    values: dict[str, Any] = {"value": "", "value_of": "", "told": ""}
    return visit.show(
        "registries/show.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error) for error in errors],
        registry=registry,
        packages=packages,
        count=count,
        rows=rows,
        teams=teams,
        address=index_address(visit, registry),
        once=fresh_once(),
        **values | shown,
    )


@get(REGISTRY, opt=page("registry.read"))
async def show_registry(request: WebRequest) -> Page:
    """One registry: its packages, its tokens, how pip and twine use it."""
    return await show_page(Visit.of(request))


def _filled(registry: registries.Registry) -> Form:
    """A form that says what a registry is."""
    given = {name: getattr(registry, name) for name in ("name", "description", "emoji", "color")}
    return Form([*given.items(), ("public", "1" if registry.public else "")])


@get(REGISTRY + "/edit", opt=page("registry.update"))
async def ask_for_changes(request: WebRequest) -> Page:
    """The form of a registry as it is."""
    visit = Visit.of(request)
    registry = await found(visit)
    return visit.show(
        "registries/edit.html",
        registry=registry,
        teams=await _teams(visit),
        chosen=registry.team_ids,
        form=_filled(registry),
    )


@post(REGISTRY + "/edit", opt=page("registry.update"), status_code=200)
async def change_registry(request: WebRequest) -> Page:
    """Change a registry; another name makes another address."""
    visit = Visit.of(request)
    form = visit.form

    async def work(tx: Unit, access: Access) -> registries.Registry:
        before = await find_registry(tx, access, visit.path("registry"))
        after = replace(
            before,
            name=form.text("name"),
            description=form.text("description"),
            emoji=form.text("emoji"),
            color=form.text("color"),
            public=form.ticked("public"),
            team_ids=tuple(form.texts("team")),
        )
        return await update_registry(visit.context, tx, access, before, after)

    try:
        changed = await visit.write(work)
    except (NotFound, Forbidden):
        raise
    except WatchwordError as error:
        registry, teams = await found(visit), await _teams(visit)
        chosen = form.texts("team")
        return visit.show_again("registries/edit.html", error, registry=registry, teams=teams, chosen=chosen)
    return visit.go(f"{base(visit)}/{changed.slug}", done="registry-updated")


async def _ending(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[registries.Registry, int, list[RegistryTokenRow]]:
        registry = await find_registry(tx, access, visit.path("registry"))
        tokens = await registry_tokens(tx, registry, EVERYTHING)
        count = await tx.packages.count(access.id, registry.id)
        return registry, count, await shown_tokens(tx, visit.authority.ledger, tokens)

    registry, count, rows = await visit.read(work)
    return visit.show_again("registries/delete.html", *errors, registry=registry, count=count, rows=rows)


@get(REGISTRY + "/delete", opt=page("registry.delete"))
async def ask_to_delete(request: WebRequest) -> Page:
    """What ends with the registry."""
    return await _ending(Visit.of(request))


@post(REGISTRY + "/delete", opt=page("registry.delete", fresh=True), status_code=200)
async def remove_registry(request: WebRequest) -> Page:
    """Delete a registry with its packages; its tokens are revoked in the same moment."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        registry = await find_registry(tx, access, visit.path("registry"))
        if not visit.form.ticked("sure"):
            raise Invalid("Tick the box that you know what ends.", code="not_confirmed")
        await delete_registry(visit.context, tx, access, registry)

    try:
        await visit.write(work)
    except Invalid as error:
        return await _ending(visit, error)
    return visit.go(base(visit), done="registry-deleted")


@post(REGISTRY + "/packages/{package:str}/delete", opt=page("package.delete", fresh=True), status_code=200)
async def remove_package(request: WebRequest) -> Page:
    """Delete a version of a package; its files' names are never used again."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        registry = await find_registry(tx, access, visit.path("registry"))
        package = await find_package(tx, registry, visit.path("package"))
        await delete_package(visit.context, tx, access, package)

    await visit.write(work)
    return visit.go(at(visit), done="package-deleted")


@post(REGISTRY + "/temporary-token", opt=page("temporary_package_token.create", fresh=True), status_code=200)
async def make_temporary_token(request: WebRequest) -> Page:
    """A token for five minutes, shown in this one answer."""
    visit = Visit.of(request)
    registry = await found(visit)

    async def work(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        known = await find_registry(tx, access, visit.path("registry"))
        try:
            wanted = PackageAccess(visit.form.text("access"))
        except ValueError:
            raise Invalid("Choose whether the token reads or writes.", code="invalid_access") from None
        access.require(f"package.{wanted.value}")
        issued = await create_temporary_token(visit.context, tx, access, known, wanted)
        return issued.token.id, issued.value

    try:
        minted = await mint_once(visit, registry.organization_id, visit.unit(work))
    except WatchwordError as error:
        return await show_page(visit, error)
    if minted.value is None:
        return visit.go(at(visit))
    return await show_page(
        visit,
        value=minted.value.reveal(),
        value_of=f"Temporary token, {visit.form.text('access')}",
        told="five",
    )


HANDLERS = (
    list_registries,
    ask_for_registry,
    post_registry,
    show_registry,
    ask_for_changes,
    change_registry,
    ask_to_delete,
    remove_registry,
    remove_package,
    make_temporary_token,
)
