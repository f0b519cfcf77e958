"""What a drill of a leak proves beside the refusal: people got their mail, other systems their webhook."""

from collections.abc import Sequence

from watchword.domain.ids import LeakId
from watchword.domain.leaks import Leak
from watchword.domain.notifications import Delivery, DeliveryState, NotificationService
from watchword.domain.people import Mail
from watchword.domain.webhooks import LEAK_ANSWERED, LEAK_OPENED
from watchword.services.drills import Course, NothingToProve, Unproved
from watchword.services.leakaudience import Audience
from watchword.store.base import Page, Transaction

_WORDS = frozenset({LEAK_OPENED, LEAK_ANSWERED})
_MAILS = Page(500)
_DELIVERIES = 200


async def prove_mail(course: Course, leak: Leak) -> str:
    """Everybody whom the case concerns was sent a message that says it is a drill.

    Raises:
        Unproved: somebody was not, or there is nobody to tell.
    """
    now = course.authority.context.clock.now()
    cases = await course.read(lambda tx: Audience(tx, now).cases([leak]))
    expected = {listener.user.email for case in cases for listener in case.listeners}
    if not expected:
        raise Unproved("there is nobody to tell: every administrator is disabled")
    since = leak.first_at

    async def look() -> dict[str, Mail] | None:
        found = await _mails(course, since)
        done = all(email in found and (found[email].sent_at or found[email].failed_at) for email in expected)
        return found if done else None

    await course.wait(look)
    found = await _mails(course, since)
    lacking = sorted(_state(email, found.get(email)) for email in expected if not _sent(found.get(email)))
    if lacking:
        raise Unproved("; ".join(lacking))
    return f"sent to {_some(sorted(expected))}"


async def _mails(course: Course, since: int) -> dict[str, Mail]:
    """The drill's messages by their recipients."""
    rows: Sequence[Mail] = await course.read(lambda tx: tx.mails.list(_MAILS))
    ours = [mail for mail in rows if mail.created_at >= since and course.name in mail.subject]
    return {mail.recipient: mail for mail in ours if mail.subject.startswith("DRILL")}


def _sent(mail: Mail | None) -> bool:
    return mail is not None and mail.sent_at > 0


def _state(email: str, mail: Mail | None) -> str:
    if mail is None:
        return f"{email}: no message was queued"
    if mail.failed_at:
        return f"{email}: given up: {mail.error}"
    return f"{email}: not sent yet{': ' + mail.error if mail.error else ''}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown  # noqa: PLR2004 - as many as shown


async def prove_webhooks(course: Course, leak_id: LeakId) -> str:
    """Every webhook that wants events of leaks took those of this one.

    Raises:
        NothingToProve: there is none.
        Unproved: one did not take them.
    """
    services = [one for one in await _services(course) if one.enabled and _WORDS & set(one.settings.events)]
    if not services:
        raise NothingToProve("no webhook wants leak.opened or leak.answered")
    told = []
    for service in services:
        wanted = _WORDS & set(service.settings.events)

        async def look(service: NotificationService = service, count: int = len(wanted)) -> bool | None:
            rows = await _deliveries(course, service, leak_id)
            ended = [row for row in rows if row.state is not DeliveryState.PENDING]
            return True if len(ended) >= count else None

        await course.wait(look)
        rows = await _deliveries(course, service, leak_id)
        failed = [row for row in rows if row.state is not DeliveryState.DELIVERED]
        if failed or len(rows) < len(wanted):
            why = next((row.error for row in failed if row.error), "not delivered yet")
            raise Unproved(f"{service.description or service.settings.url}: {why}")
        told.append(service.description or service.settings.url)
    return f"delivered to {_some(told)}"


async def _services(course: Course) -> list[NotificationService]:
    return list(await course.read(lambda tx: tx.hooks.services(course.organization_id)))


async def _deliveries(course: Course, service: NotificationService, leak_id: LeakId) -> list[Delivery]:
    async def work(tx: Transaction) -> list[Delivery]:
        return list(await tx.hooks.deliveries(service.organization_id, service.id, _DELIVERIES))

    return [row for row in await course.read(work) if row.event in _WORDS and leak_id in row.body]
