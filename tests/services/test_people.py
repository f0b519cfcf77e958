"""People: passwords, second factors, who must have one, and what the trail says of it."""

from dataclasses import replace

import pyotp
import pytest

from rest_client import Rest, api_token
from services.people_scene import CALLER, ELSEWHERE, EMAIL, PASSWORD, Door
from services.scene import Scene
from watchword.crypto.totp import STEP_US, make_secret, matching_step, provisioning_uri
from watchword.crypto.values import Secret
from watchword.domain.accounts import Role
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.events import Action
from watchword.domain.ids import UserId
from watchword.domain.people import LinkPurpose, check_password, normal_email
from watchword.services.context import LOCAL
from watchword.services.passwords import set_password, set_password_of
from watchword.services.people import create_person, disable_person, enable_person, list_people
from watchword.services.second_factor import (
    confirm,
    disable,
    enrol,
    has_second_factor,
    make_recovery_codes,
    require_two_factor,
)
from watchword.store.base import EVERYTHING

NEW = "another long password"


@pytest.fixture
def make_of_database() -> str:
    return "sqlite"  # the store's part is held by its contract on both


@pytest.fixture
def door(scene: Scene) -> Door:
    return Door(scene)


def bodies(door: Door) -> list[str]:
    """Texts of the mail on its way, oldest first."""
    from watchword.crypto.sealing import unseal  # noqa: PLC0415 - as the postman opens them

    rows = door.run(door.scene.world.store.read(lambda tx: tx.mails.list(EVERYTHING)))
    opened = [unseal(door.context.keys, row.body, f"mail:{row.id}") for row in reversed(rows)]
    return [text.decode() for text in opened if text is not None]


