"""Signing in: who gets in, who waits, how sessions end, and what needs a fresh proof."""

import asyncio
from collections.abc import Callable

import pytest

from services.people_scene import CALLER, ELSEWHERE, EMAIL, PASSWORD, Door
from services.scene import Scene
from watchword.crypto import passwords as crypto_passwords
from watchword.crypto.passwords import DUMMY_HASH
from watchword.crypto.values import Secret
from watchword.domain.errors import Refused, TooMany
from watchword.domain.events import Action
from watchword.domain.people import LinkPurpose
from watchword.services import passwords
from watchword.services.context import LOCAL
from watchword.services.people import disable_person, enable_person, recover_person
from watchword.services.signing_in import require_escalated

MINUTE = 60


@pytest.fixture
def make_of_database() -> str:
    return "sqlite"  # the store's part is held by its contract on both


@pytest.fixture
def door(scene: Scene) -> Door:
    return Door(scene)


# -- in ----------------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session_that_is_found_by_its_cookie_alone(door: Door) -> None:
    signed = door.sign_in()
    assert signed.session.complete
    visitor = door.visit(signed)
    assert (visitor.user, visitor.session) == (door.row(), signed.session)
    assert signed.cookie.reveal().encode() not in door.scene.world.database.content()
    assert door.refusal(door.service.authenticate(Secret("x" * 43))) == "session_ended"
    (event,) = door.scene.events(Action.USER_SIGNED_IN)
    assert (event.actor_id, event.address, event.user_agent) == (door.user.id, CALLER.address, "a browser")


def test_every_sign_in_has_an_id_and_a_cookie_of_its_own(door: Door) -> None:
    made = [door.sign_in() for _ in range(3)]
    assert len({one.session.id for one in made}) == len({one.cookie for one in made}) == 3


def test_an_address_is_typed_in_any_case(door: Door) -> None:
    assert door.sign_in(email="  Admin@Example.COM ").user == door.row()


def test_a_wrong_password_an_unknown_person_and_no_password_are_answered_alike(door: Door) -> None:
    door.write(lambda tx: tx.people.set_password(door.user.id, "", 1))
    answers = set()
    for email, password in (
        (EMAIL, ""),
        (EMAIL, PASSWORD),
        ("eve@example.com", PASSWORD),
        ("no address", "x"),
    ):
        with pytest.raises(Refused) as refused:
            door.sign_in(password, email)
        answers.add((refused.value.code, refused.value.message, refused.value.status))
    assert answers == {("sign_in_refused", "Email, password or code is wrong.", 401)}


