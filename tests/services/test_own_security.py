"""A person's own way in: app, recovery codes, password, address, sessions; and the first administrator."""

import asyncio
from collections.abc import Callable

import pyotp
import pytest

from authenticator import Authenticator
from services.people_scene import CALLER, ELSEWHERE, EMAIL, PASSWORD, Door
from services.scene import Scene
from watchword.crypto.values import Secret
from watchword.domain.accounts import Role
from watchword.domain.errors import Refused
from watchword.domain.events import Action
from watchword.domain.ids import SessionId
from watchword.domain.passkeys import Identity
from watchword.domain.people import LinkPurpose
from watchword.services.arriving import arrive, first_link, somebody_can_sign_in
from watchword.services.context import LOCAL
from watchword.services.email_changing import finish_email_change, request_email_change
from watchword.services.own_security import OwnSecurity, qr_code
from watchword.services.people import create_person, disable_person, recover_person
from watchword.services.sessions import Visitor

MINUTE = 60
FRESH = "a wholly new phrase"
ISSUER = "https://id.example.com"


@pytest.fixture
def make_of_database() -> str:
    return "sqlite"  # the store's part is held by its contract on both


@pytest.fixture
def door(scene: Scene) -> Door:
    return Door(scene)


@pytest.fixture
def own(door: Door) -> OwnSecurity:
    return door.scene.authority.own_security


@pytest.fixture
def visitor(door: Door) -> Visitor:
    return door.visit(door.sign_in())


def later(door: Door, visitor: Visitor) -> Visitor:
    """The same visitor when the proof has become too old."""
    door.scene.forward(5 * MINUTE)
    assert not visitor.session.escalated(door.scene.world.clock.now())
    return visitor


# -- the app and recovery codes ----------------------------------------------------------------------


def test_an_app_is_offered_as_text_and_picture_and_counts_from_its_first_code(
    door: Door, own: OwnSecurity, visitor: Visitor
) -> None:
    offered = door.run(own.begin_app(visitor))
    assert offered.secret.reveal() in offered.uri.reveal()
    assert offered.picture == qr_code(offered.uri)
    picture = offered.picture.reveal()
    assert picture.startswith("<svg")
    assert "style" not in picture
    assert offered.secret.reveal() not in repr(offered)
    assert door.refusal(own.confirm_app(visitor, "000000", CALLER)) == "code_invalid"
    assert door.run(own.pending_app(visitor)) == offered
    assert not door.data().totp
    door.app = pyotp.TOTP(offered.secret.reveal())
    codes = door.run(own.confirm_app(visitor, door.code(), CALLER))
    assert door.refusal(own.pending_app(visitor)) == "two_factor_not_pending"
    posture = door.run(own.posture(visitor))
    assert (posture.data.totp, posture.password, posture.codes_left) == (True, True, len(codes))
    assert not door.sign_in().session.complete


def test_what_the_picture_says_is_the_address_of_the_secret() -> None:
    first, second = qr_code(Secret("otpauth://totp/a?secret=A")), qr_code(Secret("otpauth://totp/a?secret=B"))
    assert first != second


def test_guesses_at_the_first_code_wait(door: Door, own: OwnSecurity, visitor: Visitor) -> None:
    door.run(own.begin_app(visitor))
    found = [door.refusal(own.confirm_app(visitor, "000000", ELSEWHERE)) for _ in range(7)]
    assert found == ["code_invalid"] * 6 + ["too_many_attempts"]


def test_an_app_is_turned_off_and_codes_stay_while_a_passkey_does(
    door: Door, own: OwnSecurity, visitor: Visitor
) -> None:
    asked = door.run(door.scene.authority.passkeys.begin(visitor))
    answer = Authenticator().register(asked.options)
    made = door.run(door.scene.authority.passkeys.finish(visitor, asked.ticket, answer, "Key", CALLER))
    door.enrol()
    assert door.run(own.disable_app(visitor, CALLER))
    assert not door.run(own.disable_app(visitor, CALLER))
    assert door.run(own.posture(visitor)).codes_left == 10
    fresh = door.run(own.renew_codes(visitor, own.offer_codes(visitor), CALLER))
    ticket = own.offer_codes(visitor)
    door.run(own.renew_codes(visitor, ticket, CALLER))
    assert door.refusal(own.renew_codes(visitor, ticket, CALLER)) == "ticket_invalid"
    assert {one.reveal() for one in fresh}.isdisjoint(one.reveal() for one in door.codes)
    door.run(door.scene.authority.passkeys.remove(visitor, made.passkey.id, CALLER))
    assert door.run(own.posture(visitor)).codes_left == 0
    assert door.refusal(own.renew_codes(visitor, own.offer_codes(visitor), CALLER)) == "two_factor_missing"


def test_what_weakens_the_way_in_asks_for_a_fresh_proof(
    door: Door, own: OwnSecurity, visitor: Visitor
) -> None:
    door.enrol()
    old = later(door, visitor)
    for work in (
        own.begin_app(old),
        own.disable_app(old, CALLER),
        own.renew_codes(old, own.offer_codes(old), CALLER),
        own.unlink(old, ISSUER, "1", CALLER),
        request_email_change(door.context, old, "ada@example.net", CALLER),
    ):
        assert door.refusal(work) == "step_up_required"


