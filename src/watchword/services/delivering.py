"""Delivering: a worker sends what waits, each service's deliveries one after another, services side by side.

A delivery is sent at least once: it is marked after the answer, and a crash between the two sends it again
under the same id. What fails is tried again for a day, later each time.
"""

import asyncio
import hashlib
import hmac
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import structlog

from watchword.domain.errors import WatchwordError
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, ServiceId
from watchword.domain.notifications import (
    BROKEN_AFTER_US,
    GIVEN_UP_AFTER_US,
    KEPT_DELIVERIES,
    Delivery,
    DeliveryState,
    NotificationService,
    hold_after,
    pause_after,
)
from watchword.services.announcing import tell_wanted
from watchword.services.context import LOCAL, Context
from watchword.services.egress import Egress
from watchword.services.notifying import token_of
from watchword.store.base import Transaction

log = structlog.get_logger("watchword.hooks")

AT_ONCE = 64
USER_AGENT = "Watchword-Webhook/1"
_ROUND = 1000
# A service that has much waiting lets others have its place after this long.
_TURN_S = 10.0
_OK = range(200, 300)
_SECOND_US = 1_000_000
_HIDDEN = "(hidden)"

Key = tuple[OrganizationId, ServiceId]


def sign(token: str, timestamp: int, body: bytes) -> str:
    """The signature of a body: HMAC-SHA256 over the timestamp, a full stop and the body (contract §2.16)."""
    return hmac.new(token.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def headers_of(service: NotificationService, delivery: Delivery, token: str, now: int) -> dict[str, str]:
    """All headers of a delivery besides `Host` and `Content-Length`; there are no others.

    Where a webhook signs, its token is in none of them.
    """
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Buildkite-Event": delivery.event,
        "X-Watchword-Delivery": delivery.id,
    }
    if service.settings.token_mode == "signature":  # noqa: S105 - a word of the contract
        timestamp = now // _SECOND_US
        signature = sign(token, timestamp, delivery.body.encode())
        return {**headers, "X-Buildkite-Signature": f"timestamp={timestamp},signature={signature}"}
    return {**headers, "X-Buildkite-Token": token}


