"""Hygiene: tokens that need attention, why and what to do; and when tokens end, as a calendar."""

from calendar import Calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from litestar import get

from watchword.domain.hygiene import REASONS
from watchword.domain.kinds import KINDS
from watchword.domain.tokens import Token
from watchword.services.leakcases import to_look_at
from watchword.services.overview import NAMES, concerned
from watchword.services.queries import Access, Unit
from watchword.web.concerns import FLAGS, WORDS, headline, show_finding
from watchword.web.needs import page
from watchword.web.tokenrows import NO_NAME, token_path
from watchword.web.visit import Page, Visit, WebRequest

HYGIENE = "/organizations/{org:str}/hygiene"
_SECOND_US = 1_000_000
_MONTHS_AWAY = 1200


async def _enter(tx: Unit, access: Access) -> tuple[Access, int]:
    return access, (await to_look_at(tx, access.id))[0]


@get(HYGIENE, opt=page("hygiene.read"))
async def show_hygiene(request: WebRequest) -> Page:
    """Tokens that need attention, all of them or those of one reason."""
    visit = Visit.of(request)
    access, leaks = await visit.read(_enter)
    found = await visit.authority.overseer.report(access.id)
    groups = {name: concerned(found, name, visit.now) for name in NAMES}
    asked = visit.query.text("reason")
    reason = asked if groups.get(asked) else ""
    rows = groups[reason] if reason else list(found.findings)
    window = visit.paging.window
    paging, shown = visit.paging.cut(rows[window.offset : window.offset + window.limit])
    slug = visit.path("org")
    return visit.show(
        "hygiene/index.html",
        at=f"/organizations/{slug}",
        inspected=found.inspected,
        total=len(found.findings),
        leaks=leaks,
        groups=[(name, headline(name, len(group)), len(group)) for name, group in groups.items() if group],
        reason=reason,
        advice=WORDS[reason][2] if reason else "",
        findings=[show_finding(slug, each) for each in shown],
        kinds=KINDS,
        flags=FLAGS,
        reasons=REASONS,
        paging=paging,
    )


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a calendar; `ours` is False for days of the months around."""

    date: date
    ours: bool
    today: bool
    tokens: tuple[tuple[str, str], ...]


def _month(text: str, today: date) -> date:
    """The first day of the month of an address, `2027-01`; of this one where there is none within reach."""
    try:
        asked = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        return today.replace(day=1)
    away = (asked.year - today.year) * 12 + asked.month - today.month
    return asked if abs(away) <= _MONTHS_AWAY else today.replace(day=1)


def _microseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _SECOND_US


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


@get(HYGIENE + "/calendar", opt=page("api_token.list"))
async def show_calendar(request: WebRequest) -> Page:
    """The tokens that end in a month, day by day in UTC, of those that one may see."""
    visit = Visit.of(request)
    today = datetime.fromtimestamp(visit.now // _SECOND_US, UTC).date()
    first = _month(visit.query.text("month"), today)
    until = _next_month(first)

    async def work(tx: Unit, access: Access) -> list[Token]:
        finder = visit.authority.finder
        return await finder.expiring_in(tx, access, _microseconds(first), _microseconds(until))

    slug = visit.path("org")
    ends: dict[date, list[tuple[str, str]]] = {}
    for token in await visit.read(work):
        day = datetime.fromtimestamp(token.expires_at // _SECOND_US, UTC).date()
        ends.setdefault(day, []).append((token_path(slug, token), token.description.strip() or NO_NAME))
    weeks = [
        [Day(day, day.month == first.month, day == today, tuple(ends.get(day, ()))) for day in week]
        for week in Calendar().monthdatescalendar(first.year, first.month)
    ]
    return visit.show(
        "hygiene/calendar.html",
        at=f"/organizations/{slug}",
        first=first,
        weeks=weeks,
        count=sum(map(len, ends.values())),
        before=f"{first - timedelta(days=1):%Y-%m}",
        after=f"{until:%Y-%m}",
    )


HANDLERS = (show_hygiene, show_calendar)
