"""Where drills are held: one at a time, by whoever runs the host or by the schedule."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from watchword.domain.accounts import Organization
from watchword.domain.errors import Conflict
from watchword.domain.ids import OrganizationId
from watchword.domain.leaks import Leak, LeakState
from watchword.domain.tokens import DAY_US
from watchword.services.authority import Authority
from watchword.services.context import LOCAL, Caller
from watchword.services.drills import Door, Drill, Exercise, Verdict
from watchword.services.leakdrill import drill_leak
from watchword.services.mail import queue_mail
from watchword.services.rotationdrill import drill_rotation
from watchword.store.base import Page, Transaction

log = structlog.get_logger("watchword.drills")

_PAGE = 200
_EVERY = tuple(LeakState)
_HOLD = {Exercise.LEAK: drill_leak, Exercise.ROTATION: drill_rotation}


@dataclass(slots=True)
class DrillHouse:
    """Holds drills, and has them held again every so many days.

    Attributes:
        door: the server's front door; None while it does not serve.
        days: between two drills of the schedule; 0 for none.
    """

    authority: Authority
    days: int = 0
    door: Door | None = None
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    # A drill that fails before it makes a case leaves no trace of when it was.
    _tried: dict[OrganizationId, int] = field(default_factory=dict)

    async def hold(self, caller: Caller, exercise: Exercise, organization: Organization) -> Drill:
        """Hold a drill.

        Raises:
            Conflict: the server does not serve, or another drill is under way.
        """
        if self.door is None:
            raise Conflict("A drill goes through the running server; start it first.", code="not_serving")
        if self._one.locked():
            raise Conflict("Another drill is under way; try again in a minute.", code="drill_under_way")
        async with self._one:
            drill = await _HOLD[exercise](self.authority, self.door, caller, organization)
        if not drill.passed:
            failed = [step.name for step in drill.steps if step.verdict is Verdict.FAILED]
            log.error("drill_failed", drill=exercise.value, organization=organization.slug, steps=failed)
        return drill

    async def keep(self) -> None:
        """One round of the schedule: hold what is due."""
        if not self.days or self.door is None:
            return
        for organization in await self.authority.context.store.read(lambda tx: tx.accounts.organizations()):
            if await self._due(organization):
                self._tried[organization.id] = self.authority.context.clock.now()
                for exercise in Exercise:
                    drill = await self.hold(LOCAL, exercise, organization)
                    if not drill.passed:
                        await self._tell(drill)

    async def _due(self, organization: Organization) -> bool:
        """Whether the last drill was too long ago; its case says when that was."""
        now = self.authority.context.clock.now()
        if self._tried.get(organization.id, -DAY_US) > now - DAY_US:
            return False
        since = now - self.days * DAY_US
        last = await self._last(organization)
        return organization.created_at <= since if last is None else last.first_at <= since

    async def _last(self, organization: Organization) -> Leak | None:
        start = 0
        while True:
            page = Page(_PAGE, start)
            rows = await self.authority.context.store.read(
                lambda tx: tx.leaks.list(organization.id, _EVERY, page)  # noqa: B023 - awaited at once
            )
            for leak in rows:
                if leak.drill:
                    return leak
            if len(rows) < _PAGE:
                return None
            start += _PAGE
            await asyncio.sleep(0)

    async def _tell(self, drill: Drill) -> None:
        """Tell the administrators that a drill of the schedule failed."""
        context = self.authority.context
        name, url = drill.organization.name, context.installation.url
        lines = [
            f"The drill of a {drill.exercise.value} that is held every {self.days} days failed in {name}.",
            "",
        ]
        lines += [f"  {step.verdict.value:<8}{step.name:<10}{step.detail}" for step in drill.steps]
        lines += ["", "A real one may fail alike. Hold it again, on the host, once you have seen to it:"]
        lines += [f"  watchword drill {drill.exercise.value} --organization {drill.organization.slug}"]
        text = context.recogniser().masked("\n".join([*lines, "", f"Watchword at {url}", ""]))
        subject = f"DRILL FAILED: {drill.exercise.value} of {name}"

        async def work(tx: Transaction) -> None:
            people = await tx.hygiene.administrators(drill.organization.id)
            disabled = await tx.hygiene.disabled({user.id for user in people})
            for user in people:
                if user.id not in disabled:
                    key = f"drill:{drill.exercise.value}:{drill.started_at}:{user.id}"
                    await queue_mail(context, tx, user.email, subject, text, key)

        await context.store.write(work)


def shown(drill: Drill) -> Mapping[str, object]:
    """A drill as programs read it."""
    return {
        "drill": drill.exercise.value,
        "organization": drill.organization.slug,
        "passed": drill.passed,
        "started_at": drill.started_at,
        "milliseconds": drill.milliseconds,
        "token_id": drill.token_id,
        "leak_id": drill.leak_id,
        "steps": [
            {
                "step": step.name,
                "verdict": step.verdict.value,
                "detail": step.detail,
                "milliseconds": step.milliseconds,
            }
            for step in drill.steps
        ],
    }