@dataclass(slots=True)
class Deliverer:
    """Sends deliveries.

    Attributes:
        egress: the guarded way out.
        chance: spreads attempts; from 0 up to 1.
    """

    context: Context
    egress: Egress
    chance: Callable[[], float] = random.random
    _busy: dict[Key, "asyncio.Task[None]"] = field(default_factory=dict)

    async def work_off(self) -> None:
        """Begin to serve every service that has something due and is not being served; waits for none."""
        if not self.context.announcer.wanted:
            return
        now = self.context.clock.now()
        for key in await self.context.store.read(lambda tx: tx.hooks.due(now, _ROUND)):
            if len(self._busy) >= AT_ONCE:
                return
            if key not in self._busy:
                self._busy[key] = asyncio.create_task(self._serve(key), name="hooks")

    async def settled(self) -> None:
        """Wait until nobody is being served."""
        while self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def stop(self) -> None:
        """Leave off; what was being sent is sent again by the next process."""
        for task in self._busy.values():
            task.cancel()
        await self.settled()

    async def _serve(self, key: Key) -> None:
        """Send what a service has waiting, oldest first, until it fails or its turn is over."""
        began = monotonic()
        try:
            while monotonic() - began < _TURN_S and await self._send_next(key):
                pass
        except Exception as error:  # the next round tries again
            log.exception("delivery_failed", service=key[1], error=type(error).__name__)
        finally:
            del self._busy[key]

    async def _send_next(self, key: Key) -> bool:
        """Send the next delivery; whether the one after it may follow at once."""
        now = self.context.clock.now()

        async def read(tx: Transaction) -> tuple[NotificationService | None, Delivery | None]:
            return await tx.hooks.service(*key), await tx.hooks.next_delivery(*key, now)

        service, delivery = await self.context.store.read(read)
        if service is None or delivery is None or not service.enabled or service.retry_at > now:
            return False
        if now - delivery.queued_at >= GIVEN_UP_AFTER_US:  # the service was off, or no server ran
            old = _failed(delivery, "expired: it waited for a day")
            return await self.context.store.write(lambda tx: tx.hooks.attempted(old, delivery.attempts))
        done = replace(await self._attempt(service, delivery), attempts=delivery.attempts + 1)
        return await self.context.store.write(lambda tx: self._note_in(tx, key, done))

    async def _attempt(self, service: NotificationService, delivery: Delivery) -> Delivery:
        """Send a delivery once; what came of it."""
        now = self.context.clock.now()
        tried = replace(delivery, attempted_at=now, url=service.settings.url, **_NO_ANSWER)
        began = monotonic()
        try:
            headers = headers_of(service, delivery, token_of(self.context, service).reveal(), now)
            shown = {**headers, "X-Buildkite-Token": _HIDDEN} if "X-Buildkite-Token" in headers else headers
            tried = replace(tried, request=shown)
            answer = await self.egress.post(
                service.settings.url, headers, delivery.body.encode(), verify=service.settings.tls_verify
            )
        except WatchwordError as error:
            took = round((monotonic() - began) * _SECOND_US)
            return self._again(replace(tried, duration=took), f"{error.code}: {error.message}")
        tried = replace(
            tried,
            duration=round(answer.seconds * _SECOND_US),
            status=answer.status,
            answer=dict(answer.headers),
            answer_body=answer.body,
        )
        if answer.status in _OK:
            return replace(tried, state=DeliveryState.DELIVERED, next_at=0)
        return self._again(tried, f"refused: the receiver answered {answer.status}")

    def _again(self, tried: Delivery, error: str) -> Delivery:
        """A failed attempt: when the next one is, if there is one."""
        at = self.context.clock.now() + pause_after(tried.attempts + 1, self.chance())
        if at - tried.queued_at > GIVEN_UP_AFTER_US:
            return _failed(tried, error)
        return replace(tried, next_at=at, error=error)

    async def _note_in(self, tx: Transaction, key: Key, done: Delivery) -> bool:
        """Write what came of an attempt; whether the service takes another one at once."""
        service = await tx.hooks.service(*key)
        if service is None or not await tx.hooks.attempted(done, done.attempts - 1):
            return False
        await tx.hooks.prune(*key, KEPT_DELIVERIES)
        if done.state is DeliveryState.DELIVERED:
            if service.failures:
                await tx.hooks.note_outcome(replace(service, failing_since=0, failures=0, retry_at=0))
            return True
        now = self.context.clock.now()
        # Never shorter than the delivery's own pause, where that is short: the order stays.
        pause = max(done.next_at - now, pause_after(service.failures + 1, 0.0))
        hold = hold_after(pause, done.status)
        since = service.failing_since or done.attempted_at
        noted = replace(service, failing_since=since, failures=service.failures + 1, retry_at=now + hold)
        await tx.hooks.note_outcome(noted)
        if now - since >= BROKEN_AFTER_US:
            await self._break_in(tx, noted, now)
        return hold == 0

    async def _break_in(self, tx: Transaction, service: NotificationService, now: int) -> None:
        """Give a service up that has taken nothing for days."""
        organization_id = service.organization_id
        if not await tx.hooks.break_service(organization_id, service.id, now):
            return
        details = {"failures": service.failures, "failing_since": service.failing_since}
        await self.context.record(
            tx,
            LOCAL,
            Action.NOTIFICATION_SERVICE_BROKEN,
            organization_id,
            ("notification_service", service.id),
            details,
        )
        await tell_wanted(tx, organization_id, now)


def _failed(delivery: Delivery, error: str) -> Delivery:
    return replace(delivery, state=DeliveryState.FAILED, next_at=0, error=error)


_NO_ANSWER: dict[str, Any] = {
    "duration": 0,
    "request": {},
    "status": 0,
    "answer": {},
    "answer_body": b"",
    "error": "",
}
