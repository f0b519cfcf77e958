"""The API access audit: whose API access tokens reach the organization, as a page and as CSV."""

from urllib.parse import urlencode

from litestar import Response, get

from watchword.domain.errors import Invalid
from watchword.domain.restrictions import load
from watchword.domain.scopes import ALL_SCOPES
from watchword.services.accesscsv import EVERY_TOKEN, FILE_NAME, access_csv
from watchword.services.apitokenlists import Listed, Sift, list_api_tokens
from watchword.services.queries import Access, Unit
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.settings import SETTINGS, base, nothing
from watchword.web.visit import Page, Visit, WebRequest

AUDIT = SETTINGS + "/access-audit"
_FILTERS = ("user", "scope", "ip", "role")
_ROLES = {"admin": True, "member": False}


def _sift(visit: Visit) -> Sift:
    """Which tokens the address asks for.

    Raises:
        Invalid: a filter cannot be read.
    """
    query = visit.query
    sift = Sift(
        user=query.text("user"),
        scope=query.text("scope"),
        network=query.text("ip"),
        admin=_ROLES.get(query.text("role")),
    )
    sift.check()
    return sift


@get(AUDIT, opt=page("api_token.read"))
async def show_audit(request: WebRequest) -> Page:
    """Tokens that reach the organization, oldest first."""
    visit = Visit.of(request)
    query = visit.query

    async def work(tx: Unit, access: Access) -> list[Listed]:
        ledger = visit.authority.ledger
        return await list_api_tokens(tx, ledger, access, _sift(visit), visit.paging.window)

    problems: list[Problem] = []
    found: list[Listed] = []
    try:
        found = await visit.read(work)
    except Invalid as error:
        await visit.read(nothing)
        problems.append(Problem.of(error, "ip" if error.code == "invalid_network" else ""))
    paging, shown = visit.paging.cut(found)
    kept = [(name, query.text(name)) for name in _FILTERS if query.text(name)]
    return visit.show(
        "settings/access_audit.html",
        status=422 if problems else 200,
        problems=problems,
        form=query,
        tokens=[
            (one, [block.text for block in load(one.reaching.token.restrictions).networks]) for one in shown
        ],
        paging=paging,
        filtered=bool(kept),
        csv=f"{base(visit)}/access-audit.csv" + (f"?{urlencode(kept)}" if kept else ""),
        scopes=sorted(ALL_SCOPES),
    )


@get(AUDIT + ".csv", opt=page("api_token.read"))
async def download(request: WebRequest) -> Response[bytes]:
    """The audit, filtered in the same way, as CSV: the file that REST gives out."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> list[Listed]:
        return await list_api_tokens(tx, visit.authority.ledger, access, _sift(visit), EVERY_TOKEN)

    text = access_csv(await visit.read(work))
    headers = {"content-disposition": f'attachment; filename="{FILE_NAME}"'}
    return Response(text.encode(), media_type="text/csv", headers=headers)


HANDLERS = (show_audit, download)
