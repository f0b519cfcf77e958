"""What people do about a leak: answer it, release or close it, take the successor's value, report one."""

from dataclasses import dataclass, replace

from watchword.crypto.sealing import unseal
from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import UserId
from watchword.domain.kinds import KINDS
from watchword.domain.leakpolicy import Rule, responses_for
from watchword.domain.leaks import Leak, LeakState, Outcome, Response, Visibility, check_note
from watchword.domain.tokenlists import values_in
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.attention import Held, tell_leak
from watchword.services.context import Caller, Context
from watchword.services.leakcases import Case
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Reports, Source
from watchword.services.leakresponding import Done, Responder, bound_to
from watchword.services.tokensearch import MAX_PASTED
from watchword.store.base import Transaction

PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a person reports.

    Attributes:
        value: what they found, perhaps with what stood around it; None where they name the token.
        token_id: id of the token, where they do not have the value.
        url: where it was found.
        place: what part of that.
        visibility: who could see it there.
        exposed_at: since when, in microseconds; 0 for not known.
    """

    value: Secret | None = None
    token_id: str = ""
    url: str = ""
    place: str = ""
    visibility: Visibility = Visibility.PRIVATE
    exposed_at: int = 0


@dataclass(slots=True)
class LeakActions:
    """Steps of units of work (`…_in`); what they return is settled after the commit by `Responder.settle`."""

    context: Context
    responder: Responder
    reports: Reports

    async def respond_in(self, tx: Transaction, access: Access, case: Case, rule: Rule) -> Done:
        """Answer a leak now, also one that the circuit breaker holds; what was done already stays done.

        Raises:
            Conflict: the token has ended, or something stands in the way.
            Invalid: a token of the kind cannot have the response.
        """
        leak = case.leak
        self._require_possible(case, rule)
        if rule.response is Response.QUARANTINE and leak.outcome is Outcome.QUARANTINED:
            return Done(leak)
        known = replace(leak, closed_at=0, closed_by=None)
        done = await self.responder.respond_in(tx, access.caller, known, case.token, rule, access.user.id)
        if done.leak.outcome is Outcome.FAILED:
            raise Conflict(_in_the_way(done.leak.failure), code=done.leak.failure)
        return replace(done, leak=await self._save_in(tx, leak, done.leak))

    def _require_possible(self, case: Case, rule: Rule) -> None:
        leak = case.leak
        if rule.response not in responses_for(leak.kind):
            words = ", ".join(each.value for each in responses_for(leak.kind))
            raise Invalid(
                f"Validation failed: {KINDS[leak.kind].title}: the response is one of {words}",
                code="invalid_leak_rule",
            )
        if rule.response is Response.NOTIFY:
            if leak.state is not LeakState.HELD:
                raise Conflict("Nothing is held back that could be let be.", code="leak_not_held")
        elif not case.live(self.context.clock.now()):
            raise Conflict(
                "The token has ended: there is nothing left to take away. Close the case.", code="token_ended"
            )

    async def release_in(self, tx: Transaction, access: Access, case: Case) -> Leak:
        """Lift a quarantine: the token works again. Repeating it changes nothing.

        Raises:
            Conflict: it is not in quarantine.
        """
        leak = case.leak
        if leak.outcome is Outcome.RELEASED:
            return leak
        if leak.outcome is not Outcome.QUARANTINED:
            raise Conflict("This token is not in quarantine.", code="leak_not_quarantined")
        await tell_leak(self.context, tx, leak.organization_id, Held(leak.token_id, held=False))
        released = replace(leak, outcome=Outcome.RELEASED, telling=True)
        await self._record(tx, access.caller, Action.LEAK_RELEASED, released)
        return await self._save_in(tx, leak, released)

    async def close_in(self, tx: Transaction, access: Access, case: Case, note: str) -> Leak:
        """Close a case with what was found out; repeating it changes nothing.

        Raises:
            Conflict: somebody must decide first: it is held, or its live token is in quarantine.
            Invalid: the note is too long.
        """
        leak, text, now = case.leak, check_note(note), self.context.clock.now()
        if leak.state is LeakState.CLOSED:
            return leak
        if leak.state is LeakState.HELD:
            raise Conflict("Decide first: answer the leak, or let the token be.", code="leak_held")
        outcome = leak.outcome
        if outcome is Outcome.QUARANTINED:
            if case.live(now):
                raise Conflict(
                    "Decide first: the token is in quarantine. Release it, revoke it, or rotate it.",
                    code="leak_quarantined",
                )
            outcome = Outcome.DEAD
            await tell_leak(self.context, tx, leak.organization_id, Held(leak.token_id, held=False))
        closed = replace(
            leak,
            state=LeakState.CLOSED,
            outcome=outcome,
            closed_at=now,
            closed_by=access.user.id,
            note=text,
        )
        await self._record(tx, access.caller, Action.LEAK_CLOSED, closed)
        return await self._save_in(tx, leak, closed)

    async def reopen_in(self, tx: Transaction, access: Access, case: Case) -> Leak:
        """Open a closed case again; repeating it changes nothing."""
        leak = case.leak
        if leak.state is not LeakState.CLOSED:
            return leak
        opened = replace(leak, state=LeakState.OPEN, closed_at=0, closed_by=None)
        await self._record(tx, access.caller, Action.LEAK_REOPENED, opened)
        return await self._save_in(tx, leak, opened)

    async def take_value_in(
        self, tx: Transaction, caller: Caller, case: Case, user: User
    ) -> tuple[Token, Secret]:
        """The successor and its value, once: from then on nobody can be shown it again.

        Raises:
            Forbidden: the token is another person's, whose value nobody else takes.
            NotFound: there is none, or it was taken.
        """
        leak = case.leak
        require_holder(case.token, user.id)
        if not leak.handover or not await tx.leaks.drop_handover(leak.organization_id, leak.token_id):
            raise NotFound("No value waits here: it was taken, or the rotation is over.", code="value_taken")
        value = unseal(self.context.keys, leak.handover, bound_to(leak))
        rotation = await tx.rotations.of_predecessor(leak.organization_id, leak.token_id)
        successor = await tx.tokens.find(leak.organization_id, rotation.successor_id) if rotation else None
        if value is None or successor is None:
            raise NotFound(
                "The value cannot be opened any more: its key is gone. Rotate the token.", code="value_lost"
            )
        await self._record(tx, caller, Action.LEAK_VALUE_TAKEN, leak)
        return successor, Secret(value.decode())

    async def report_in(self, tx: Transaction, access: Access, told: Told) -> Done:
        """Take a person's report; the rules answer it as they answer any other.

        What was pasted may belong to another organization: that one is told, and whoever reports it hears
        what they would hear of a value that nobody knows.

        Raises:
            Invalid: neither a value nor a token was named.
            NotFound: it is no token of this organization.
        """
        if told.value is None and not told.token_id.strip():
            raise Invalid("Paste the value, or give the token's id.", code="leak_not_named")
        if told.value is not None and len(told.value.reveal()) > MAX_PASTED:
            raise Invalid("That is longer than any token; paste the value alone.", code="pasted_too_long")
        source = Source(name=PERSON, visibility=told.visibility)
        done = None
        for item in _items(access.organization.slug, told):
            done = await self.reports.note_in(tx, access.caller, source, item)
            if done is not None:
                break
        if done is None:
            raise NotFound("That is no token of this organization.", code="token_unknown")
        return done

    async def _save_in(self, tx: Transaction, known: Leak, leak: Leak) -> Leak:
        if not await tx.leaks.save(known, leak):
            raise Conflict("This leak was changed a moment ago; look at it again.", code="changed_meanwhile")
        return replace(leak, revision=known.revision + 1)

    async def _record(self, tx: Transaction, caller: Caller, action: Action, leak: Leak) -> None:
        details = {
            "token_id": leak.token_id,
            "kind": leak.kind.value,
            "outcome": leak.outcome.value,
            "note": leak.note,
        }
        await self.context.record(tx, caller, action, leak.organization_id, ("leak", leak.id), details)


def require_holder(token: Token | None, user_id: UserId) -> None:
    """Require that a person may hold a token's value: of another person's token nobody does.

    Raises:
        Forbidden: it is another person's.
    """
    if token is not None and token.user_id is not None and token.user_id != user_id:
        raise Forbidden("Only the token's owner takes its new value.", code="not_the_owner")


def _items(slug: str, told: Told) -> list[Item]:
    """What a report may mean: what was pasted as it is, then without what stands around a value."""
    place = {
        "url": told.url.strip(),
        "place": told.place,
        "visibility": told.visibility,
        "exposed_at": told.exposed_at,
    }
    if told.value is None:
        return [Item(organization=slug, token_id=told.token_id.strip(), **place)]  # type: ignore[arg-type]
    return [Item(value=Secret(text), **place) for text in values_in(told.value.reveal())]  # type: ignore[arg-type]


def _in_the_way(code: str) -> str:
    known = {
        "rotation_open": "The token is the successor in an open rotation; finish or abort that first.",
        "kind_not_rotated": "Tokens of this kind are not rotated; revoke it instead.",
    }
    return known.get(code, f"Something stands in the way ({code}); try again, or revoke the token.")
