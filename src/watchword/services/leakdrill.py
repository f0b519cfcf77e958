"""The drill of a leak: a canary is reported by a signed report, as a partner sends it, and must die of it."""

from dataclasses import dataclass, replace

import msgspec

from watchword.crypto.reports import ReportKey, signed_headers
from watchword.domain.accounts import Organization, Role, User
from watchword.domain.errors import Conflict
from watchword.domain.events import Action
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Leak, LeakState, Outcome, Response, Visibility
from watchword.domain.people import SECOND_US
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.drillgate import DRILL
from watchword.services.drillproofs import prove_mail, prove_webhooks
from watchword.services.drills import (
    CANARY_US,
    Course,
    Door,
    Drill,
    Exercise,
    NothingToProve,
    Unproved,
    read_json,
)
from watchword.services.issuing import Issued, issue_api_token
from watchword.store.base import Page, Transaction

# The narrowest scope: it shows whose token it is.
_SCOPE = "read_user"
_LIVE = "/v2/access-token"
_REPORT = f"/leaks/partners/{DRILL}"
_FOUND_AT = "https://drill.invalid/a-place-that-everybody-can-read"
_TRUE = "true_positive"
_OPEN = (LeakState.OPEN, LeakState.HELD)
_PAGE = Page(limit=100)
_OK, _UNAUTHORIZED = 200, 401
_AFTER = ("refused", "case", "mail", "webhook", "repeat", "closed")


