"""Cases as people handle them: what they may do, and what a case page is made of."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from services.leak_scene import CRAWLER, LeakScene
from services.scene import ADDRESS
from support import World
from watchword.crypto.values import Secret
from watchword.domain.accounts import Member, Role, User
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound, WatchwordError
from watchword.domain.events import Action
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.leakpolicy import NOTIFY, REVOKE, Rule
from watchword.domain.leaks import Leak, LeakState, Outcome, Response, Visibility
from watchword.domain.lifecycle import Mode
from watchword.domain.tokens import State, Token
from watchword.services.access import Access, enter_in_person
from watchword.services.context import LOCAL, Caller
from watchword.services.leakactions import LeakActions, Told
from watchword.services.leakcases import Case, find_case, own_cases
from watchword.services.leakfinding import Item
from watchword.services.leakpolicies import change_leak_policy, rows_of
from watchword.services.leakresponding import Done
from watchword.services.leakview import LeakView, trail_of, view_leak
from watchword.store.base import Transaction

T = TypeVar("T")
Step = Callable[[Transaction, Access, Case], Awaitable[T]]
API = (Kind.API_ACCESS,)
QUARANTINE, ROTATE = Rule(Response.QUARANTINE), Rule(Response.ROTATE, grace_minutes=60)


class CaseScene(LeakScene):
    """The administrator at work on cases."""

    @property
    def actions(self) -> LeakActions:
        return self.authority.leak_actions

    def inside(self, work: Callable[[Transaction, Access], Awaitable[T]]) -> T:
        async def unit(tx: Transaction) -> T:
            return await work(tx, await enter_in_person(tx, self.first.admin, "acme", LOCAL))

        return self.run(self.authority.context.store.write(unit))

    def do(self, token: Token, step: Step[T]) -> T:
        leak_id = self.the_leak(token).id

        async def work(tx: Transaction, access: Access) -> T:
            return await step(tx, access, await find_case(tx, access, "leak.respond", leak_id))

        return self.inside(work)

    def respond(self, token: Token, rule: Rule) -> Leak:
        done = self.do(token, lambda tx, access, case: self.actions.respond_in(tx, access, case, rule))
        self.run(self.authority.responder.settle([done]))
        return done.leak

    def release(self, token: Token) -> Leak:
        return self.do(token, self.actions.release_in)

    def close(self, token: Token, note: str = "") -> Leak:
        return self.do(token, lambda tx, access, case: self.actions.close_in(tx, access, case, note))

    def take(self, token: Token) -> Secret:
        _, value = self.do(
            token, lambda tx, access, case: self.actions.take_value_in(tx, LOCAL, case, access.user)
        )
        return value

    def tell(self, told: Told) -> Done:
        done = self.inside(lambda tx, access: self.actions.report_in(tx, access, told))
        self.run(self.authority.responder.settle([done]))
        return done

    def view(self, token: Token) -> LeakView:
        return self.do(
            token, lambda tx, access, case: view_leak(tx, self.authority, access.organization, case)
        )

    def refused(self, work: Callable[[], object]) -> str:
        with pytest.raises(WatchwordError) as caught:
            work()
        return caught.value.code


@pytest.fixture
def leaks(world: World) -> CaseScene:
    return CaseScene(world)


# -- actions -----------------------------------------------------------------------------------------


def test_a_person_revokes_in_the_mode_that_they_choose(leaks: CaseScene) -> None:
    issued = leaks.token()
    joined = leaks.agent(issued)
    leaks.report(issued.value)
    leak = leaks.respond(issued.token, Rule(Response.REVOKE, mode=Mode.CUT))
    assert (leak.outcome, leak.acted_by) == (Outcome.REVOKED, leaks.first.admin.id)
    assert leaks.the_leak(issued.token) == leak
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_revoked"
    assert leaks.reason(joined.value.reveal()) == "session_ended"
    assert leaks.refused(lambda: leaks.respond(issued.token, REVOKE)) == "token_ended"
    assert leaks.the_leak(issued.token) == leak


def test_a_quarantine_is_released_and_the_token_works_again(leaks: CaseScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    assert leaks.refused(lambda: leaks.release(issued.token)) == "leak_not_quarantined"
    leaks.respond(issued.token, QUARANTINE)
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_quarantined"
    assert leaks.refused(lambda: leaks.close(issued.token)) == "leak_quarantined"
    released = leaks.release(issued.token)
    assert (released.outcome, leaks.release(issued.token)) == (Outcome.RELEASED, released)
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == ""
    assert len(leaks.events(Action.LEAK_RELEASED)) == 1


def test_a_quarantined_token_may_be_revoked_and_its_case_closed(leaks: CaseScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    leaks.respond(issued.token, QUARANTINE)
    leaks.respond(issued.token, REVOKE)
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_revoked"
    assert issued.token.id not in leaks.authority.attention.leaked
    assert leaks.close(issued.token, " done ").note == "done"


def test_a_held_case_waits_for_a_decision_and_may_be_let_be(leaks: CaseScene) -> None:
    leaks.breaker(per_minute=1)
    leaks.rules(agent__private="revoke")
    first, second = leaks.token(), leaks.token()
    leaks.report(first.value, second.value, source=CRAWLER)
    assert leaks.refused(lambda: leaks.close(second.token)) == "leak_held"
    leak = leaks.respond(second.token, NOTIFY)
    assert (leak.state, leak.outcome, leak.held_until) == (LeakState.OPEN, Outcome.NOTIFIED, 0)
    leaks.forward(2 * 60 * 60)
    leaks.sweep()
    assert leaks.reason_from(second.value.reveal(), ADDRESS) == ""
    assert leaks.refused(lambda: leaks.respond(second.token, NOTIFY)) == "leak_not_held"


def test_a_case_is_closed_with_a_note_and_reopened(leaks: CaseScene) -> None:
    issued = leaks.api_token()
    leaks.report(issued.value)
    closed = leaks.close(issued.token, "a test repository")
    assert (closed.state, closed.closed_by, closed.note) == (
        LeakState.CLOSED,
        leaks.first.admin.id,
        "a test repository",
    )
    assert leaks.close(issued.token, "another") == closed
    opened = leaks.do(issued.token, leaks.actions.reopen_in)
    assert (opened.state, opened.closed_at, opened.note) == (LeakState.OPEN, 0, "a test repository")
    assert leaks.refused(lambda: leaks.close(issued.token, "x" * 1001)) == "note_too_long"
    told = [event.action for event in leaks.events(Action.LEAK_CLOSED) + leaks.events(Action.LEAK_REOPENED)]
    assert told == [Action.LEAK_CLOSED, Action.LEAK_REOPENED]


def test_kinds_take_only_what_they_can_have(leaks: CaseScene) -> None:
    joined = leaks.register()
    leaks.report(joined.value)
    session = leaks.present(joined.value.reveal(), (Kind.AGENT_SESSION,)).holder
    assert leaks.refused(lambda: leaks.respond(session, QUARANTINE)) == "invalid_leak_rule"


# -- the successor's value ---------------------------------------------------------------------------


def test_the_new_value_is_taken_once_and_works(leaks: CaseScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    leaks.respond(issued.token, ROTATE)
    value = leaks.take(issued.token)
    assert leaks.reason_from(value.reveal(), ADDRESS) == ""
    assert leaks.the_leak(issued.token).handover == b""
    assert leaks.refused(lambda: leaks.take(issued.token)) == "value_taken"
    (event,) = leaks.events(Action.LEAK_VALUE_TAKEN)
    assert value.reveal() not in event.data


def test_the_new_value_is_destroyed_when_the_rotation_ends(leaks: CaseScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    leaks.respond(issued.token, ROTATE)
    assert leaks.the_leak(issued.token).handover
    leaks.forward(61 * 60)
    leaks.sweep()
    assert leaks.stored(issued.token).state is State.SUPERSEDED
    assert leaks.the_leak(issued.token).handover == b""
    assert leaks.refused(lambda: leaks.take(issued.token)) == "value_taken"


def test_an_aborted_rotation_leaves_the_leak_to_be_answered(leaks: CaseScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    leaks.respond(issued.token, ROTATE)
    leaks.close(issued.token)
    rotator, owner = leaks.authority.rotator, issued.token.organization_id

    async def abort(tx: Transaction) -> None:
        rotation = await rotator.find_in(tx, owner, issued.token.id)
        await rotator.abort_in(tx, LOCAL, rotation, None)

    leaks.run(leaks.authority.context.store.write(abort))
    leak = leaks.the_leak(issued.token)
    assert (leak.state, leak.outcome, leak.handover, leak.telling) == (
        LeakState.OPEN,
        Outcome.NONE,
        b"",
        True,
    )
    assert next(each.code for each in leaks.view(issued.token).advice) == "end_token"
    leaks.rules(agent__public="revoke")
    leaks.report(Item(value=issued.value, url="https://example.com/elsewhere"))
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_revoked"


def test_nobody_takes_the_new_value_of_another_persons_token(leaks: CaseScene) -> None:
    context, first = leaks.authority.context, leaks.first
    issued = leaks.api_token()
    leaks.rules(api_access__public="rotate")
    leaks.report(issued.value)

    async def join(tx: Transaction) -> User:
        user = User(UserId(context.new_id()), "bea@example.com", "Bea", "", 1)
        await tx.accounts.add_user(user)
        await tx.accounts.add_member(Member(first.organization.id, user.id, Role.ADMIN, 1))
        return user

    other = leaks.run(context.store.write(join))

    async def work(tx: Transaction) -> object:
        access = await enter_in_person(tx, other, first.organization.slug, LOCAL)
        case = await find_case(tx, access, "leak.respond", leaks_id)
        return await leaks.actions.take_value_in(tx, LOCAL, case, access.user)

    leaks_id = leaks.the_leak(issued.token).id
    with pytest.raises(Forbidden):
        leaks.run(context.store.write(work))
    assert leaks.the_leak(issued.token).handover


# -- reports of people -------------------------------------------------------------------------------


def test_a_person_pastes_a_value_with_what_stood_around_it(leaks: CaseScene) -> None:
    issued = leaks.api_token()
    pasted = Secret(f'  export API_TOKEN="{issued.value.reveal()}"\n')
    done = leaks.tell(Told(value=pasted, visibility=Visibility.PUBLIC, url="a wiki page"))
    assert (done.leak.reporter, done.leak.outcome) == ("person", Outcome.REVOKED)
    assert leaks.reason(issued.value.reveal(), API) == "token_revoked"
    (place,) = leaks.view(issued.token).sightings
    assert (place.url, place.visibility) == ("a wiki page", Visibility.PUBLIC)


def test_a_person_names_a_token_and_nothing_is_taken_away(leaks: CaseScene) -> None:
    issued = leaks.api_token()
    done = leaks.tell(Told(token_id=issued.token.id, visibility=Visibility.PUBLIC))
    assert done.leak.outcome is Outcome.NOTIFIED
    assert leaks.reason(issued.value.reveal(), API) == ""


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (Told(), Invalid),
        (Told(value=Secret("nothing of ours")), NotFound),
        (Told(token_id="01900000-0000-7000-8000-000000000000"), NotFound),
    ],
    ids=["nothing", "strange", "absent"],
)
def test_what_is_no_token_opens_no_case(leaks: CaseScene, told: Told, error: type[WatchwordError]) -> None:
    with pytest.raises(error):
        leaks.tell(told)
    assert not leaks.events(Action.LEAK_OPENED)


# -- the page ----------------------------------------------------------------------------------------


def test_a_case_says_who_used_the_token_since_and_what_is_new(leaks: CaseScene) -> None:
    issued = leaks.token()
    leaks.register(issued, name="early")
    leaks.forward(2 * 60 * 60)
    leaks.report(issued.value)
    leaks.forward(60)
    leaks.reason_from(issued.value.reveal(), "198.51.100.7")
    after = leaks.register(issued, name="late")
    view = leaks.view(issued.token)
    assert {(use.usage.address, use.new) for use in view.uses} == {
        ("192.0.2.1", False),
        ("198.51.100.7", True),
    }
    assert view.before == 1
    assert [agent.id for agent in view.joined] == [after.agent.id]
    codes = [each.code for each in view.advice]
    assert codes == [
        "end_token",
        "look_at_addresses",
        "look_at_agents",
        "rotate_reached",
        "history_stays",
        "prevent",
    ]
    assert view.reach.joining is not None
    assert view.radius is not None


def test_the_trail_tells_what_was_done_and_what_was_done_with_it(leaks: CaseScene) -> None:
    issued = leaks.api_token()
    leaks.forward(1)
    leaks.report(issued.value, source=CRAWLER)
    caller = Caller(LOCAL.actor, "192.0.2.1", "r", "curl", issued.token.id)
    context = leaks.authority.context
    leaks.run(
        context.store.write(
            lambda tx: context.record(
                tx, caller, Action.QUEUE_PAUSED, leaks.organization_id, ("queue", "q"), {}
            )
        )
    )
    leaks.respond(issued.token, REVOKE)
    trail = leaks.run(trail_of(leaks.authority, leaks.the_leak(issued.token)))
    assert [event.action for event in trail.calls] == [Action.QUEUE_PAUSED]
    done = [event.action for event in trail.done]
    assert done[0] is Action.LEAK_OPENED
    assert {Action.LEAK_ANSWERED, Action.TOKEN_REVOKED} <= set(done)
    assert Action.QUEUE_PAUSED not in done
    assert trail.whole
    receipt = leaks.view(issued.token).receipt
    assert receipt is not None
    assert receipt.revocation.effective_at


def test_people_see_cases_of_their_own_api_access_tokens(leaks: CaseScene) -> None:
    issued, agents = leaks.api_token(), leaks.token()
    leaks.report(issued.value, agents.value)
    context = leaks.authority.context

    async def work(tx: Transaction) -> list[str]:
        return [case.leak.token_id for _, case in await own_cases(tx, leaks.first.admin)]

    assert leaks.run(context.store.read(work)) == [issued.token.id]


# -- rules -------------------------------------------------------------------------------------------


def test_rules_are_changed_checked_and_told(leaks: CaseScene) -> None:
    context = leaks.authority.context

    def change(
        *, dry_run: bool | None = None, seen: int | None = None, **rules: str | None
    ) -> dict[str, str]:
        given = {name.replace("__", ":"): text for name, text in rules.items()}
        policy = leaks.inside(
            lambda tx, access: change_leak_policy(context, tx, access, given, dry_run=dry_run, seen=seen)
        )
        return {row.key: row.rule.text() for row in rows_of(policy) if row.changed}

    assert change(agent__public="rotate:60", job__public="notify") == {"agent:public": "rotate:60"}
    assert change(agent__private="quarantine") == {
        "agent:public": "rotate:60",
        "agent:private": "quarantine",
    }
    assert change(agent__public=None) == {"agent:private": "quarantine"}
    events = leaks.events(Action.LEAK_POLICY_UPDATED)
    assert len(events) == 3
    assert change(agent__private="quarantine") == {"agent:private": "quarantine"}
    assert len(leaks.events(Action.LEAK_POLICY_UPDATED)) == 3
    assert change(dry_run=True) == {"agent:private": "quarantine"}
    for wrong in ({"job__public": "rotate"}, {"nothing__public": None}, {"agent__public": "burn"}):
        assert leaks.refused(lambda rules=wrong: change(**rules)) == "invalid_leak_rule"  # type: ignore[misc]
    with pytest.raises(Conflict):
        change(seen=1, agent__public="notify")
