"""The API access audit: whose API access tokens reach the organization (contract rest-graphql §3.4)."""

import msgspec
from litestar import Response, get

from watchword.domain.errors import Invalid
from watchword.rest.apitokens import FILTERS, read_sift
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant, maybe_instant
from watchword.services.accesscsv import EVERY_TOKEN, FILE_NAME, access_csv
from watchword.services.apitokenlists import Listed, Sift, list_api_tokens
from watchword.services.queries import Access, Unit

AUDIT = "/v2/organizations/{org:str}/api-access-audit"
_SIFTED = (*FILTERS, "admin")


class AuditedToken(msgspec.Struct, kw_only=True):
    """A row of the audit: a token, its owner, its last use."""

    owner: str | None
    owner_email: str | None
    owner_id: str | None
    owner_role: str | None
    token_uuid: str
    token_description: str
    last_used_at: str | None
    last_request_ip: str | None
    created_at: str
    expires_at: str | None
    scopes: list[str]


def _show(listed: Listed) -> AuditedToken:
    token, owner, used = listed.reaching.token, listed.reaching.owner, listed.used
    role = listed.reaching.role
    return AuditedToken(
        owner=owner.name if owner is not None else None,
        owner_email=owner.email if owner is not None else None,
        owner_id=token.user_id,
        owner_role=role.value if role is not None else None,
        token_uuid=token.id,
        token_description=token.description,
        last_used_at=instant(used.last_at) if used is not None else None,
        last_request_ip=(used.address or None) if used is not None else None,
        created_at=instant(token.created_at),
        expires_at=maybe_instant(token.expires_at),
        scopes=sorted(token.scopes.split()),
    )


def _read_sift(call: Call) -> Sift:
    given = (call.query("admin") or [""])[0]
    if given not in ("", "true", "false"):
        raise Invalid("Validation failed: Admin is true or false", code="invalid_admin")
    return read_sift(call, admin=None if not given else given == "true")


@get(AUDIT, opt=needs("api_token.read", query=(*PAGED, *_SIFTED)), summary="Audit API access")
async def get_audit(request: RestRequest) -> Response[list[AuditedToken]]:
    """Everybody's API access tokens that reach the organization, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[Listed]:
        return await list_api_tokens(tx, call.authority.ledger, access, _read_sift(call), call.page.window)

    rows = await call.read(work)
    return call.listed([_show(each) for each in call.page.cut(rows)], rows)


@get(
    AUDIT + ".csv",
    opt=needs("api_token.read", query=_SIFTED),
    media_type="text/csv",
    summary="Audit API access, as CSV",
)
async def get_csv(request: RestRequest) -> Response[bytes]:
    """The whole audit as CSV; cells that a program for tables would run get a quote in front."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[Listed]:
        return await list_api_tokens(tx, call.authority.ledger, access, _read_sift(call), EVERY_TOKEN)

    text = access_csv(await call.read(work))
    headers = {
        "content-disposition": f'attachment; filename="{FILE_NAME}"',
        "x-content-type-options": "nosniff",
    }
    return Response(text.encode(), media_type="text/csv", headers=headers)


HANDLERS = (get_audit, get_csv)