# -- passwords ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("e" * 11, "password_too_short"),
        ("x" * 1025, "password_too_long"),
        ("aaaaaaaaaaaaaaa", "password_telling"),
        ("ada.lovelace@example.com", "password_telling"),
        ("Ada Lovelace1", "password_telling"),
        ("ADA.LOVELACE12", "password_telling"),
    ],
)
def test_a_password_that_is_too_easy_is_refused(password: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_password(password, "ada.lovelace@example.com", "Ada Lovelace")
    assert refused.value.code == code
    assert password not in refused.value.message


@pytest.mark.parametrize(
    "password", ["correct horse battery", "zwölf Zeichen", "a" * 8 + "bcde", "1" * 1021 + "234"]
)
def test_length_is_all_that_is_asked(password: str) -> None:
    assert check_password(password, "ada@example.com", "Ada")


def test_a_password_is_the_same_on_every_keyboard(door: Door) -> None:
    door.run(set_password(door.context, LOCAL, door.user, Secret("Zwo\u0308lf Zeichen sind es")))
    assert door.sign_in("Zwölf Zeichen sind es").session.complete


def test_changing_a_password_ends_the_other_sessions_and_says_so(door: Door) -> None:
    kept, other = door.sign_in(), door.sign_in()
    ended = set_password(door.context, CALLER, door.row(), Secret(NEW), keep=kept.session.id)
    assert door.run(ended) == 1
    door.visit(kept)
    assert door.refusal(door.service.authenticate(other.cookie)) == "session_ended"
    assert door.attempt(PASSWORD) == "sign_in_refused"
    door.sign_in(NEW)
    assert door.data().password_changed_at == door.scene.world.clock.now()
    event = door.scene.events(Action.USER_PASSWORD_CHANGED)[-1]
    assert event.data == '{"sessions_ended":1}'
    assert "was changed" in bodies(door)[-1]
    assert NEW.encode() not in door.scene.world.database.content()


def test_the_host_sets_a_password_by_address(door: Door) -> None:
    door.run(set_password_of(door.context, LOCAL, "ADMIN@example.com", Secret(NEW)))
    door.sign_in(NEW)
    assert (
        door.refusal(set_password_of(door.context, LOCAL, "eve@example.com", Secret(NEW))) == "unknown_user"
    )
    assert door.refusal(set_password_of(door.context, LOCAL, EMAIL, Secret("short"))) == "password_too_short"


# -- resets ------------------------------------------------------------------------------------------


def asked(door: Door, email: str = EMAIL) -> str:
    """The value in the mail that a request brings; empty where it brings none."""
    before = len(bodies(door))
    resets = door.scene.authority.resets
    resets.ask(email, CALLER)
    door.run(resets.work_off())
    fresh = bodies(door)[before:]
    return fresh[0].partition("reset-password#")[2].split()[0] if fresh else ""


def test_a_mailed_link_sets_a_new_password_once(door: Door) -> None:
    signed = door.sign_in()
    value = asked(door, "Admin@Example.com")
    assert value.encode() not in door.scene.world.database.content()
    resets = door.scene.authority.resets
    assert door.refusal(resets.finish(Secret(value), Secret("short"), CALLER)) == "password_too_short"
    door.run(resets.finish(Secret(value), Secret(NEW), CALLER))
    door.sign_in(NEW)
    assert door.refusal(door.service.authenticate(signed.cookie)) == "session_ended"
    assert door.refusal(resets.finish(Secret(value), Secret(NEW), CALLER)) == "link_invalid"
    assert len(door.scene.events(Action.USER_PASSWORD_RESET_REQUESTED)) == 1


def test_a_request_for_nobody_brings_no_mail_and_no_error(door: Door) -> None:
    assert asked(door, "eve@example.com") == ""
    assert asked(door, "no address") == ""
    door.run(disable_person(door.context, LOCAL, EMAIL))
    assert asked(door) == ""


def test_requests_for_one_person_are_throttled(door: Door) -> None:
    assert [bool(asked(door)) for _ in range(6)] == [True, True, True, True, False, False]
    door.scene.forward(15 * 60)
    assert asked(door)


def test_a_reset_link_dies_with_time_and_with_the_password(door: Door) -> None:
    late, other = asked(door), asked(door)
    door.scene.forward(3600)
    resets = door.scene.authority.resets
    assert door.refusal(resets.finish(Secret(late), Secret(NEW), CALLER)) == "link_invalid"
    fresh = asked(door)
    door.run(set_password(door.context, LOCAL, door.row(), Secret(NEW)))
    for value in (fresh, other):
        assert door.refusal(resets.finish(Secret(value), Secret(PASSWORD), CALLER)) == "link_invalid"


def test_a_reset_leaves_the_second_factor_in_place(door: Door) -> None:
    door.enrol()
    door.run(door.scene.authority.resets.finish(Secret(asked(door)), Secret(NEW), CALLER))
    assert not door.sign_in(NEW).session.complete


# -- second factor -----------------------------------------------------------------------------------


def test_codes_of_three_steps_pass_and_none_before_the_last_used() -> None:
    secret = make_secret()
    app = pyotp.TOTP(secret.reveal())
    now = 1_800_000_015_000_000
    step = now // STEP_US
    for drift, passes in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        code = app.generate_otp(step + drift)
        assert matching_step(secret, f" {code[:3]} {code[3:]} ", now, 0) == (step + drift if passes else 0)
    assert matching_step(secret, app.generate_otp(step), now, step) == 0
    assert matching_step(secret, "", now, 0) == 0
    uri = provisioning_uri(secret, "ada@example.com", "Watchword").reveal()
    assert uri.startswith("otpauth://totp/Watchword:ada%40example.com?secret=")


def test_a_second_factor_counts_when_a_code_was_typed(door: Door) -> None:
    made = door.write(lambda tx: enrol(door.context, tx, door.user))
    assert not door.write(lambda tx: has_second_factor(tx, door.user.id))
    wrong = door.scene.world.store.write(lambda tx: confirm(door.context, tx, LOCAL, door.user, "000000"))
    assert door.refusal(wrong) == "code_invalid"
    assert door.sign_in().session.complete
    door.app = pyotp.TOTP(made.secret.reveal())
    code = door.code()
    codes = door.write(lambda tx: confirm(door.context, tx, LOCAL, door.user, code))
    assert door.write(lambda tx: has_second_factor(tx, door.user.id))
    assert len({one.reveal() for one in codes}) == 10
    assert len(door.scene.events(Action.USER_TOTP_ENABLED)) == 1
    content = door.scene.world.database.content()
    assert made.secret.reveal().encode() not in content
    assert not [one for one in codes if one.reveal().encode() in content]


def test_a_second_factor_is_not_replaced_unseen(door: Door) -> None:
    door.enrol()
    again = door.scene.world.store.write(lambda tx: enrol(door.context, tx, door.user))
    assert door.refusal(again) == "two_factor_enabled"
    confirmed = door.scene.world.store.write(
        lambda tx: confirm(door.context, tx, LOCAL, door.user, door.code())
    )
    assert door.refusal(confirmed) == "two_factor_not_pending"


def test_turning_it_off_drops_the_recovery_codes(door: Door) -> None:
    door.enrol()
    assert door.write(lambda tx: disable(door.context, tx, LOCAL, door.user.id))
    assert not door.write(lambda tx: disable(door.context, tx, LOCAL, door.user.id))
    assert door.sign_in().session.complete
    assert door.write(lambda tx: tx.people.recovery_codes_left(door.user.id)) == 0
    assert len(door.scene.events(Action.USER_TOTP_DISABLED)) == 1
    codes = door.scene.world.store.write(
        lambda tx: make_recovery_codes(door.context, tx, LOCAL, door.user.id)
    )
    assert door.refusal(codes) == "two_factor_missing"


def test_fresh_recovery_codes_end_the_former_ones(door: Door) -> None:
    door.enrol()
    old = door.codes[0].reveal()
    fresh = door.write(lambda tx: make_recovery_codes(door.context, tx, LOCAL, door.user.id))
    half = door.sign_in()
    assert door.refusal(door.service.second_factor(half.cookie, old, CALLER)) == "sign_in_refused"
    door.run(door.service.second_factor(half.cookie, fresh[0].reveal(), CALLER))


# -- who must have one -------------------------------------------------------------------------------


def test_a_member_without_second_factor_is_told_what_to_do(door: Door) -> None:
    door.enrol()
    world, owner = door.scene.world, door.scene.first.organization.id
    issued = api_token(world, "read_organizations", role=Role.MEMBER, email="bob@example.com")
    member, admin = Rest(world, issued.value), Rest(world)
    path = "/v2/organizations/acme"
    assert member("GET", path).status_code == 200
    count = door.write(
        lambda tx: require_two_factor(door.context, tx, LOCAL, owner, door.user.id, required=True)
    )
    assert count == 1
    answer = member("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (403, "two_factor_required")
    assert "Set one up" in answer.json()["message"]
    assert admin("GET", path).status_code == 200  # the administrator has one
    door.write(lambda tx: require_two_factor(door.context, tx, LOCAL, owner, door.user.id, required=False))
    assert member("GET", path).status_code == 200


def _require(door: Door, by: UserId | None) -> None:
    owner = door.scene.first.organization.id
    door.write(lambda tx: require_two_factor(door.context, tx, LOCAL, owner, by, required=True))


def test_an_administrator_without_one_cannot_require_it(door: Door) -> None:
    owner = door.scene.first.organization.id
    for by in (door.user.id, None):
        with pytest.raises(Conflict, match="lock yourself out"):
            _require(door, by)
    policy = door.run(door.scene.world.store.read(lambda tx: tx.policies.policy(owner)))
    assert not policy.require_two_factor


def test_a_disabled_persons_token_opens_no_organization(door: Door) -> None:
    rest = Rest(door.scene.world)
    path = "/v2/organizations/acme"
    door.run(disable_person(door.context, LOCAL, EMAIL))
    answer = rest("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (403, "user_disabled")
    assert rest("GET", "/v2/organizations").json() == []
    door.run(enable_person(door.context, LOCAL, EMAIL))
    assert rest("GET", path).status_code == 200


# -- people ------------------------------------------------------------------------------------------


def test_a_new_person_signs_in_by_the_link_of_the_host(door: Door) -> None:
    owner = door.scene.first.organization.id
    user, link = door.run(create_person(door.context, LOCAL, owner, "Bob@Example.com", "Bob", Role.ADMIN))
    assert user.email == "bob@example.com"
    signed = door.run(door.service.sign_in_by_link(link.value, LinkPurpose.INVITE, ELSEWHERE))
    assert signed.user == user
    again = create_person(door.context, LOCAL, owner, "BOB@example.com", "Bob", Role.ADMIN)
    assert door.refusal(again) == "taken"
    people = door.run(list_people(door.context))
    assert [(one.user.email, one.memberships) for one in people] == [
        (EMAIL, (("acme", Role.ADMIN),)),
        ("bob@example.com", (("acme", Role.ADMIN),)),
    ]
    assert replace(people[1].user, password_hash="") == user


@pytest.mark.parametrize(
    "text", ["", "@", "a@", "@b", "a b@c", "a@b c", "a\n@b", "x" * 250 + "@b.de", "a@b\u202e"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        normal_email(text)
