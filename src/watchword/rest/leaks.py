"""Leaks: cases of tokens that were seen where they must not be, looked at, answered, closed, reported."""

from collections.abc import Awaitable, Callable

from litestar import Response, get, post, put

from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.kinds import VALUED, Kind
from watchword.domain.leakpolicy import Rule, read_rule
from watchword.domain.leaks import LeakState, Visibility
from watchword.rest import leakshapes as shapes
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import read_time
from watchword.services.leakactions import Told
from watchword.services.leakcases import Case, cases_in, find_case, query_for, with_token
from watchword.services.leakdocument import Document, document, summary
from watchword.services.leakexport import file_name, leak_csv, leak_markdown
from watchword.services.leakresponding import Done
from watchword.services.leakview import LeakView, trail_of, view_leak
from watchword.services.queries import Access, Unit, people

LEAKS = "/v2/organizations/{org:str}/leaks"
LEAK = LEAKS + "/{leak:str}"
_FILTERS = ("state", "kind", "reporter")
Change = Callable[[Unit, Access, Case], Awaitable[Done]]


async def _summary(call: Call, tx: Unit, access: Access, case: Case) -> shapes.Leak:
    known = await people(tx, [case.leak.acted_by, case.leak.closed_by])
    now = call.context.clock.now()
    return shapes.shown(summary(call.site, access.organization.slug, case, known, now))


def _word(call: Call, name: str) -> str:
    return next(iter(call.query(name)), "")


def _states(call: Call) -> tuple[LeakState, ...]:
    try:
        return tuple(LeakState(each) for each in call.query("state"))
    except ValueError:
        raise Invalid(
            "Validation failed: State is one of open, held, closed", code="invalid_leak_state"
        ) from None


def _kind(call: Call) -> Kind | None:
    text = _word(call, "kind")
    if text and text not in VALUED:
        raise Invalid("Validation failed: there is no such kind of token", code="unknown_kind")
    return Kind(text) if text else None


@get(LEAKS, opt=needs("leak.read", query=(*PAGED, *_FILTERS)), summary="List leaks")
async def list_leaks(request: RestRequest) -> Response[list[shapes.Leak]]:
    """Cases, the most urgent first: held, then open with a live token, public ones before others."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[Case], list[shapes.Leak]]:
        query_for(access)  # who sees none hears that first
        asked = query_for(access, states=_states(call), kind=_kind(call), reporter=_word(call, "reporter"))
        rows = await cases_in(tx, asked, call.page.window)
        return rows, [await _summary(call, tx, access, row) for row in call.page.cut(rows)]

    rows, items = await call.read(work, defer=True)
    return call.listed(items, rows)


async def _whole(call: Call) -> Document:
    async def work(tx: Unit, access: Access) -> LeakView:
        case = await find_case(tx, access, call.operation, call.path("leak"))
        return await view_leak(tx, call.authority, access.organization, case)

    view = await call.read(work, defer=True)
    trail = await trail_of(call.authority, view.leak)
    return document(call.site, view, trail, call.context.clock.now())


@get(LEAK, opt=needs("leak.read"), summary="Get a leak")
async def get_leak(request: RestRequest) -> shapes.LeakCase:
    """One case: where it was found, what the token reaches, who used it since, what was done."""
    return shapes.shown_whole(await _whole(Call.of(request)))


def _file(text: str, name: str, media_type: str) -> Response[bytes]:
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
    }
    return Response(text.encode(), media_type=media_type, headers=headers)


@get(LEAK + "/export.csv", opt=needs("leak.read"), media_type="text/csv", summary="Export a leak as CSV")
async def export_csv(request: RestRequest) -> Response[bytes]:
    """A case as CSV: a line for each place, use, agent and event."""
    whole = await _whole(Call.of(request))
    return _file(leak_csv(whole), file_name(whole, "csv"), "text/csv")


@get(
    LEAK + "/export.md",
    opt=needs("leak.read"),
    media_type="text/markdown",
    summary="Export a leak as Markdown",
)
async def export_markdown(request: RestRequest) -> Response[bytes]:
    """A case as a page to read."""
    whole = await _whole(Call.of(request))
    return _file(leak_markdown(whole), file_name(whole, "md"), "text/markdown")


@post(LEAKS, opt=needs("leak.report", body=shapes.LeakReport), summary="Report a leak")
async def report_leak(request: RestRequest) -> Response[shapes.LeakReported]:
    """Report a token that leaked; the organization's rules answer at once."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> tuple[Done, shapes.LeakReported | None]:
        told = _told(call.decode(shapes.LeakReport))
        done = await call.authority.leak_actions.report_in(tx, access, told)
        return done, await _reported(call, tx, access, done)

    done, reported = await call.write(work)
    await call.authority.responder.settle([done])
    if reported is None:  # another organization's: it has its case, and this one hears nothing of it
        raise NotFound("That is no token of this organization.", code="token_unknown")
    return Response(reported, status_code=201)


