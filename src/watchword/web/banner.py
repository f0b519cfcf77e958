"""The banner: a message that stands above every page of the organization."""

from litestar import get, post

from watchword.domain.accounts import User
from watchword.domain.errors import NotFound, WatchwordError
from watchword.services.banners import MAX_MESSAGE, delete_banner, set_banner
from watchword.services.queries import Access, Unit, people
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.settings import SETTINGS, base
from watchword.web.visit import Page, Visit, WebRequest

BANNER = SETTINGS + "/banner"


async def _show(visit: Visit, *problems: Problem) -> Page:
    async def work(tx: Unit, _access: Access) -> User | None:
        by = visit.banner.updated_by if visit.banner is not None else None
        return (await people(tx, [by])).get(by) if by is not None else None

    by = await visit.read(work)
    values = {"by": by, "most": MAX_MESSAGE}
    if problems:
        return visit.show_again("settings/banner.html", *problems, **values)
    return visit.show("settings/banner.html", status=200, **values)


@get(BANNER, opt=page("organization_banner.update"))
async def show_banner(request: WebRequest) -> Page:
    """The banner in a form."""
    return await _show(Visit.of(request))


@post(BANNER, opt=page("organization_banner.update"), status_code=200)
async def put_banner(request: WebRequest) -> Page:
    """Set or change the banner."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        message = visit.form.text("message")
        await set_banner(visit.context, tx, access.caller, access.id, message, access.user.id)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, Problem.of(error, "message"))
    return visit.go(f"{base(visit)}/banner", done="banner-set")


@post(BANNER + "/delete", opt=page("organization_banner.update"), status_code=200)
async def remove_banner(request: WebRequest) -> Page:
    """Remove the banner; where there is none, that is what was wanted."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        try:
            await delete_banner(visit.context, tx, access.caller, access.id)
        except NotFound:
            return

    await visit.write(work)
    return visit.go(f"{base(visit)}/banner", done="banner-removed")


HANDLERS = (show_banner, put_banner, remove_banner)
