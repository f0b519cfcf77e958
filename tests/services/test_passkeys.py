"""Passkeys: registered, used alone, after the password, as a fresh proof; and everything that is refused."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from authenticator import Authenticator
from services.people_scene import CALLER, EMAIL, PASSWORD, Door
from services.scene import Scene
from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, Refused, WatchwordError
from watchword.domain.events import Action
from watchword.domain.ids import PasskeyId
from watchword.services.accounts import create_organization
from watchword.services.ceremonies import RelyingParty
from watchword.services.context import LOCAL
from watchword.services.passkey_signing import PasskeySigning
from watchword.services.passkeys import Passkeys, Registered
from watchword.services.people import disable_person
from watchword.services.second_factor import disable, take_code
from watchword.services.sessions import SignedIn, Visitor, require_escalated
from watchword.store.base import EVERYTHING

MINUTE = 60


@pytest.fixture
def make_of_database() -> str:
    return "sqlite"  # the store's part is held by its contract on both


class Keys(Door):
    """The administrator, and an authenticator."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.key = Authenticator()

    @property
    def own(self) -> Passkeys:
        return self.scene.authority.passkeys

    @property
    def signing(self) -> PasskeySigning:
        return self.scene.authority.passkey_signing

    def visitor(self) -> Visitor:
        return self.visit(self.sign_in())

    def register(
        self, key: Authenticator | None = None, name: str = "Laptop", visitor: Visitor | None = None
    ) -> Registered:
        who = visitor or self.visitor()
        asked = self.run(self.own.begin(who))
        answer = (key or self.key).register(asked.options)
        return self.run(self.own.finish(who, asked.ticket, answer, name, CALLER))

    def sign_in_alone(self, key: Authenticator | None = None) -> SignedIn:
        asked = self.signing.begin()
        return self.run(self.signing.finish(asked.ticket, (key or self.key).sign(asked.options), CALLER))

    def alone(self, key: Authenticator | None = None) -> str:
        """The code with which signing in alone is refused; empty if it passes."""
        try:
            self.sign_in_alone(key)
        except WatchwordError as error:
            return error.code
        return ""


@pytest.fixture
def keys(scene: Scene) -> Keys:
    return Keys(scene)


# -- whom they are for -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "party"),
    [
        ("https://tokens.example.com", ("tokens.example.com", "https://tokens.example.com")),
        ("https://tokens.example.com:443", ("tokens.example.com", "https://tokens.example.com")),
        ("https://tokens.example.com:8443", ("tokens.example.com", "https://tokens.example.com:8443")),
        ("http://localhost:8080", ("localhost", "http://localhost:8080")),
        ("http://127.0.0.1:8080", ("localhost", "http://localhost:8080")),
        ("http://[::1]:8080", ("localhost", "http://localhost:8080")),
    ],
)
def test_the_relying_party_is_the_host_of_the_public_address(url: str, party: tuple[str, str]) -> None:
    assert RelyingParty.of(url) == RelyingParty(*party)


@pytest.mark.parametrize("url", ["http://tokens.example.com", "https://192.0.2.1", "https://[2001:db8::1]"])
def test_addresses_without_a_name_or_tls_have_no_passkeys(keys: Keys, url: str) -> None:
    keys.scene.configure(url=url)
    assert keys.signing.party() is None
    with pytest.raises(Conflict, match="host name and TLS"):
        keys.signing.begin()


# -- registration ------------------------------------------------------------------------------------


def test_a_passkey_is_registered_listed_renamed_and_removed(keys: Keys) -> None:
    visitor = keys.visitor()
    made = keys.register(name="  My   laptop ", visitor=visitor)
    assert keys.run(keys.own.list(keys.user.id)) == [made.passkey]
    assert (made.passkey.name, made.passkey.transports, made.passkey.last_used_at) == (
        "My laptop",
        ("internal", "hybrid"),
        0,
    )
    assert keys.data().second_factor
    keys.run(keys.own.rename(visitor, made.passkey.id, "Old laptop", CALLER))
    assert [one.name for one in keys.run(keys.own.list(keys.user.id))] == ["Old laptop"]
    keys.run(keys.own.remove(visitor, made.passkey.id, CALLER))
    assert keys.run(keys.own.list(keys.user.id)) == []
    assert not keys.data().second_factor
    assert keys.alone() == "passkey_refused"
    for action in (Action.USER_PASSKEY_ADDED, Action.USER_PASSKEY_RENAMED, Action.USER_PASSKEY_REMOVED):
        (event,) = keys.scene.events(action)
        assert json.loads(event.data)["passkey_id"] == made.passkey.id
    subjects = [one.subject for one in keys.write(lambda tx: tx.mails.list(EVERYTHING))]
    assert "The passkey 'My laptop' was added to your account" in subjects
    assert "The passkey 'Old laptop' was removed from your account" in subjects


