"""Reports of leaks: what is found, what follows, what is labelled, and what a forged or repeated one does."""

import pytest

from services.leak_scene import CRAWLER, GITHUB, LeakScene
from services.scene import ADDRESS, SESSIONS
from support import World
from watchword.crypto.values import Secret, digest, mint
from watchword.domain.events import Action
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Evidence, Label, LeakState, Outcome, Response, Visibility
from watchword.domain.tokens import State
from watchword.services.context import LOCAL
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Source
from watchword.store.base import EVERYTHING

API = (Kind.API_ACCESS,)
TRUE, FALSE = Label.TRUE_POSITIVE, Label.FALSE_POSITIVE


@pytest.fixture
def leaks(world: World) -> LeakScene:
    return LeakScene(world)


def test_a_public_api_access_token_is_revoked_at_once(leaks: LeakScene) -> None:
    issued = leaks.api_token()
    assert leaks.reason(issued.value.reveal(), API) == ""
    (answer,) = leaks.report(issued.value)
    assert (answer.label, answer.live) == (TRUE, True)
    assert leaks.reason(issued.value.reveal(), API) == "token_revoked"
    leak = leaks.the_leak(issued.token)
    assert (leak.response, leak.outcome, leak.state) == (Response.REVOKE, Outcome.REVOKED, LeakState.OPEN)
    assert [event.subject_id for event in leaks.events(Action.LEAK_OPENED)] == [leak.id]
    assert [event.subject_id for event in leaks.events(Action.LEAK_ANSWERED)] == [leak.id]


@pytest.mark.parametrize("source", [GITHUB, CRAWLER])
def test_of_an_agent_token_people_are_told_and_nothing_is_done(leaks: LeakScene, source: Source) -> None:
    issued = leaks.token()
    leaks.report(issued.value, source=source)
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == ""
    leak = leaks.the_leak(issued.token)
    assert (leak.outcome, leak.telling, leak.visibility) == (Outcome.NOTIFIED, True, source.visibility)


def test_what_is_no_value_of_ours_is_a_false_positive_and_opens_nothing(leaks: LeakScene) -> None:
    strange = [mint(Kind.API_ACCESS), Secret("ghp_" + "a" * 36), Secret(""), Secret("x" * 5000)]
    assert {answer.label for answer in leaks.report(*strange)} == {FALSE}
    assert not leaks.events(Action.LEAK_OPENED)


def test_ended_values_stay_true_positives_for_ever_and_open_nothing_that_is_to_be_done(
    leaks: LeakScene,
) -> None:
    revoked, expired = leaks.api_token(), leaks.token(expires_in=700)
    leaks.report(revoked.value)
    leaks.forward(3600)
    for _ in range(2):
        answers = leaks.report(revoked.value, expired.value)
        assert [(answer.label, answer.live) for answer in answers] == [(TRUE, False)] * 2
    leak = leaks.the_leak(expired.token)
    assert (leak.state, leak.outcome, leak.telling, leak.count) == (
        LeakState.CLOSED,
        Outcome.DEAD,
        False,
        2,
    )
    assert leaks.the_leak(revoked.token).outcome is Outcome.REVOKED


def test_a_replayed_report_changes_nothing_and_keeps_its_labels(leaks: LeakScene) -> None:
    issued = leaks.api_token()
    first = leaks.report(issued.value, mint(Kind.AGENT), body="the same")
    before = leaks.the_leak(issued.token), leaks.everything()
    second = leaks.report(issued.value, mint(Kind.AGENT), body="the same")
    assert [answer.label for answer in first] == [answer.label for answer in second] == [TRUE, FALSE]
    assert (leaks.the_leak(issued.token), leaks.everything()) == before


def test_an_id_alone_opens_a_case_and_takes_nothing_away(leaks: LeakScene) -> None:
    issued = leaks.api_token()
    leaks.rules(api_access__public="revoke")
    (answer,) = leaks.report(Item(organization=leaks.first.organization.slug, token_id=issued.token.id))
    assert answer.label is TRUE
    leak = leaks.the_leak(issued.token)
    assert (leak.evidence, leak.outcome) == (Evidence.ID, Outcome.NOTIFIED)
    assert leaks.reason(issued.value.reveal(), API) == ""
    leaks.report(issued.value)
    assert leaks.the_leak(issued.token).outcome is Outcome.REVOKED


