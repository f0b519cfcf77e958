"""Personal settings → API Access Tokens: one's own tokens, and what is known of one."""

from dataclasses import dataclass

from litestar import get

from watchword.domain.leaks import Leak
from watchword.domain.restrictions import load
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.abilities import OrganizationAbilities, abilities_in, held
from watchword.services.leakcases import open_case_of
from watchword.services.owntokens import Own, children_of, find_own, own_tokens
from watchword.services.queries import Unit
from watchword.services.tokenuse import Usage, usage_of
from watchword.services.verifying import look_at
from watchword.web.apitokenforms import in_a_sentence
from watchword.web.apitokenrows import badges
from watchword.web.needs import PERSONAL, page
from watchword.web.newapitoken import OWN_TOKEN, OWN_TOKENS
from watchword.web.paging import PER_PAGE
from watchword.web.tokenrows import scope_summary
from watchword.web.visit import Page, Visit, WebRequest

USED_DAYS = 30
_SHOWN = ("all", "live", "expiring", "never_used", "expired")
_SOON_US = 7 * DAY_US


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one token."""

    own: Own
    usage: list[Usage]
    abilities: list[OrganizationAbilities]
    children: list[Own]
    leak: Leak | None


def fits(own: Own, shown: str, text: str, now: int) -> bool:
    """Whether a list shows a token.

    Args:
        own: the token.
        shown: which ones are asked for, a word of the filter.
        text: what its name, id, scopes or organizations hold, in lower case.
        now: microseconds.
    """
    token = own.token
    live = token.state_at(now) is State.ACTIVE
    chosen = {
        "live": live,
        "expiring": live and 0 < token.expires_at <= now + _SOON_US,
        "never_used": own.used is None,
        "expired": token.state_at(now) is State.EXPIRED,
    }.get(shown, True)
    told = (token.description, token.id, token.scopes, *(one.name for one in own.reached))
    return chosen and (not text or any(text in each.lower() for each in told))


@get(OWN_TOKENS, opt=page(PERSONAL))
async def list_tokens(request: WebRequest) -> Page:
    """All of one's tokens that are not revoked, newest first."""
    visit = Visit.of(request)
    found = await visit.context.store.read(lambda tx: own_tokens(tx, visit.authority.ledger, visit.user))
    shown, text = visit.query.text("show", "all"), visit.query.text("q")
    rows = [own for own in found if fits(own, shown, text.lower(), visit.now)]
    paging = visit.paging
    cut, rows = paging.cut(rows[paging.offset : paging.offset + PER_PAGE + 1])
    return visit.show(
        "apitokens/index.html",
        rows=rows,
        paging=cut,
        total=len(found),
        shown=shown if shown in _SHOWN else "all",
        text=text,
        scope_summary=scope_summary,
        badges=badges(visit),
        load=load,
    )


@get(OWN_TOKEN, opt=page(PERSONAL))
async def show_token(request: WebRequest) -> Page:
    """One token: what it may do, who used it, what was made with it."""
    visit = Visit.of(request)
    ledger = visit.authority.ledger

    async def work(tx: Unit) -> Known:
        own = await find_own(tx, ledger, visit.user, visit.path("token"))
        usage = await usage_of(tx, ledger, own.token, visit.now - USED_DAYS * DAY_US)
        abilities = await abilities_in(tx, look_at(own.token))
        children = await children_of(tx, ledger, visit.user, own.token)
        return Known(own, usage, abilities, children, await open_case_of(tx, own.token))

    known = await visit.context.store.read(work)
    presented = look_at(known.own.token)
    return visit.show(
        "apitokens/show.html",
        known=known,
        own=known.own,
        days=USED_DAYS,
        refused=visit.authority.verifier.refusal_of(presented),
        anywhere=held(presented.scopes),
        networks=load(known.own.token.restrictions).networks,
        summary=in_a_sentence(known.own),
        badges=badges(visit),
        rotating=_rotating(visit, known.own.token),
    )


def _rotating(visit: Visit, token: Token) -> bool:
    attention = visit.authority.attention
    return token.id in attention.predecessors or token.id in attention.successors


HANDLERS = (list_tokens, show_token)