def test_the_first_second_factor_comes_with_recovery_codes_a_further_one_does_not(keys: Keys) -> None:
    visitor = keys.visitor()
    first = keys.register(visitor=visitor)
    second = keys.register(Authenticator(), "Phone", visitor)
    assert len(first.codes) == 10
    assert second.codes == ()
    half = keys.sign_in()
    assert not half.session.complete
    keys.run(keys.service.second_factor(half.cookie, first.codes[0].reveal(), CALLER))
    keys.run(keys.own.remove(visitor, first.passkey.id, CALLER))
    assert keys.data().second_factor
    keys.run(keys.own.remove(visitor, second.passkey.id, CALLER))
    assert keys.sign_in().session.complete
    code = first.codes[1].reveal()
    assert keys.write(lambda tx: take_code(keys.context, tx, keys.user.id, code)) == ""


def test_registering_and_removing_ask_for_a_fresh_proof(keys: Keys) -> None:
    made = keys.register()
    visitor = keys.visit(keys.sign_in_alone())
    asked = keys.run(keys.own.begin(visitor))
    keys.scene.forward(5 * MINUTE)
    answer = Authenticator().register(asked.options)
    for work in (
        keys.own.begin(visitor),
        keys.own.finish(visitor, asked.ticket, answer, "Phone", CALLER),
        keys.own.remove(visitor, made.passkey.id, CALLER),
    ):
        assert keys.refusal(work) == "step_up_required"


def test_a_registered_passkey_is_known_and_excluded(keys: Keys) -> None:
    visitor = keys.visitor()
    keys.register(visitor=visitor)
    asked = keys.run(keys.own.begin(visitor))
    assert len(json.loads(asked.options)["excludeCredentials"]) == 1
    answer = keys.key.register(asked.options)
    again = keys.own.finish(visitor, asked.ticket, answer, "Twice", CALLER)
    assert keys.refusal(again) == "passkey_known"


def test_there_are_at_most_twenty_passkeys(keys: Keys) -> None:
    visitor = keys.visitor()
    for number in range(20):
        keys.register(Authenticator(), f"Key {number}", visitor)
    assert keys.refusal(keys.own.begin(visitor)) == "too_many_passkeys"


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"verifies": False},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_registration_of_another_site_or_without_verification_is_refused(
    keys: Keys, wrong: dict[str, object]
) -> None:
    visitor = keys.visitor()
    asked = keys.run(keys.own.begin(visitor))
    answer = replace(keys.key, **wrong).register(asked.options)  # type: ignore[arg-type]
    work = keys.own.finish(visitor, asked.ticket, answer, "Laptop", CALLER)
    assert keys.refusal(work) == "passkey_refused"
    assert keys.run(keys.own.list(keys.user.id)) == []


def test_a_registration_belongs_to_the_session_that_asked_and_passes_once(keys: Keys) -> None:
    first, second = keys.visitor(), keys.visitor()
    asked = keys.run(keys.own.begin(first))
    answer = keys.key.register(asked.options)
    elsewhere = keys.own.finish(second, asked.ticket, answer, "Laptop", CALLER)
    assert keys.refusal(elsewhere) == "ticket_invalid"
    keys.run(keys.own.finish(first, asked.ticket, answer, "Laptop", CALLER))
    again = keys.own.finish(first, asked.ticket, answer, "Laptop", CALLER)
    assert keys.refusal(again) == "ticket_invalid"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "bell\a"])
def test_a_passkey_has_a_name(keys: Keys, name: str) -> None:
    made = keys.register()
    assert keys.refusal(keys.own.rename(keys.visit(keys.sign_in_alone()), made.passkey.id, name, CALLER)) == (
        "invalid_name"
    )


def test_nobody_renames_or_removes_what_is_not_theirs(keys: Keys) -> None:
    made = keys.register()
    other = keys.run(create_organization(keys.context, LOCAL, "umbra", "Umbra", "eve@example.com", "Eve"))
    stranger = replace(keys.visit(keys.sign_in_alone()), user=other.admin)
    for passkey_id in (made.passkey.id, PasskeyId("absent")):
        assert keys.refusal(keys.own.rename(stranger, passkey_id, "Mine", CALLER)) == "not_found"
        assert keys.refusal(keys.own.remove(stranger, passkey_id, CALLER)) == "not_found"
    assert [one.name for one in keys.run(keys.own.list(keys.user.id))] == ["Laptop"]