async def _reported(call: Call, tx: Unit, access: Access, done: Done) -> shapes.LeakReported | None:
    leak = done.leak
    if leak.organization_id != access.id:
        return None
    case = await with_token(tx, leak)
    seen = access.may("leak.read", cluster=case.cluster_id)
    return shapes.LeakReported(
        kind=leak.kind.value,
        token_id=leak.token_id,
        outcome=leak.outcome.value,
        leak=await _summary(call, tx, access, case) if seen else None,
    )


def _told(body: shapes.LeakReport) -> Told:
    text = body.visibility or Visibility.PRIVATE.value
    if text not in list(Visibility):
        words = ", ".join(each.value for each in Visibility)
        raise Invalid(f"Validation failed: Visibility is one of {words}", code="invalid_visibility")
    return Told(
        value=Secret(body.value) if body.value else None,
        token_id=body.token_id or "",
        url=body.url or "",
        place=body.place or "",
        visibility=Visibility(text),
        exposed_at=read_time("Exposed at", body.exposed_at),
    )


async def _change(call: Call, change: Change) -> shapes.Leak:
    """Change a case, settle it, and show it."""

    async def work(tx: Unit, access: Access) -> tuple[Done, shapes.Leak]:
        case = await find_case(tx, access, call.operation, call.path("leak"))
        done = await change(tx, access, case)
        return done, await _summary(call, tx, access, await with_token(tx, done.leak))

    done, shown = await call.write(work, defer=True)
    await call.authority.responder.settle([done])
    return shown


def _rule(body: shapes.LeakResponse) -> Rule:
    if not body.response:
        raise Invalid(
            "Validation failed: Response is one of revoke, rotate, quarantine, notify",
            code="invalid_leak_rule",
        )
    more = {"revoke": body.mode, "rotate": body.grace_minutes}.get(body.response)
    return read_rule(body.response if more is None else f"{body.response}:{more}")


@put(LEAK + "/respond", opt=needs("leak.respond", body=shapes.LeakResponse), summary="Answer a leak")
async def respond(request: RestRequest) -> shapes.Leak:
    """Answer a leak now, also one that is held for a person; `notify` lets a held one be.

    The new value after a rotation is taken on the console, once.
    """
    call = await Call.with_body(request)

    async def change(tx: Unit, access: Access, case: Case) -> Done:
        rule = _rule(call.decode(shapes.LeakResponse))
        return await call.authority.leak_actions.respond_in(tx, access, case, rule)

    return await _change(call, change)


@put(LEAK + "/release", opt=needs("leak.respond"), summary="Release a leaked token")
async def release(request: RestRequest) -> shapes.Leak:
    """Lift a leaked token's quarantine; it works again."""
    call = Call.of(request)

    async def change(tx: Unit, access: Access, case: Case) -> Done:
        return Done(await call.authority.leak_actions.release_in(tx, access, case))

    return await _change(call, change)


@put(LEAK + "/close", opt=needs("leak.close", body=shapes.LeakClosing), summary="Close a leak")
async def close(request: RestRequest) -> shapes.Leak:
    """Close a case with what was found out."""
    call = await Call.with_body(request)

    async def change(tx: Unit, access: Access, case: Case) -> Done:
        note = call.decode(shapes.LeakClosing).note or ""
        return Done(await call.authority.leak_actions.close_in(tx, access, case, note))

    return await _change(call, change)


@put(LEAK + "/reopen", opt=needs("leak.close"), summary="Reopen a leak")
async def reopen(request: RestRequest) -> shapes.Leak:
    """Open a closed case again."""
    call = Call.of(request)

    async def change(tx: Unit, access: Access, case: Case) -> Done:
        return Done(await call.authority.leak_actions.reopen_in(tx, access, case))

    return await _change(call, change)


HANDLERS = (
    list_leaks,
    get_leak,
    export_csv,
    export_markdown,
    report_leak,
    respond,
    release,
    close,
    reopen,
)
