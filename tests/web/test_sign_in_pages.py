"""The door and the pages of a person's own security, without scripts."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pyotp
import pytest

from authenticator import Authenticator
from console_client import BASE, PASSWORD, Console, new_person, set_password
from openid_stand_in import Provider
from rest_client import Rest
from support import SECOND_US, World
from watchword.crypto.sealing import unseal
from watchword.domain.accounts import SsoMode
from watchword.domain.people import WebSession
from watchword.services.accounts import create_organization
from watchword.services.arriving import first_link
from watchword.services.authority import Authority
from watchword.services.context import LOCAL
from watchword.services.people import recover_person
from watchword.services.providers import read_providers
from watchword.store.base import EVERYTHING
from watchword.web.browsers import browser
from watchword.web.security import SESSION_COOKIE

EMAIL = "admin@example.com"
FRESH = "a wholly new phrase"
SECURITY = "/user/security"


def configure(world: World, **changes: Any) -> None:
    """Go on with other settings of the installation."""
    installation = replace(world.context.installation, url=BASE, **changes)
    world.authority = Authority.wire(replace(world.context, installation=installation))
    world.run(world.authority.load())


@pytest.fixture(autouse=True)
def _named(world: World) -> None:
    """An installation with a name, as passkeys need it, and an administrator with a password."""
    configure(world)
    set_password(world, world.first.admin)


@pytest.fixture
def visitor(world: World, _named: None) -> Console:
    return Console(world)


@pytest.fixture
def admin(world: World, _named: None) -> Console:
    made = Console(world)
    made.sign_in_as(world.first.admin)
    return made


def value_of(console: Console, name: str) -> str:
    """What a field of the last page holds."""
    found = re.search(rf'id="f-{name}"[^>]*?(?:value="([^"]*)"|>([^<]*)<)', console.last.text)
    assert found, console.text()
    return unescape(found[1] or found[2] or "")


def hidden(console: Console, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', console.last.text)
    assert found, console.text()
    return unescape(found[1])


def letter(world: World) -> str:
    """The text of the latest mail."""
    (row, *_) = world.run(world.store.read(lambda tx: tx.mails.list(EVERYTHING)))
    opened = unseal(world.keys, row.body, f"mail:{row.id}")
    assert opened is not None
    return opened.decode()


def sessions(world: World) -> list[WebSession]:
    return world.run(world.authority.signing_in.sessions(world.first.admin.id))


def lapse(world: World) -> None:
    """The proof of the sign-in becomes too old."""
    world.clock.forward(6 * 60 * SECOND_US)


def sign_in(visitor: Console, password: str = PASSWORD, **fields: str) -> int:
    visitor.get("/sign-in")
    return visitor.post("/sign-in", {"email": EMAIL, "password": password, **fields}).status_code


# -- links -------------------------------------------------------------------------------------------


def test_the_first_administrator_pastes_the_link_and_is_in(visitor: Console, world: World) -> None:
    world.run(world.store.write(lambda tx: tx.people.set_password(world.first.admin.id, "", 1)))
    link = world.run(first_link(world.context, LOCAL))
    assert link is not None
    visitor.get("/welcome")
    short = visitor.post("/welcome", {"link": link.url.reveal(), "password": "short"})
    assert short.status_code == 422
    assert "at least 12 characters" in visitor.text()
    assert link.value.reveal() not in short.text
    done = visitor.post("/welcome", {"link": f" {link.url.reveal()} ", "password": FRESH})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert visitor.get("clusters").status_code == 200
    other = Console(world)
    other.get("/welcome")
    again = other.post("/welcome", {"link": link.value.reveal(), "password": FRESH})
    assert again.status_code == 401
    assert "link_invalid" in other.text()


def test_a_forgotten_password_is_set_by_the_mailed_link(visitor: Console, world: World) -> None:
    visitor.get("/forgot-password")
    for email in (EMAIL, "nobody@example.com"):
        assert visitor.post("/forgot-password", {"email": email}).status_code == 200
        assert "If there is an account with this address" in visitor.text()
    world.run(world.authority.resets.work_off())
    link = re.search(r"https?://\S+#\S+", letter(world))
    assert link is not None
    assert link[0].startswith(f"{BASE}/reset-password#")
    visitor.get("/reset-password")
    answer = visitor.post("/reset-password", {"link": link[0], "password": FRESH})
    assert answer.headers["location"] == "/sign-in?done=password-set"
    assert "Your password is set" in visitor.get("/sign-in?done=password-set").text
    assert sign_in(visitor) == 401
    assert sign_in(visitor, FRESH) == 303


def test_whoever_recovers_sets_a_password_without_the_former_one(visitor: Console, world: World) -> None:
    made = world.run(recover_person(world.context, LOCAL, EMAIL))
    visitor.get("/recover")
    answer = visitor.post("/recover", {"link": made.url.reveal()})
    assert answer.headers["location"] == SECURITY
    visitor.get(SECURITY + "/password")
    assert "Present password" not in visitor.text()
    assert visitor.post(SECURITY + "/password", {"password": FRESH}).status_code == 303
    assert sign_in(Console(world), FRESH) == 303


def test_an_address_is_confirmed_by_the_mailed_link(admin: Console, world: World) -> None:
    admin.get(SECURITY + "/email")
    assert admin.post(SECURITY + "/email", {"email": "no address"}).status_code == 422
    assert admin.post(SECURITY + "/email", {"email": "ada@example.net"}).status_code == 303
    link = re.search(r"https?://\S+#\S+", letter(world))
    assert link is not None
    admin.get("/verify-email")
    assert admin.post("/verify-email", {"link": link[0]}).headers["location"].startswith(SECURITY)
    assert "ada@example.net" in admin.get(SECURITY).text
    assert "Confirmed" in admin.text()


@pytest.mark.parametrize("path", ["/welcome", "/reset-password", "/recover", "/sign-in/passkey"])
def test_over_plain_http_nothing_secret_is_looked_at(visitor: Console, world: World, path: str) -> None:
    visitor.transport.encrypted = False
    configure(world, former_brands=())
    elsewhere = "watchword.internal:8080"
    answer = visitor.post(path, {"link": "x", "password": FRESH, "csrf": visitor.csrf()}, host=elsewhere)
    assert answer.status_code == 403
    assert "tls_required" in visitor.text()


# -- the second factor -------------------------------------------------------------------------------


def enrol(admin: Console, world: World) -> tuple[pyotp.TOTP, list[str]]:
    """Set the app up on the pages; the app, and the recovery codes."""
    assert admin.post(SECURITY + "/app").status_code == 200
    app = pyotp.TOTP(value_of(admin, "secret"))
    wrong = admin.post(SECURITY + "/app/confirm", {"code": "000000"})
    assert wrong.status_code == 422
    assert value_of(admin, "secret") == app.secret
    answer = admin.post(SECURITY + "/app/confirm", {"code": app.at(world.clock.now() // SECOND_US)})
    assert answer.status_code == 200
    return app, value_of(admin, "codes").split()


def code(app: pyotp.TOTP, world: World) -> str:
    world.clock.forward(31 * SECOND_US)
    return app.at(world.clock.now() // SECOND_US)


def test_an_app_is_set_up_by_its_picture_and_asked_for_at_the_door(admin: Console, world: World) -> None:
    app, codes = enrol(admin, world)
    assert len(codes) == 10
    assert admin.post(SECURITY + "/app/confirm", {"code": "000000"}).status_code == 422
    assert codes[0] not in admin.last.text
    other = Console(world)
    assert sign_in(other, to="/organizations/acme/clusters") == 200
    assert "Second factor" in other.text()
    assert other.get("clusters").status_code == 303
    assert other.post("/sign-in/code", {"code": "000000"}).status_code == 401
    answer = other.post("/sign-in/code", {"code": code(app, world), "to": "/organizations/acme/clusters"})
    assert answer.headers["location"] == "/organizations/acme/clusters"
    third = Console(world)
    sign_in(third)
    assert "Second factor" in third.get("/sign-in/code").text
    assert third.post("/sign-in/code", {"code": codes[3]}).status_code == 303
    assert "9 codes left" in admin.get(SECURITY).text.replace("\u202f", " ")


def test_the_picture_is_drawn_without_styles_and_the_page_is_its_only_place(
    admin: Console, world: World
) -> None:
    admin.post(SECURITY + "/app")
    assert "<svg" in admin.last.text
    assert "style=" not in admin.last.text
    secret = value_of(admin, "secret")
    admin.get(SECURITY)
    assert secret not in admin.last.text
    lapse(world)
    admin.post(SECURITY + "/app")
    assert "Confirm that it is you" in admin.text()
    assert secret not in admin.last.text


def test_the_halfway_house_closes_and_says_so(admin: Console, world: World) -> None:
    app, _ = enrol(admin, world)
    other = Console(world)
    sign_in(other)
    world.clock.forward(11 * 60 * SECOND_US)
    assert "Forgot your password" in other.get("/sign-in/code").text
    assert other.get("/sign-in/code/passkey").status_code == 403
    answer = other.post("/sign-in/code", {"code": code(app, world)})
    assert answer.status_code == 401
    assert "session_ended" in other.text()


def test_recovery_codes_are_made_once_however_often_the_form_is_sent(admin: Console, world: World) -> None:
    assert "you have none" in " ".join(admin.get(SECURITY + "/recovery-codes").text.split())
    _, old = enrol(admin, world)
    admin.get(SECURITY + "/recovery-codes")
    once = {"once": hidden(admin, "once")}
    admin.post(SECURITY + "/recovery-codes", once)
    fresh = value_of(admin, "codes").split()
    assert set(fresh).isdisjoint(old)
    assert admin.post(SECURITY + "/recovery-codes", once).status_code == 401
    assert "ticket_invalid" in admin.text()
    assert fresh[0] not in admin.last.text


def test_what_weakens_the_way_in_asks_for_a_code_and_goes_on(admin: Console, world: World) -> None:
    app, _ = enrol(admin, world)
    lapse(world)
    assert "Confirm that it is you" in admin.post(SECURITY + "/app/off").text
    assert admin.post(SECURITY + "/app/off", {"proof": "000000"}).status_code == 401
    done = admin.post(SECURITY + "/app/off", {"proof": code(app, world)})
    assert done.headers["location"].endswith("done=app-off")
    assert sign_in(Console(world)) == 303


def test_a_password_is_changed_with_the_present_one(admin: Console, world: World) -> None:
    admin.get(SECURITY + "/password")
    wrong = admin.post(SECURITY + "/password", {"former": "wrong", "password": FRESH})
    assert wrong.status_code == 401
    assert FRESH not in wrong.text
    assert admin.post(SECURITY + "/password", {"former": PASSWORD, "password": FRESH}).status_code == 303
    assert admin.get(SECURITY).status_code == 200
    assert sign_in(Console(world), FRESH) == 303


# -- passkeys ----------------------------------------------------------------------------------------


@pytest.fixture
def key() -> Authenticator:
    return Authenticator(origin=BASE, rp_id="watchword.example")


def asked(console: Console, path: str) -> tuple[str, str]:
    """Options and ticket of a challenge."""
    answer = console.get(path)
    assert answer.status_code == 200, console.text()
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    return json.dumps(document["options"]), document["ticket"]


def fields(answer: str, ticket: str, **more: str) -> dict[str, str]:
    return {"passkey_answer": answer, "passkey_ticket": ticket, **more}


def register(console: Console, key: Authenticator, name: str = "Laptop") -> int:
    options, ticket = asked(console, SECURITY + "/passkeys/challenge")
    sent = fields(key.register(options), ticket, name=name)
    return console.post(SECURITY + "/passkeys", sent).status_code


def test_a_passkey_is_registered_used_renamed_and_removed(
    admin: Console, world: World, key: Authenticator
) -> None:
    assert admin.get(SECURITY + "/passkeys/new").status_code == 200
    assert register(admin, key, "") == 422
    assert register(admin, key) == 200
    assert len(value_of(admin, "codes").split()) == 10
    second = Authenticator(origin=BASE, rp_id="watchword.example")
    assert register(admin, second, "Phone <b>") == 303
    assert "Phone &lt;b&gt;" in admin.get(SECURITY).text

    other = Console(world)
    options, ticket = asked(other, "/sign-in/passkey")
    sent = fields(key.sign(options), ticket, to=SECURITY)
    assert other.post("/sign-in/passkey", sent).headers["location"] == SECURITY
    assert other.get(SECURITY).status_code == 200
    assert Console(world).post("/sign-in/passkey", sent).status_code == 401

    (first, _) = world.run(world.authority.passkeys.list(world.first.admin.id))
    at = f"{SECURITY}/passkeys/{first.id}"
    assert admin.post(at + "/name", {"name": ""}).status_code == 422
    assert admin.post(at + "/name", {"name": "Old laptop"}).status_code == 303
    assert "Old laptop" in admin.get(SECURITY).text
    assert admin.post(at + "/remove").status_code == 303
    assert "Old laptop" not in admin.get(SECURITY).text


def test_a_passkey_follows_the_password_and_proves_again(
    admin: Console, world: World, key: Authenticator
) -> None:
    register(admin, key)
    other = Console(world)
    assert sign_in(other, to=SECURITY) == 200
    assert "Use a passkey" in other.text()
    options, ticket = asked(other, "/sign-in/code/passkey")
    spoiled = fields("{}", ticket)
    assert other.post("/sign-in/code/passkey", spoiled).status_code == 401
    assert "Use a passkey" in other.text()
    options, ticket = asked(other, "/sign-in/code/passkey")
    answer = other.post("/sign-in/code/passkey", fields(key.sign(options), ticket, to=SECURITY))
    assert answer.headers["location"] == SECURITY
    lapse(world)
    page = other.post(SECURITY + "/email", {"email": "ada@example.net"})
    assert "Confirm with a passkey" in page.text
    assert hidden(other, "email") == "ada@example.net"
    options, ticket = asked(other, "/step-up/passkey")
    sent = fields(key.sign(options), ticket, email="ada@example.net")
    assert other.post(SECURITY + "/email", sent).headers["location"].endswith("done=email-sent")


def test_a_challenge_to_register_asks_for_a_fresh_proof(admin: Console, world: World) -> None:
    lapse(world)
    answer = admin.get(SECURITY + "/passkeys/challenge")
    assert "ticket" not in answer.text
    assert "Confirm that it is you" in admin.text()


def test_where_passkeys_do_not_work_the_pages_say_where_they_do(
    admin: Console, visitor: Console, world: World
) -> None:
    configure(world)
    elsewhere = "other.example"
    assert "Sign in with a passkey" in visitor.get("/sign-in").text
    page = visitor.get("/sign-in", host=elsewhere)
    assert "Sign in with a passkey" not in page.text
    assert f'href="{BASE}/sign-in"' in page.text
    assert f'href="{BASE}{SECURITY}"' in admin.get(SECURITY, host=elsewhere).text


# -- sessions ----------------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended_one_or_all(admin: Console, world: World) -> None:
    others = [Console(world) for _ in range(3)]
    for other in others:
        other.http.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"
        sign_in(other)
    admin.get(SECURITY)
    assert admin.text().count("Firefox on Linux") == 3
    assert admin.text().count("This one") == 1
    ended = sessions(world)[0]
    assert admin.post(f"{SECURITY}/sessions/{ended.id}/end").status_code == 303
    assert others[2].get(SECURITY).status_code == 303
    assert admin.post(SECURITY + "/sessions/end-others").status_code == 303
    assert others[0].get(SECURITY).status_code == 303
    (here,) = sessions(world)
    left = admin.post(f"{SECURITY}/sessions/{here.id}/end")
    assert left.headers["location"] == "/sign-in?done=signed-out"
    assert admin.get(SECURITY).status_code == 303


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18 Safari/605",
            "Safari on macOS",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/140.0 Safari/537 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit Chrome/140.0 Mobile Safari/537", "Chrome on Android"),
        ("curl/8", "curl/8"),
        ("", "Unknown"),
    ],
)
def test_browsers_have_the_names_that_people_know(user_agent: str, shown: str) -> None:
    assert browser(user_agent) == shown


# -- single sign-on ----------------------------------------------------------------------------------


@pytest.fixture
def provider(world: World) -> Iterator[Provider]:
    made = Provider(lambda: world.clock.now() / SECOND_US)
    configure(world, single_sign_on=read_providers([made.table()]))
    yield made
    made.close()


def come_back(console: Console, provider: Provider, url: str, **changes: str) -> int:
    answer = provider.agree(url) | changes
    query = "&".join(f"{name}={value}" for name, value in answer.items())
    return console.get(f"/sign-in/with/corp/done?{query}").status_code


def test_a_provider_signs_people_in(visitor: Console, world: World, provider: Provider) -> None:
    visitor = Console(world)
    assert "Sign in with Corp" in visitor.get(f"/sign-in?to={SECURITY}").text
    away = visitor.get(f"/sign-in/with/corp?to={SECURITY}")
    assert away.headers["location"].startswith(provider.issuer)
    assert come_back(visitor, provider, away.headers["location"]) == 303
    assert visitor.last.headers["location"] == SECURITY
    visitor.get(SECURITY)
    assert "single sign-on: corp" in visitor.text()
    assert visitor.get("/sign-in/with/corp/done").status_code == 401


def test_another_browser_and_another_state_do_not_come_back(world: World, provider: Provider) -> None:
    visitor, other = Console(world), Console(world)
    away = visitor.get("/sign-in/with/corp").headers["location"]
    assert come_back(other, provider, away) == 401
    assert "ticket_invalid" in other.text()
    assert come_back(visitor, provider, away, state="another") == 401
    assert SESSION_COOKIE not in visitor.http.cookies
    assert visitor.get("/sign-in/with/nobody").status_code == 404


def test_a_provider_is_followed_by_the_second_factor_here(world: World, provider: Provider) -> None:
    admin = Console(world)
    admin.sign_in_as(world.first.admin)
    app, _ = enrol(admin, world)
    visitor = Console(world)
    away = visitor.get(f"/sign-in/with/corp?to={SECURITY}").headers["location"]
    assert come_back(visitor, provider, away) == 200
    assert "Second factor" in visitor.text()
    answer = visitor.post("/sign-in/code", {"code": code(app, world), "to": SECURITY})
    assert answer.headers["location"] == SECURITY


def test_an_account_elsewhere_is_linked_and_unlinked(world: World, provider: Provider) -> None:
    provider.person = {"sub": "elsewhere"}
    admin = Console(world)
    admin.sign_in_as(world.first.admin)
    assert "Link your account at Corp" in admin.get(SECURITY).text
    admin.post(SECURITY + "/identities/link", {"provider": "corp"})
    (away,) = [link for link in admin.links() if link.startswith(provider.issuer)]
    assert come_back(admin, provider, away) == 303
    assert admin.last.headers["location"] == f"{SECURITY}?done=identity-linked"
    assert "Unlink" in admin.get(SECURITY).text
    sent = {"issuer": provider.issuer, "subject": "elsewhere"}
    assert admin.post(SECURITY + "/identities/unlink", sent).status_code == 303
    assert "Link your account at Corp" in admin.get(SECURITY).text


def test_whoever_has_nothing_else_confirms_at_the_provider(world: World, provider: Provider) -> None:
    visitor = Console(world)
    come_back(visitor, provider, visitor.get("/sign-in/with/corp").headers["location"])
    world.run(world.store.write(lambda tx: tx.people.set_password(world.first.admin.id, "", 1)))
    page = visitor.post(SECURITY + "/app", referer=f"{BASE}{SECURITY}")
    assert "Confirm with Corp" in page.text
    assert f"/step-up/with/corp?to={SECURITY}" in visitor.links()
    away = visitor.get(f"/step-up/with/corp?to={SECURITY}").headers["location"]
    assert "prompt=login" in away
    assert come_back(visitor, provider, away) == 303
    assert visitor.last.headers["location"] == SECURITY
    assert "<svg" in visitor.post(SECURITY + "/app").text


# -- invitations -------------------------------------------------------------------------------------


def invited(world: World, email: str, **fields: str) -> str:
    """The link of an invitation."""
    rest = Rest(world)
    body = {"emails": [email], **fields}
    assert rest("POST", "/v2/organizations/acme/invitations", json=body).status_code == 201
    found = re.search(r"http\S+#\S+", letter(world))
    assert found is not None
    return found[0]


def test_somebody_new_accepts_an_invitation_with_a_name_and_a_password(world: World) -> None:
    link = invited(world, "bob@example.com")
    assert urlsplit(link).path == "/invitations/accept"
    visitor = Console(world)
    visitor.get("/invitations/accept")
    sent = {"link": link, "name": "Bob", "password": "short"}
    assert visitor.post("/invitations/accept", sent).status_code == 422
    sent["password"] = FRESH
    assert visitor.post("/invitations/accept", sent).status_code == 303
    assert visitor.get("clusters").status_code == 200
    assert "Bob" in visitor.text()
    again = Console(world)
    assert again.post("/invitations/accept", sent).status_code == 422
    assert "invitation_accepted" in again.text()
    unknown = {**sent, "link": "x"}
    assert again.post("/invitations/accept", unknown).status_code == 404
    assert sign_in(Console(world)) == 303


def test_whoever_has_an_account_accepts_while_signed_in(world: World) -> None:
    other = world.run(create_organization(world.context, LOCAL, "umbra", "Umbra", "eve@example.com", "Eve"))
    link = invited(world, "eve@example.com")
    stranger = Console(world)
    sent = {"link": link, "name": "Eve", "password": FRESH}
    assert stranger.post("/invitations/accept", sent).status_code == 422
    assert "account_exists" in stranger.text()
    admin = Console(world)
    admin.sign_in_as(world.first.admin)
    assert admin.post("/invitations/accept", {"link": link}).status_code == 403
    eve = Console(world)
    eve.sign_in_as(other.admin)
    answer = eve.post("/invitations/accept", {"link": link})
    assert answer.headers["location"] == "/organizations/acme?done=joined"
    assert eve.get("clusters").status_code == 200


def test_members_who_have_to_use_single_sign_on_are_let_in_by_it_alone(
    world: World, provider: Provider
) -> None:
    user = new_person(world, "bob@example.com")
    owner = world.first.organization.id
    world.run(world.store.write(lambda tx: tx.members.set_sso(owner, user.id, SsoMode.REQUIRED)))
    bob = Console(world)
    bob.sign_in_as(user)
    assert bob.get("clusters").status_code == 403
    assert "sso_required" in bob.text()
    provider.person = {"sub": "bob", "email": "bob@example.com", "email_verified": True}
    bob = Console(world)
    come_back(bob, provider, bob.get("/sign-in/with/corp").headers["location"])
    assert bob.get("clusters").status_code == 200