# -- alone -------------------------------------------------------------------------------------------


def test_a_passkey_alone_signs_in_completely_and_counts_as_a_fresh_proof(keys: Keys) -> None:
    keys.register()
    signed = keys.sign_in_alone()
    assert signed.session.complete
    visitor = keys.visit(signed)
    assert visitor.user == keys.row()
    require_escalated(visitor, keys.scene.world.clock.now())
    event = keys.scene.events(Action.USER_SIGNED_IN)[-1]
    assert json.loads(event.data)["by"] == signed.session.method == "passkey"
    (passkey,) = keys.run(keys.own.list(keys.user.id))
    assert (passkey.last_used_at, passkey.sign_count) == (keys.scene.world.clock.now(), 2)


def test_a_page_that_only_asks_writes_nothing(keys: Keys) -> None:
    before = keys.scene.world.database.content()
    keys.signing.begin()
    assert keys.scene.world.database.content() == before


def test_a_challenge_passes_once_among_many(keys: Keys) -> None:
    keys.register()
    asked = keys.signing.begin()
    answer = keys.key.sign(asked.options)

    async def scenario() -> list[str]:
        async def one() -> str:
            try:
                await keys.signing.finish(asked.ticket, answer, CALLER)
            except Refused as error:
                return error.code
            return "in"

        return list(await asyncio.gather(*(one() for _ in range(8))))

    assert sorted(keys.run(scenario())) == ["in"] + ["ticket_invalid"] * 7


def test_a_challenge_lives_ten_minutes(keys: Keys) -> None:
    keys.register()
    asked = keys.signing.begin()
    answer = keys.key.sign(asked.options)
    keys.scene.forward(10 * MINUTE)
    assert keys.refusal(keys.signing.finish(asked.ticket, answer, CALLER)) == "ticket_invalid"


def test_an_answer_to_one_challenge_fits_no_other(keys: Keys) -> None:
    keys.register()
    old, fresh = keys.signing.begin(), keys.signing.begin()
    answer = keys.key.sign(old.options)
    assert keys.refusal(keys.signing.finish(fresh.ticket, answer, CALLER)) == "passkey_refused"


@pytest.mark.parametrize(
    "spoil", [lambda text: text[:-2] + "AA", lambda text: text + "=", lambda _text: "x", lambda _text: ""]
)
def test_a_ticket_that_is_not_ours_is_refused(keys: Keys, spoil: Callable[[str], str]) -> None:
    keys.register()
    asked = keys.signing.begin()
    answer = keys.key.sign(asked.options)
    ticket = Secret(spoil(asked.ticket.reveal()))
    assert keys.refusal(keys.signing.finish(ticket, answer, CALLER)) == "ticket_invalid"


def test_a_ticket_of_another_errand_is_refused(keys: Keys) -> None:
    keys.register()
    visitor = keys.visit(keys.sign_in_alone())
    asked = keys.run(keys.signing.begin_step_up(visitor))
    answer = keys.key.sign(asked.options)
    assert keys.refusal(keys.signing.finish(asked.ticket, answer, CALLER)) == "ticket_invalid"


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://localhost:8080"},
        {"origin": "http://localhost:8081"},
        {"rp_id": "evil.example"},
        {"verifies": False},
        {"credential_id": b"unknown"},
        {"user_handle": b"somebody else"},
        {"user_handle": b""},
        {"key": Authenticator().key},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_site_key_person_or_no_verification_is_refused(keys: Keys, wrong: dict[str, object]) -> None:
    keys.register()
    assert keys.alone(replace(keys.key, **wrong)) == "passkey_refused"  # type: ignore[arg-type]
    assert keys.alone() == ""


@pytest.mark.parametrize("answer", ["", "{}", "[]", "null", '{"id": 1}', "x" * 20_000])
def test_what_is_no_answer_is_refused(keys: Keys, answer: str) -> None:
    asked = keys.signing.begin()
    assert keys.refusal(keys.signing.finish(asked.ticket, answer, CALLER)) == "passkey_refused"
    visitor = keys.visitor()
    begun = keys.run(keys.own.begin(visitor))
    assert keys.refusal(keys.own.finish(visitor, begun.ticket, answer, "x", CALLER)) == "passkey_refused"


