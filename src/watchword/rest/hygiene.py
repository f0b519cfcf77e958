"""Hygiene over REST: tokens that need attention, with reason codes and counts; a route of our own."""

import msgspec
from litestar import Response, get

from watchword.domain.errors import Invalid
from watchword.domain.hygiene import REASONS, Flag
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant, whole_seconds
from watchword.rest.users import User, show_user
from watchword.services.hygiene import Finding, Report, report
from watchword.services.queries import Access, Unit


class HygieneReason(msgspec.Struct, kw_only=True):
    """Why tokens need attention, what to do, and how many tokens it concerns."""

    code: str
    text: str
    count: int


class UntidyToken(msgspec.Struct, kw_only=True):
    """A token that needs attention. `cluster_id` is null outside clusters, `owner` where nobody has it."""

    id: str
    kind: str
    description: str
    cluster_id: str | None
    owner: User | None
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    last_used_from: str | None
    reasons: list[str]


class Hygiene(msgspec.Struct, kw_only=True):
    """What hygiene found among the live tokens of an organization."""

    inspected: int
    reasons: list[HygieneReason]
    tokens: list[UntidyToken]


def _show(finding: Finding) -> UntidyToken:
    token, used, owner = finding.token, finding.used, finding.owner
    return UntidyToken(
        id=token.id,
        kind=token.kind.value,
        description=token.description,
        cluster_id=token.cluster_id,
        owner=show_user(owner) if owner is not None else None,
        created_at=instant(token.created_at),
        expires_at=whole_seconds(token.expires_at),
        last_used_at=instant(used.last_at) if used is not None else None,
        last_used_from=(used.address or None) if used is not None else None,
        reasons=[flag.value for flag in finding.flags],
    )


def _flag(call: Call) -> Flag | None:
    given = call.query("reason")
    try:
        return Flag(given[0]) if given else None
    except ValueError:
        known = ", ".join(flag.value for flag in Flag)
        raise Invalid(f"Validation failed: Reason is one of {known}", code="unknown_reason") from None


@get(
    "/v2/organizations/{org:str}/hygiene",
    opt=needs("hygiene.read", query=(*PAGED, "reason")),
    summary="List tokens that need attention",
)
async def get_hygiene(request: RestRequest) -> Response[Hygiene]:
    """Tokens that are unused, too broad, about to expire or left behind; `reason` asks for one kind."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Report:
        now = call.context.clock.now()
        return await report(tx, call.authority.ledger, access, now, _flag(call))

    found = await call.read(work)
    window = call.page.window
    rows = found.findings[window.offset : window.offset + window.limit]
    shown = Hygiene(
        inspected=found.inspected,
        reasons=[
            HygieneReason(code=flag.value, text=REASONS[flag], count=found.counts[flag])
            for flag in Flag
            if flag in found.counts
        ],
        tokens=[_show(each) for each in call.page.cut(rows)],
    )
    return Response(shown, headers=call.links(rows), media_type="application/json")


HANDLERS = (get_hygiene,)