@dataclass(slots=True)
class LeakDrill:
    """One drill of a leak.

    Attributes:
        key: signs the report; made for this drill, known to the gate while it lasts.
    """

    course: Course
    key: ReportKey
    canary: Issued | None = None
    body: bytes = b""

    async def hold(self) -> None:
        """Hold every step."""
        course = self.course
        await course.prove("rules", self._rules)
        if not await course.prove("canary", self._canary):
            course.skip("report", *_AFTER)
            return
        if not await course.prove("report", self._report):
            course.skip(*_AFTER)
            return
        await course.prove("refused", self._refused)
        if not await course.prove("case", self._case):
            course.skip("mail", "webhook")
        else:
            await course.prove("mail", self._mail)
            await course.prove("webhook", self._webhook)
        await course.prove("repeat", self._repeat)
        await course.prove("closed", self._closed)

    async def _rules(self) -> str:
        """Say what the rules would do; the drill itself always revokes, so that no canary lives on."""
        policy = await self.course.read(lambda tx: tx.leaks.policy(self.course.organization_id))
        rule = policy.rule(Kind.API_ACCESS, Visibility.PUBLIC)
        if policy.dry_run:
            raise NothingToProve("the rules are on trial (dry run): a real leak would change nothing")
        if rule.response is not Response.REVOKE:
            raise NothingToProve(f"the rules say {rule.text()}: a real leak would not be revoked at once")
        return "a public API access token is revoked at once"

    async def _canary(self) -> str:
        course, context = self.course, self.course.authority.context

        async def work(tx: Transaction) -> Issued:
            owner = await _administrator(tx, course.organization)
            until = context.clock.now() + CANARY_US
            return await issue_api_token(
                context, tx, course.caller, course.organization_id, owner.id, course.name, (_SCOPE,), until
            )

        self.canary = await course.write(work)
        course.canaries.append(self.canary.token)
        status, _ = await course.call("GET", _LIVE, self.canary.value)
        if status != _OK:
            raise Unproved(f"the canary does not work: {status}")
        return f"{course.name} works ({self.canary.token.id})"

    async def _report(self) -> str:
        canary = self._made()
        item = {
            "token": canary.value.reveal(),
            "type": "api_access",
            "url": _FOUND_AT,
            "place": DRILL,
            "visibility": Visibility.PUBLIC.value,
        }
        self.body = msgspec.json.encode([item])
        return f"label {await self._send()}"

    async def _send(self) -> str:
        """Send the report; the label of its one item.

        Raises:
            Unproved: it was not taken, or not for what it is.
        """
        seconds = self.course.authority.context.clock.now() // SECOND_US
        headers = signed_headers(self.key, self.body, seconds)
        status, answer = await self.course.door.send("POST", _REPORT, headers, self.body)
        labels = read_json(answer)
        if status != _OK or not isinstance(labels, list) or len(labels) != 1:
            raise Unproved(f"the report was not taken: {status}")
        label = str(labels[0].get("label"))
        if label != _TRUE:
            raise Unproved(f"the canary was taken for a {label}")
        return label

    async def _refused(self) -> str:
        status, answer = await self.course.call("GET", _LIVE, self._made().value)
        if status != _UNAUTHORIZED:
            raise Unproved(f"the leaked value still works: {status}")
        code = answer.get("code") if isinstance(answer, dict) else None
        return f"{status} {code}" if code else str(status)

    async def _case(self) -> str:
        leak = await self._leak()
        self.course.leak_id = leak.id
        if not leak.drill or leak.outcome is not Outcome.REVOKED:
            raise Unproved(f"the case says {leak.outcome.value}")
        return f"opened, {leak.outcome.value} ({leak.id})"

    async def _mail(self) -> str:
        return await prove_mail(self.course, await self._leak())

    async def _webhook(self) -> str:
        return await prove_webhooks(self.course, (await self._leak()).id)

    async def _repeat(self) -> str:
        """The same report, and a fresh one of the dead value: the label stays, and the case counts alone."""
        before = await self._leak()
        label = await self._send()
        self.body = self.body[:-1] + b" ]"
        await self._send()
        after = await self._leak()
        if (after.state, after.outcome, after.acted_at) != (before.state, before.outcome, before.acted_at):
            raise Unproved("a repeat changed the case")
        return f"label {label}, nothing else changed"

    async def _closed(self) -> str:
        """Close the case; that of a drill that failed stays open, with what failed, until the next one."""
        failed = [step.name for step in self.course.steps if step.verdict.value == "failed"]
        note = f"The drill failed: {', '.join(failed)}." if failed else "The drill passed."
        await self.course.write(lambda tx: self._close_in(tx, note, keep=bool(failed)))
        return "left open, because a step failed" if failed else "closed"

    async def _close_in(self, tx: Transaction, note: str, *, keep: bool) -> None:
        course = self.course
        for leak in await tx.leaks.list(course.organization_id, _OPEN, _PAGE):
            if not leak.drill:
                continue
            own = leak.token_id == self._made().token.id
            if own and keep:
                await _save(tx, leak, replace(leak, note=note))
                continue
            now = course.authority.context.clock.now()
            closed = replace(leak, state=LeakState.CLOSED, closed_at=now, note=note if own else leak.note)
            await _save(tx, leak, closed)
            await course.authority.context.record(
                tx, course.caller, Action.LEAK_CLOSED, leak.organization_id, ("leak", leak.id), {"note": note}
            )

    def _made(self) -> Issued:
        if self.canary is None:
            raise Unproved("there is no canary")
        return self.canary

    async def _leak(self) -> Leak:
        token = self._made().token
        leak = await self.course.read(lambda tx: tx.leaks.of_token(token.organization_id, token.id))
        if leak is None:
            raise Unproved("no case was opened")
        return leak


async def _save(tx: Transaction, known: Leak, leak: Leak) -> None:
    if not await tx.leaks.save(known, leak):
        raise Conflict("This leak was changed a moment ago.", code="changed_meanwhile")


async def _administrator(tx: Transaction, organization: Organization) -> User:
    """Somebody who can own the canary."""
    people = await tx.hygiene.administrators(organization.id)
    disabled = await tx.hygiene.disabled({user.id for user in people})
    for user in people:
        if user.id not in disabled:
            return user
    raise Unproved(f"{organization.slug} has no {Role.ADMIN.value} who is not disabled")


async def drill_leak(authority: Authority, door: Door, caller: Caller, organization: Organization) -> Drill:
    """Hold a drill of a leak in an organization.

    Args:
        authority: the services.
        door: where the report goes in.
        caller: who asked for it.
        organization: whose people are told, as of a real one.
    """
    context = authority.context
    started_at = context.clock.now()
    name = f"drill {context.new_id()[-8:]}"
    course = Course(authority, door, caller, organization, name)
    drill = LeakDrill(course, ReportKey.generate())
    with authority.leak_gate.drills.open(drill.key):
        try:
            await drill.hold()
        finally:
            await course.clear()
    return await course.end(Exercise.LEAK, started_at)