def test_a_counter_that_went_back_is_refused_and_recorded(keys: Keys) -> None:
    made = keys.register()
    keys.sign_in_alone()
    copy = replace(keys.key, sign_count=1)
    assert keys.alone(copy) == "passkey_refused"
    (event,) = keys.scene.events(Action.USER_PASSKEY_REFUSED)
    found = json.loads(event.data)
    assert found == {"passkey_id": made.passkey.id, "name": "Laptop", "counted": 2, "before": 2}
    assert keys.alone() == ""


def test_an_authenticator_that_counts_nothing_says_zero_each_time(keys: Keys) -> None:
    key = Authenticator(counts=False)
    keys.register(key)
    assert [keys.alone(key) for _ in range(3)] == ["", "", ""]


def test_whoever_is_disabled_stays_out(keys: Keys) -> None:
    keys.register()
    keys.run(disable_person(keys.context, LOCAL, EMAIL))
    assert keys.alone() == "passkey_refused"


def test_many_failures_from_one_address_wait(keys: Keys) -> None:
    found = [keys.alone(Authenticator()) for _ in range(25)]
    assert found.count("too_many_attempts") == 4


def test_refusals_reach_the_trail(keys: Keys) -> None:
    keys.register()
    keys.alone(replace(keys.key, verifies=False))
    keys.run(keys.scene.authority.flush())
    (event,) = keys.scene.events(Action.USER_SIGN_IN_REFUSED)
    assert event.data == '{"count":1}'


# -- after the password, and as a fresh proof --------------------------------------------------------


def test_whoever_has_a_passkey_is_not_let_in_by_the_password_alone(keys: Keys) -> None:
    keys.register()
    half = keys.sign_in()
    assert not half.session.complete
    asked = keys.run(keys.signing.begin_second(half.cookie))
    assert len(json.loads(asked.options)["allowCredentials"]) == 1
    answer = keys.key.sign(asked.options)
    signed = keys.run(keys.signing.finish_second(half.cookie, asked.ticket, answer, CALLER))
    assert signed.session.complete
    assert signed.session.id != half.session.id
    assert keys.visit(signed).user == keys.row()
    assert keys.refusal(keys.signing.begin_second(half.cookie)) == "session_ended"


def test_somebody_elses_passkey_is_no_second_factor_and_no_proof(keys: Keys) -> None:
    keys.register()
    other = keys.run(create_organization(keys.context, LOCAL, "umbra", "Umbra", "eve@example.com", "Eve"))
    hers = Authenticator()
    signed = keys.sign_in_alone()
    keys.register(hers, visitor=replace(keys.visit(signed), user=other.admin))
    half = keys.sign_in()
    asked = keys.run(keys.signing.begin_second(half.cookie))
    work = keys.signing.finish_second(half.cookie, asked.ticket, hers.sign(asked.options), CALLER)
    assert keys.refusal(work) == "passkey_refused"
    visitor = keys.visit(signed)
    asked = keys.run(keys.signing.begin_step_up(visitor))
    proof = keys.signing.finish_step_up(visitor, asked.ticket, hers.sign(asked.options), CALLER)
    assert keys.refusal(proof) == "passkey_refused"


def test_a_passkey_is_a_fresh_proof_for_its_session_alone(keys: Keys) -> None:
    keys.register()
    first, second = keys.sign_in_alone(), keys.sign_in_alone()
    keys.scene.forward(5 * MINUTE)
    visitor = keys.visit(first)
    asked = keys.run(keys.signing.begin_step_up(visitor))
    answer = keys.key.sign(asked.options)
    elsewhere = keys.signing.finish_step_up(keys.visit(second), asked.ticket, answer, CALLER)
    assert keys.refusal(elsewhere) == "ticket_invalid"
    keys.run(keys.signing.finish_step_up(visitor, asked.ticket, answer, CALLER))
    require_escalated(keys.visit(first), keys.scene.world.clock.now())
    with pytest.raises(Refused, match="Confirm"):
        require_escalated(keys.visit(second), keys.scene.world.clock.now())


def test_the_password_is_no_proof_where_there_is_a_passkey(keys: Keys) -> None:
    keys.register()
    visitor = keys.visit(keys.sign_in_alone())
    assert keys.refusal(keys.service.escalate(visitor, Secret(PASSWORD), CALLER)) == "sign_in_refused"


def test_the_host_turns_passkeys_off_with_the_second_factor(keys: Keys) -> None:
    keys.register()
    assert keys.write(lambda tx: disable(keys.context, tx, LOCAL, keys.user.id))
    assert keys.sign_in().session.complete
    assert keys.alone() == "passkey_refused"
    assert not keys.write(lambda tx: disable(keys.context, tx, LOCAL, keys.user.id))