def test_a_digest_is_enough_for_a_signed_reporter(leaks: LeakScene) -> None:
    issued = leaks.api_token()
    leaks.report(Item(digest=digest(issued.value.reveal())))
    leak = leaks.the_leak(issued.token)
    assert (leak.evidence, leak.outcome) == (Evidence.DIGEST, Outcome.REVOKED)


def test_a_quarantined_token_is_refused_until_it_is_released_also_after_a_restart(leaks: LeakScene) -> None:
    issued = leaks.token()
    joined = leaks.register(issued)
    leaks.rules(agent__public="quarantine")
    leaks.report(issued.value)
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_quarantined"
    assert leaks.reason(joined.value.reveal(), SESSIONS) == ""
    leaks.configure()
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_quarantined"
    assert leaks.stored(issued.token).state is State.ACTIVE


def test_a_rotation_leaves_the_leaked_value_its_grace_and_keeps_the_successor_sealed(
    leaks: LeakScene,
) -> None:
    issued = leaks.token()
    leaks.rules(agent__public="rotate:30")
    leaks.report(issued.value)
    leak = leaks.the_leak(issued.token)
    assert leak.outcome is Outcome.ROTATING
    assert leak.handover
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == ""
    leaks.forward(31 * 60)
    leaks.sweep()
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_superseded"


def test_a_leaked_session_ends_and_its_agent_leaves(leaks: LeakScene) -> None:
    joined = leaks.register()
    leaks.connect(joined)
    leaks.rules(agent_session__public="revoke")
    leaks.report(joined.value)
    assert leaks.reason(joined.value.reveal(), SESSIONS)
    (opened,) = leaks.events(Action.LEAK_OPENED)
    (answered,) = leaks.events(Action.LEAK_ANSWERED)
    assert opened.subject_id == answered.subject_id
    assert joined.agent.id not in leaks.authority.fleet.agents


def test_a_dry_run_says_what_it_would_do(leaks: LeakScene) -> None:
    issued = leaks.api_token()
    leaks.rules(dry_run=True)
    leaks.report(issued.value)
    leak = leaks.the_leak(issued.token)
    assert (leak.response, leak.outcome) == (Response.REVOKE, Outcome.WOULD)
    assert leaks.reason(issued.value.reveal(), API) == ""


def test_the_breaker_holds_what_is_not_public_and_lets_it_go_on_after_an_hour(leaks: LeakScene) -> None:
    leaks.breaker(per_minute=2)
    leaks.rules(agent__private="revoke")
    tokens = [leaks.token() for _ in range(4)]
    leaks.report(*(each.value for each in tokens), source=CRAWLER)
    outcomes = [leaks.the_leak(each.token).outcome for each in tokens]
    assert outcomes == [Outcome.REVOKED, Outcome.REVOKED, Outcome.HELD, Outcome.HELD]
    leaks.forward(59 * 60)
    leaks.sweep()
    assert leaks.the_leak(tokens[3].token).state is LeakState.HELD
    leaks.forward(2 * 60)
    leaks.sweep()
    assert {leaks.the_leak(each.token).outcome for each in tokens} == {Outcome.REVOKED}
    assert leaks.reason_from(tokens[3].value.reveal(), ADDRESS) == "token_revoked"


def test_the_breaker_never_holds_what_is_live_and_public(leaks: LeakScene) -> None:
    leaks.breaker(per_minute=1)
    tokens = [leaks.api_token() for _ in range(3)]
    leaks.report(*(each.value for each in tokens))
    assert {leaks.the_leak(each.token).outcome for each in tokens} == {Outcome.REVOKED}


def test_a_held_value_that_becomes_public_is_held_no_longer(leaks: LeakScene) -> None:
    leaks.breaker(per_minute=1)
    leaks.rules(agent__private="revoke", agent__public="revoke")
    first, second = leaks.token(), leaks.token()
    leaks.report(first.value, second.value, source=CRAWLER)
    assert leaks.the_leak(second.token).outcome is Outcome.HELD
    leaks.report(second.value, source=GITHUB)
    leak = leaks.the_leak(second.token)
    assert (leak.outcome, leak.visibility, leak.held_until) == (Outcome.REVOKED, Visibility.PUBLIC, 0)


