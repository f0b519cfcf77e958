"""Signed heads of audit trails to whichever webhooks of their organization ask for `audit.head`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from watchword.domain.audittrail import Head
from watchword.domain.webhooks import AUDIT_HEAD
from watchword.services.context import Context
from watchword.services.notifying import publish
from watchword.services.trailexport import published


@dataclass(frozen=True, slots=True)
class HeadHooks:
    """`services.sealing.Publisher` by webhooks: a head is queued here, and delivered as any event is."""

    context: Context

    async def publish(self, heads: Sequence[tuple[Head, bytes]]) -> None:
        """Queue heads for the webhooks that want them."""
        for head, key in heads:
            organization_id = head.organization_id
            if not self.context.announcer.wanted_of(organization_id, (AUDIT_HEAD,)):
                continue
            payload = {"head": msgspec.to_builtins(published(head, key))}
            publishing = partial(
                publish,
                self.context,
                organization_id=organization_id,
                event=AUDIT_HEAD,
                payload=payload,
            )
            await self.context.store.write(publishing)
