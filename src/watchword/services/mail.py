"""Mail: queued in the unit of work of its cause, sent later; a message that cannot be sent is shown.

Bodies lie sealed, because they may hold links, and are forgotten once the message is sent or given up. A
message is sent at least once: after a crash between sending and noting it, a second copy has the same
Message-ID.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from watchword.crypto.sealing import seal, unseal
from watchword.domain.ids import MailId
from watchword.domain.people import Mail
from watchword.domain.tokens import DAY_US, MINUTE_US
from watchword.services.context import Context
from watchword.store.base import Page, Transaction

log = structlog.get_logger("watchword.mail")

GIVE_UP_US = DAY_US
KEEP_US = 90 * DAY_US
MAX_SUBJECT = 200
MAX_ERROR = 250
_ROUND = 20
_LONGEST_US = 120 * MINUTE_US


class Undeliverable(Exception):
    """The mail server took a message for wrong: no attempt will help."""


class NotSent(Exception):
    """An attempt failed; the next may succeed."""


class Transport(Protocol):
    """Carries one message; called in a thread."""

    def send(self, message_id: str, recipient: str, subject: str, text: str) -> None:
        """Send it.

        Raises:
            Undeliverable: no further attempt will help.
            NotSent: the next one may.
        """


async def queue_mail(
    context: Context, tx: Transaction, to: str, subject: str, text: str, dedupe_key: str
) -> bool:
    """Queue a message inside the unit of work of its cause: neither happens without the other.

    Args:
        context: the ground.
        tx: the unit of work.
        to: the recipient's address.
        subject: one line; kept in plain text, so without anything secret.
        text: the body, plain text; it may hold a link.
        dedupe_key: messages with the same key are one, however often they are queued; "" makes one each time.

    Returns:
        Whether it was queued; False where there was one with this key.
    """
    now = context.clock.now()
    mail_id = MailId(context.new_id())
    line = " ".join(subject.split())[:MAX_SUBJECT]
    body = seal(context.keys, text.encode(), _bound_to(mail_id))
    return await tx.mails.add(Mail(mail_id, to, line, body, dedupe_key or mail_id, now, due_at=now))


def _bound_to(mail_id: MailId) -> str:
    return f"mail:{mail_id}"


def pause_after(attempts: int) -> int:
    """Microseconds until the next attempt: one minute, doubled each time, two hours at most."""
    return min(_LONGEST_US, MINUTE_US << min(attempts - 1, 10))


@dataclass(slots=True)
class Postman:
    """Sends what is due, one message after the other."""

    context: Context
    transport: Transport

    async def work_off(self) -> None:
        """One round."""
        now = self.context.clock.now()
        for mail in await self.context.store.read(lambda tx: tx.mails.due(now, _ROUND)):
            await self._deliver(mail)

    async def _deliver(self, mail: Mail) -> None:
        body = unseal(self.context.keys, mail.body, _bound_to(mail.id))
        if body is None:
            await self._give_up(mail, "the key that sealed this message is gone")
            return
        try:
            await asyncio.to_thread(self.transport.send, mail.id, mail.recipient, mail.subject, body.decode())
        except Undeliverable as error:
            await self._give_up(mail, str(error))
        except NotSent as error:
            await self._put_off(mail, str(error))
        else:
            now = self.context.clock.now()
            await self.context.store.write(lambda tx: tx.mails.sent(mail.id, now))

    async def _put_off(self, mail: Mail, error: str) -> None:
        now = self.context.clock.now()
        attempts = mail.attempts + 1
        due_at = now + pause_after(attempts)
        if due_at >= mail.created_at + GIVE_UP_US:
            await self._give_up(mail, f"given up after a day: {error}")
            return
        log.warning("mail_put_off", mail=mail.id, attempts=attempts, error=error[:MAX_ERROR])
        await self.context.store.write(
            lambda tx: tx.mails.put_off(mail.id, attempts, due_at, error[:MAX_ERROR])
        )

    async def _give_up(self, mail: Mail, error: str) -> None:
        now = self.context.clock.now()
        log.error("mail_given_up", mail=mail.id, error=error[:MAX_ERROR])
        await self.context.store.write(
            lambda tx: tx.mails.give_up(mail.id, mail.attempts + 1, now, error[:MAX_ERROR])
        )

    async def forget(self) -> None:
        """Delete what was sent or given up long ago."""
        before = self.context.clock.now() - KEEP_US
        await self.context.store.write(lambda tx: tx.mails.drop(before))


async def list_mail(context: Context, page: Page) -> list[Mail]:
    """Messages of the last 90 days, newest first; bodies stay sealed."""

    async def work(tx: Transaction) -> list[Mail]:
        return list(await tx.mails.list(page))

    return await context.store.read(work)