# -- the password ------------------------------------------------------------------------------------


def test_a_password_is_changed_with_the_former_one_and_other_sessions_end(
    door: Door, own: OwnSecurity, visitor: Visitor
) -> None:
    elsewhere = door.sign_in()
    old = later(door, visitor)
    change = own.change_password(old, Secret("wrong"), Secret(FRESH), CALLER)
    assert door.refusal(change) == "sign_in_refused"
    short = own.change_password(old, Secret(PASSWORD), Secret("short"), CALLER)
    assert door.refusal(short) == "password_too_short"
    assert door.run(own.change_password(old, Secret(PASSWORD), Secret(FRESH), CALLER)) == 1
    assert door.run(door.service.sessions(door.user.id))[0].id == visitor.session.id
    assert door.refusal(door.service.authenticate(elsewhere.cookie)) == "session_ended"
    assert door.attempt(PASSWORD) == "sign_in_refused"
    assert door.attempt(FRESH) == ""


def test_guesses_at_the_former_password_wait(door: Door, own: OwnSecurity, visitor: Visitor) -> None:
    def tried() -> str:
        return door.refusal(own.change_password(visitor, Secret("wrong"), Secret(FRESH), ELSEWHERE))

    assert [tried() for _ in range(7)] == ["sign_in_refused"] * 6 + ["too_many_attempts"]


def test_whoever_has_no_password_sets_one_with_a_fresh_proof(
    door: Door, own: OwnSecurity, visitor: Visitor
) -> None:
    door.write(lambda tx: tx.people.set_password(door.user.id, "", 1))
    assert door.run(own.change_password(visitor, Secret(""), Secret(FRESH), CALLER)) == 0
    assert door.attempt(FRESH) == ""
    door.write(lambda tx: tx.people.set_password(door.user.id, "", 1))
    old = later(door, visitor)
    assert door.refusal(own.change_password(old, Secret(""), Secret(FRESH), CALLER)) == "step_up_required"


# -- sessions and identities -------------------------------------------------------------------------


def test_one_of_ones_own_sessions_is_ended(door: Door, visitor: Visitor) -> None:
    other = door.sign_in()
    assert door.run(door.service.end_session(visitor, other.session.id, CALLER))
    assert door.refusal(door.service.authenticate(other.cookie)) == "session_ended"
    assert not door.run(door.service.end_session(visitor, other.session.id, CALLER))
    owner = door.scene.first.organization.id
    _, link = door.run(create_person(door.context, LOCAL, owner, "bob@example.com", "Bob", Role.MEMBER))
    bob = door.run(door.service.sign_in_by_link(link.value, LinkPurpose.INVITE, ELSEWHERE))
    for session_id in (bob.session.id, SessionId("absent")):
        assert not door.run(door.service.end_session(visitor, session_id, CALLER))
    door.visit(bob)


def test_the_last_way_in_is_not_unlinked(door: Door, own: OwnSecurity, visitor: Visitor) -> None:
    def link(subject: str) -> None:
        identity = Identity(ISSUER, subject, door.user.id, EMAIL, 1, 1)
        door.write(lambda tx: tx.proofs.add_identity(identity))

    link("1")
    assert door.refusal(own.unlink(visitor, ISSUER, "2", CALLER)) == "not_found"
    door.run(own.unlink(visitor, ISSUER, "1", CALLER))
    assert len(door.scene.events(Action.USER_IDENTITY_UNLINKED)) == 1
    link("1")
    door.write(lambda tx: tx.people.set_password(door.user.id, "", 1))
    assert door.refusal(own.unlink(visitor, ISSUER, "1", CALLER)) == "last_way_in"


# -- the address -------------------------------------------------------------------------------------


def test_an_address_changes_when_the_link_to_it_is_opened(door: Door, visitor: Visitor) -> None:
    door.run(request_email_change(door.context, visitor, " Ada@Example.net ", CALLER))
    assert door.row().email == EMAIL
    assert door.letters()[-1][0] == "ada@example.net"
    value = door.link()
    user = door.run(finish_email_change(door.context, value, CALLER))
    assert door.row() == user
    assert user.email == "ada@example.net"
    assert door.data().email_verified_at == door.scene.world.clock.now()
    recipient, _, text = door.letters()[-1]
    assert recipient == EMAIL
    assert "ada@example.net" in text
    assert door.refusal(finish_email_change(door.context, value, CALLER)) == "link_invalid"
    assert door.attempt(PASSWORD, "ada@example.net") == ""
    assert door.attempt(PASSWORD, EMAIL) == "sign_in_refused"
    assert len(door.scene.events(Action.USER_EMAIL_CHANGED)) == 1


def test_ones_own_address_is_verified_by_a_link(door: Door, visitor: Visitor) -> None:
    door.run(request_email_change(door.context, visitor, EMAIL, CALLER))
    door.run(finish_email_change(door.context, door.link(), CALLER))
    assert door.data().email_verified_at
    assert door.row().email == EMAIL
    assert not door.scene.events(Action.USER_EMAIL_CHANGED)