def test_the_share_of_live_tokens_trips_the_breaker_too(leaks: LeakScene) -> None:
    leaks.breaker(percent=50)
    leaks.rules(agent__private="revoke")
    tokens = [leaks.token() for _ in range(24)]
    leaks.report(*(each.value for each in tokens), source=CRAWLER)
    outcomes = [leaks.the_leak(each.token).outcome for each in tokens]
    assert outcomes[:10] == [Outcome.REVOKED] * 10
    assert outcomes[-1] is Outcome.HELD


def test_places_are_kept_once_each_and_values_in_them_are_masked(leaks: LeakScene) -> None:
    issued, other = leaks.api_token(), leaks.token()
    value = issued.value.reveal()
    items = [
        Item(
            value=issued.value, url=f"https://example.com/?a={value}&b={other.value.reveal()}", place="Commit"
        ),
        Item(value=issued.value, url="https://example.com/2", place="Issue comment"),
        Item(value=issued.value, url="https://example.com/2", place="issue_comment"),
    ]
    leaks.report(*items)
    leak = leaks.the_leak(issued.token)
    store = leaks.authority.context.store
    found = leaks.run(store.read(lambda tx: tx.leaks.sightings(leak.organization_id, leak.id, EVERYTHING)))
    assert sorted((each.place, each.count) for each in found) == [("commit", 1), ("issue_comment", 2)]
    assert leak.count == 3
    for text in (value, other.value.reveal()):
        assert all(text not in each.url for each in found)


def test_a_second_place_of_a_closed_case_opens_it_again_while_the_token_lives(leaks: LeakScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    leak = leaks.the_leak(issued.token)
    closed = type(leak)(
        **{name: getattr(leak, name) for name in leak.__slots__} | {"state": LeakState.CLOSED}
    )
    assert leaks.run(leaks.authority.context.store.write(lambda tx: tx.leaks.save(leak, closed)))
    leaks.report(issued.value)
    assert leaks.the_leak(issued.token).state is LeakState.CLOSED
    leaks.report(Item(value=issued.value, url="https://example.com/elsewhere"))
    assert leaks.the_leak(issued.token).state is LeakState.OPEN


def test_what_was_held_follows_the_rules_as_they_are_when_the_hold_is_over(leaks: LeakScene) -> None:
    leaks.breaker(per_minute=1)
    leaks.rules(agent__private="revoke")
    tokens = [leaks.token() for _ in range(3)]
    leaks.report(*(each.value for each in tokens), source=CRAWLER)
    leaks.rules(agent__private="revoke", dry_run=True)
    leaks.forward(61 * 60)
    leaks.sweep()
    assert [leaks.the_leak(each.token).outcome for each in tokens[1:]] == [Outcome.WOULD] * 2
    assert leaks.reason_from(tokens[1].value.reveal(), ADDRESS) == ""


def test_a_time_to_come_is_no_beginning_of_a_leak(leaks: LeakScene) -> None:
    issued = leaks.token()
    now = leaks.world.clock.now()
    leaks.report(Item(value=issued.value, exposed_at=now + 5))
    assert leaks.the_leak(issued.token).exposed_at == now
    leaks.report(Item(value=issued.value, exposed_at=now - 7, place="earlier"))
    assert leaks.the_leak(issued.token).exposed_at == now - 7


def test_a_rotation_that_is_under_way_ends_sooner_and_not_later(leaks: LeakScene) -> None:
    issued = leaks.token()
    rotator, store = leaks.authority.rotator, leaks.authority.context.store
    leaks.run(store.write(lambda tx: rotator.start_in(tx, LOCAL, issued.token, by=None, asker="test")))
    leaks.rules(agent__public="rotate:30")
    leaks.report(issued.value)
    leak = leaks.the_leak(issued.token)
    assert (leak.outcome, leak.handover) == (Outcome.ROTATING, b"")
    leaks.forward(31 * 60)
    leaks.sweep()
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == "token_superseded"


def test_what_stands_in_the_way_of_a_rotation_is_told(leaks: LeakScene) -> None:
    issued = leaks.token()
    rotator, store = leaks.authority.rotator, leaks.authority.context.store
    made = leaks.run(store.write(lambda tx: rotator.start_in(tx, LOCAL, issued.token, by=None, asker="test")))
    leaks.rules(agent__public="rotate:30")
    leaks.report(made.value)
    leak = leaks.the_leak(made.successor)
    assert (leak.outcome, leak.failure, leak.telling) == (Outcome.FAILED, "rotation_open", True)