def test_refusals_cost_the_same_calls_whoever_is_asked_for(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timing is equal by construction: the same statements, and one hash of the same parameters."""
    verified: list[str] = []
    real = crypto_passwords.password_matches

    def counted(stored: str, password: str) -> bool:
        verified.append(stored or DUMMY_HASH)
        return real(stored, password)

    monkeypatch.setattr(passwords, "password_matches", counted)
    statements: list[list[int]] = []
    writer = door.scene.world.store._writer  # type: ignore[attr-defined]
    execute = type(writer)._execute

    def noted(self: object, statement: object, parameters: object) -> object:
        if self is writer:  # other servers of the same run have connections of their own
            statements[-1].append(id(statement))
        return execute(self, statement, parameters)

    monkeypatch.setattr(type(writer), "_execute", noted)
    for email, caller in ((EMAIL, CALLER), ("eve@example.com", ELSEWHERE)):
        statements.append([])
        assert door.attempt("wrong password", email, caller) == "sign_in_refused"
    assert statements[0] == statements[1] != []
    parameters = {stored.split("$")[3] for stored in verified}
    assert len(verified) == 2
    assert len(parameters) == 1


def test_the_dummy_hash_is_well_formed_and_nobodys() -> None:
    assert not crypto_passwords.password_matches(DUMMY_HASH, "")
    assert not crypto_passwords.needs_rehash(DUMMY_HASH)
    assert not crypto_passwords.password_matches("damaged", "damaged")


def test_a_hash_of_former_parameters_is_made_anew_at_the_next_sign_in(door: Door) -> None:
    from argon2 import PasswordHasher  # noqa: PLC0415 - as an older version had it

    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    door.write(lambda tx: tx.people.set_password(door.user.id, old, 1))
    door.sign_in()
    assert door.row().password_hash != old
    assert not crypto_passwords.needs_rehash(door.row().password_hash)
    door.sign_in()


def test_hashing_never_holds_the_loop(door: Door) -> None:
    async def scenario() -> int:
        turns = 0
        signing = asyncio.ensure_future(door.service.sign_in(EMAIL, Secret(PASSWORD), CALLER))
        while not signing.done():
            await asyncio.sleep(0.001)
            turns += 1
        await signing
        return turns

    assert door.run(scenario()) > 5


# -- who waits ---------------------------------------------------------------------------------------


def waits(door: Door, *, of: int, email: str = EMAIL) -> list[int]:
    """Seconds that one has to wait after each of so many failures in a row."""
    found = []
    for _ in range(of):
        wait = 0
        while True:
            try:
                door.sign_in("wrong", email, ELSEWHERE)
            except TooMany as error:
                door.scene.forward(error.retry_after)
                wait += error.retry_after
            except Refused:
                break
        found.append(wait)
    return found


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
def test_failures_make_the_next_attempt_wait_longer_and_never_for_ever(door: Door, email: str) -> None:
    found = waits(door, of=18, email=email)
    assert found == [0, 0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_many_attempts_at_once_are_charged_before_they_are_looked_at(door: Door) -> None:
    async def scenario() -> list[str]:
        async def one() -> str:
            try:
                await door.service.sign_in(EMAIL, Secret("wrong"), ELSEWHERE)
            except (Refused, TooMany) as error:
                return error.code
            return ""

        return list(await asyncio.gather(*(one() for _ in range(40))))

    found = door.run(scenario())
    assert found.count("sign_in_refused") <= 6
    assert found.count("too_many_attempts") == 40 - found.count("sign_in_refused")


def test_an_attack_from_elsewhere_does_not_keep_the_victim_out(door: Door) -> None:
    door.sign_in()  # the address is known from now on
    waits(door, of=12)
    assert door.attempt(PASSWORD, caller=ELSEWHERE) == "too_many_attempts"
    assert door.visit(door.sign_in()).user == door.row()


def test_guesses_at_a_known_address_wait_too(door: Door) -> None:
    door.sign_in()
    found = [door.attempt() for _ in range(7)]
    assert found == ["sign_in_refused"] * 6 + ["too_many_attempts"]
    door.scene.forward(5 * MINUTE)
    door.sign_in()
    assert [door.attempt() for _ in range(2)] == ["sign_in_refused"] * 2  # a success forgets failures


def test_one_address_that_tries_many_accounts_waits(door: Door) -> None:
    found = [door.attempt("wrong", f"user{number}@example.com", ELSEWHERE) for number in range(25)]
    assert found.count("too_many_attempts") == 4
    # One's own success does not wipe out what one tried elsewhere.
    door.scene.forward(15 * MINUTE)
    door.sign_in(caller=ELSEWHERE)
    assert door.attempt("wrong", "user99@example.com", ELSEWHERE) == "sign_in_refused"
    assert door.attempt("wrong", "user98@example.com", ELSEWHERE) == "too_many_attempts"


def test_failures_are_forgotten_after_a_day(door: Door) -> None:
    waits(door, of=10)
    door.scene.forward(24 * 60 * MINUTE)
    assert waits(door, of=6) == [0] * 6


def test_refusals_reach_the_trail_of_those_who_exist_counted(door: Door) -> None:
    for email in (EMAIL, EMAIL, "nobody@example.com"):
        door.attempt("wrong", email)
    assert not door.scene.events(Action.USER_SIGN_IN_REFUSED)
    door.run(door.scene.authority.flush())
    (event,) = door.scene.events(Action.USER_SIGN_IN_REFUSED)
    assert (event.data, event.address, event.subject_id) == ('{"count":2}', CALLER.address, door.user.id)
    door.run(door.scene.authority.flush())
    assert len(door.scene.events(Action.USER_SIGN_IN_REFUSED)) == 1


# -- second factor -----------------------------------------------------------------------------------


def test_with_a_second_factor_the_password_alone_opens_nothing(door: Door) -> None:
    door.enrol()
    halfway = door.sign_in()
    assert not halfway.session.complete
    assert door.refusal(door.service.authenticate(halfway.cookie)) == "session_ended"
    signed = door.run(door.service.second_factor(halfway.cookie, door.code(), CALLER))
    assert signed.session.id != halfway.session.id
    assert signed.cookie != halfway.cookie
    assert door.visit(signed).user == door.row()
    assert door.refusal(door.service.second_factor(halfway.cookie, door.code(), CALLER)) == "session_ended"
    assert len(door.scene.events(Action.USER_SIGNED_IN)) == 1


def test_a_code_passes_once(door: Door) -> None:
    door.enrol()
    code = door.code()
    first, second = door.sign_in(), door.sign_in()
    door.run(door.service.second_factor(first.cookie, code, CALLER))
    assert door.refusal(door.service.second_factor(second.cookie, code, CALLER)) == "sign_in_refused"


def test_a_recovery_code_passes_once_among_many(door: Door) -> None:
    door.enrol()
    halves = [door.sign_in() for _ in range(4)]
    code = door.codes[3].reveal().upper().replace("-", " ")

    async def scenario() -> list[str]:
        async def one(cookie: Secret) -> str:
            try:
                await door.service.second_factor(cookie, code, CALLER)
            except Refused as error:
                return error.code
            return "in"

        return list(await asyncio.gather(*(one(half.cookie) for half in halves)))

    assert sorted(door.run(scenario())) == ["in"] + ["sign_in_refused"] * 3


def test_wrong_codes_wait_and_the_halfway_house_closes(door: Door) -> None:
    door.enrol()
    halfway = door.sign_in(caller=ELSEWHERE)

    def tried() -> str:
        return door.refusal(door.service.second_factor(halfway.cookie, "000000", ELSEWHERE))

    assert [tried() for _ in range(7)] == ["sign_in_refused"] * 6 + ["too_many_attempts"]
    door.scene.forward(10 * MINUTE)
    assert tried() == "session_ended"


# -- sessions ----------------------------------------------------------------------------------------


def test_a_session_that_is_not_used_ends_and_use_keeps_it_until_its_last_day(door: Door) -> None:
    idle, kept = door.sign_in(), door.sign_in()
    for _ in range(2):
        door.scene.forward(11 * 60 * MINUTE)
        door.visit(kept)
    assert door.refusal(door.service.authenticate(idle.cookie)) == "session_ended"
    for _ in range(28):
        door.scene.forward(11 * 60 * MINUTE)
        door.visit(kept)
    door.scene.forward(6 * 60 * MINUTE)  # 14 days
    assert door.refusal(door.service.authenticate(kept.cookie)) == "session_ended"


def test_limits_of_sessions_are_settings(door: Door) -> None:
    door.scene.configure(session_idle_hours=1, session_days=1)
    signed = door.sign_in()
    door.scene.forward(60 * MINUTE - 1)
    door.visit(signed)
    door.scene.forward(60 * MINUTE)
    assert door.refusal(door.service.authenticate(signed.cookie)) == "session_ended"


def test_signing_out_ends_one_session_or_all(door: Door) -> None:
    first, second, third = door.sign_in(), door.sign_in(), door.sign_in()
    assert len(door.run(door.service.sessions(door.user.id))) == 3
    door.run(door.service.sign_out(door.visit(first), CALLER))
    assert door.refusal(door.service.authenticate(first.cookie)) == "session_ended"
    ended = door.service.sign_out_everywhere(door.user.id, CALLER, keep=third.session.id)
    assert door.run(ended) == 1
    assert [one.id for one in door.run(door.service.sessions(door.user.id))] == [third.session.id]
    assert door.refusal(door.service.authenticate(second.cookie)) == "session_ended"
    assert len(door.scene.events(Action.USER_SIGNED_OUT)) == 1
    assert len(door.scene.events(Action.USER_SESSIONS_ENDED)) == 1


def test_a_disabled_person_is_out_at_once_and_back_as_they_were(door: Door) -> None:
    signed = door.sign_in()
    assert door.run(disable_person(door.context, LOCAL, EMAIL)) == 1
    assert door.refusal(door.service.authenticate(signed.cookie)) == "session_ended"
    assert door.attempt(PASSWORD) == "sign_in_refused"
    assert door.refusal(recover_person(door.context, LOCAL, EMAIL)) == "user_disabled"
    door.run(enable_person(door.context, LOCAL, EMAIL))
    door.sign_in()
    assert len(door.scene.events(Action.USER_DISABLED)) == len(door.scene.events(Action.USER_ENABLED)) == 1


# -- fresh proof -------------------------------------------------------------------------------------


def test_a_fresh_proof_is_good_for_five_minutes(door: Door) -> None:
    signed = door.sign_in()

    def passes() -> bool:
        try:
            require_escalated(door.visit(signed), door.scene.world.clock.now())
        except Refused:
            return False
        return True

    assert passes()
    door.scene.forward(5 * MINUTE)
    assert not passes()
    wrong = door.service.escalate(door.visit(signed), Secret("wrong"), CALLER)
    assert door.refusal(wrong) == "sign_in_refused"
    assert not passes()
    door.run(door.service.escalate(door.visit(signed), Secret(PASSWORD), CALLER))
    assert passes()
    assert len(door.scene.events(Action.USER_STEPPED_UP)) == 1


def test_with_a_second_factor_the_proof_is_a_code(door: Door) -> None:
    signed = door.sign_in()
    door.enrol()
    assert (
        door.refusal(door.service.escalate(door.visit(signed), Secret(PASSWORD), CALLER)) == "sign_in_refused"
    )
    door.run(door.service.escalate(door.visit(signed), Secret(door.code()), CALLER))


# -- recovery ----------------------------------------------------------------------------------------


def test_recovery_signs_in_once_and_changes_nothing_else(door: Door) -> None:
    door.enrol()
    before = door.data()
    made = door.run(recover_person(door.context, LOCAL, EMAIL))
    assert made.value.reveal() in made.url.reveal()
    assert "#" in made.url.reveal()
    assert door.data() == before
    assert len(door.scene.events(Action.USER_RECOVERED)) == 1

    def use() -> object:
        return door.run(door.service.sign_in_by_link(made.value, LinkPurpose.RECOVER, CALLER))

    signed = use()
    visitor = door.visit(signed)  # type: ignore[arg-type]
    require_escalated(visitor, door.scene.world.clock.now())
    with pytest.raises(Refused, match="not valid"):
        use()


def test_a_recovery_link_has_one_winner(door: Door) -> None:
    made = door.run(recover_person(door.context, LOCAL, EMAIL))

    async def scenario() -> list[bool]:
        async def one() -> bool:
            try:
                await door.service.sign_in_by_link(made.value, LinkPurpose.RECOVER, CALLER)
            except Refused:
                return False
            return True

        return list(await asyncio.gather(*(one() for _ in range(20))))

    assert sum(door.run(scenario())) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda door: door.scene.forward(15 * MINUTE),
        lambda door: door.run(recover_person(door.context, LOCAL, EMAIL)),
        lambda door: door.run(disable_person(door.context, LOCAL, EMAIL)),
    ],
    ids=["late", "a newer one", "disabled"],
)
def test_a_recovery_link_dies(door: Door, spoil: Callable[[Door], object]) -> None:
    made = door.run(recover_person(door.context, LOCAL, EMAIL))
    spoil(door)
    work = door.service.sign_in_by_link(made.value, LinkPurpose.RECOVER, CALLER)
    assert door.refusal(work) == "link_invalid"


def test_a_link_for_one_thing_opens_no_other(door: Door) -> None:
    made = door.run(recover_person(door.context, LOCAL, EMAIL))
    work = door.service.sign_in_by_link(made.value, LinkPurpose.INVITE, CALLER)
    assert door.refusal(work) == "link_invalid"
    with pytest.raises(ValueError, match="signs nobody in"):
        door.run(door.service.sign_in_by_link(made.value, LinkPurpose.RESET_PASSWORD, CALLER))