def test_an_address_of_somebody_else_is_answered_alike_and_gets_no_mail(door: Door, visitor: Visitor) -> None:
    owner = door.scene.first.organization.id
    door.run(create_person(door.context, LOCAL, owner, "bob@example.com", "Bob", Role.MEMBER))
    before = door.letters()
    door.run(request_email_change(door.context, visitor, "bob@example.com", CALLER))
    assert door.letters() == before


def test_an_address_that_was_taken_meanwhile_stays_whose_it_is(door: Door, visitor: Visitor) -> None:
    door.run(request_email_change(door.context, visitor, "bob@example.com", CALLER))
    value = door.link()
    owner = door.scene.first.organization.id
    door.run(create_person(door.context, LOCAL, owner, "bob@example.com", "Bob", Role.MEMBER))
    assert door.refusal(finish_email_change(door.context, value, CALLER)) == "taken"
    assert door.row().email == EMAIL


@pytest.mark.parametrize(
    "spoil",
    [
        lambda door, _: door.scene.forward(24 * 60 * MINUTE),
        lambda door, visitor: door.run(request_email_change(door.context, visitor, "x@example.net", CALLER)),
        lambda door, _: door.run(disable_person(door.context, LOCAL, EMAIL)),
    ],
    ids=["late", "a newer one", "disabled"],
)
def test_a_link_to_an_address_dies(
    door: Door, visitor: Visitor, spoil: Callable[[Door, Visitor], object]
) -> None:
    door.run(request_email_change(door.context, visitor, "ada@example.net", CALLER))
    value = door.link()
    spoil(door, visitor)
    assert door.refusal(finish_email_change(door.context, value, CALLER)) == "link_invalid"


# -- arriving ----------------------------------------------------------------------------------------


def nobody(door: Door) -> None:
    """As on a fresh installation: nobody has a password."""
    door.write(lambda tx: tx.people.set_password(door.user.id, "", 1))


def test_the_first_administrator_sets_a_password_by_a_link_and_is_in(door: Door) -> None:
    nobody(door)
    assert not door.run(somebody_can_sign_in(door.context))
    link = door.run(first_link(door.context, LOCAL))
    assert link is not None
    assert link.url.reveal() == f"http://127.0.0.1:8080/welcome#{link.value.reveal()}"
    short = arrive(door.context, link.value, Secret("short"), CALLER)
    assert door.refusal(short) == "password_too_short"
    signed = door.run(arrive(door.context, link.value, Secret(FRESH), CALLER))
    assert door.visit(signed).user == door.row()
    assert door.attempt(FRESH) == ""
    assert door.refusal(arrive(door.context, link.value, Secret(FRESH), CALLER)) == "link_invalid"
    assert door.run(first_link(door.context, LOCAL)) is None
    assert len(door.scene.events(Action.USER_FIRST_LINK_MADE)) == 1


def test_the_link_has_one_winner(door: Door) -> None:
    nobody(door)
    link = door.run(first_link(door.context, LOCAL))
    assert link is not None

    async def scenario() -> list[str]:
        async def one() -> str:
            try:
                await arrive(door.context, link.value, Secret(FRESH), CALLER)
            except Refused as error:
                return error.code
            return "in"

        return list(await asyncio.gather(*(one() for _ in range(6))))

    assert sorted(door.run(scenario())) == ["in"] + ["link_invalid"] * 5


@pytest.mark.parametrize(
    "spoil",
    [
        lambda door: door.scene.forward(15 * MINUTE),
        lambda door: door.run(first_link(door.context, LOCAL)),
        lambda door: door.run(disable_person(door.context, LOCAL, EMAIL)),
    ],
    ids=["late", "a newer one", "disabled"],
)
def test_the_first_link_dies(door: Door, spoil: Callable[[Door], object]) -> None:
    nobody(door)
    link = door.run(first_link(door.context, LOCAL))
    assert link is not None
    spoil(door)
    assert door.refusal(arrive(door.context, link.value, Secret(FRESH), CALLER)) == "link_invalid"


def test_without_an_administrator_who_may_sign_in_there_is_no_first_link(door: Door) -> None:
    nobody(door)
    door.run(disable_person(door.context, LOCAL, EMAIL))
    assert door.run(first_link(door.context, LOCAL)) is None


def test_a_new_person_arrives_by_the_link_of_the_host(door: Door) -> None:
    owner = door.scene.first.organization.id
    user, link = door.run(create_person(door.context, LOCAL, owner, "bob@example.com", "Bob", Role.MEMBER))
    before = len(door.letters())
    signed = door.run(arrive(door.context, link.value, Secret(FRESH), CALLER))
    assert signed.user.id == user.id
    assert door.attempt(FRESH, "bob@example.com") == ""
    assert len(door.letters()) == before  # a first password is no news


def test_a_link_to_recover_is_no_arrival(door: Door) -> None:
    made = door.run(recover_person(door.context, LOCAL, EMAIL))
    assert door.refusal(arrive(door.context, made.value, Secret(FRESH), CALLER)) == "link_invalid"
