"""Tokens for secrets and for codes: short lives, one token a code, and errors that give nothing away."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support import MINUTE_US
from surfaces.portal_scene import Site, code_of, serving
from watchword.domain.accounts import User
from watchword.domain.errors import NotFound, WatchwordError
from watchword.domain.events import Action
from watchword.domain.kinds import Kind
from watchword.domain.portals import Portal
from watchword.services.access import enter_in_person
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued
from watchword.services.portaltokens import create_secret_in
from watchword.services.revoking import revoke
from watchword.store.base import Transaction

AT = "/portal/organizations/acme/portals"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("portals")) as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Site:
    """The one server, a minute later, without the portals of the test before."""
    shared.clear()
    return shared


def secret_of(site: Site, portal: Portal) -> Issued:
    made: Issued = site.write(lambda tx: create_secret_in(site.context, tx, LOCAL, portal, "ci", None))
    return made


def ask(site: Site, slug: str = "tools", **body: Any) -> httpx.Response:
    return site.http.post(f"{AT}/{slug}/tokens", json=body)


def ephemeral(site: Site, portal: Portal, secret: Issued | str, **more: Any) -> httpx.Response:
    value = secret if isinstance(secret, str) else secret.value.reveal()
    body = {"grant_type": "client_credentials", "client_id": portal.id, "secret": value}
    return ask(site, portal.slug, **{**body, **more})


def code(site: Site, slug: str = "tools", **headers: str) -> dict[str, str]:
    answer = site.http.post(f"{AT}/{slug}/codes", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def decide(
    site: Site, asked: dict[str, str], user: User, slug: str = "tools", *, approve: bool = True
) -> None:
    door = site.server.authority.portal_door

    async def work(tx: Transaction) -> None:
        access = await enter_in_person(tx, user, "acme", LOCAL)
        await door.decide_in(tx, access, slug, asked["code"], approve=approve)

    site.write(work)


def redeem(site: Site, asked: dict[str, str], slug: str = "tools", **more: Any) -> httpx.Response:
    body = {"grant_type": "device_code", "code": asked["code"], "secret": asked["secret"]}
    return ask(site, slug, **{**body, **more})


def test_a_secret_gives_a_token_for_an_hour_at_most(site: Site) -> None:
    portal, _ = site.portal()
    secret = secret_of(site, portal)
    answer = ephemeral(site, portal, secret)
    issued = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(issued) == {"token", "expires_at"}
    assert issued["token"].startswith("bkpat_")
    assert site.run(issued["token"]).json()["data"] == {"organization": {"name": "Acme"}}
    short = ephemeral(site, portal, secret, expires_in=1).json()
    assert short["expires_at"] < issued["expires_at"]
    site.clock.forward(MINUTE_US)
    assert code_of(site.run(short["token"])) == (401, "token_expired")
    site.clock.forward(58 * MINUTE_US)
    assert site.run(issued["token"]).status_code == 200
    site.clock.forward(MINUTE_US)
    assert code_of(site.run(issued["token"])) == (401, "token_expired")


@pytest.mark.parametrize("minutes", [0, -1, 61, 10**12, "5", 1.5, True, [], {}])
def test_a_life_that_is_no_number_of_minutes_is_refused(site: Site, minutes: object) -> None:
    portal, _ = site.portal(user_invokable=True)
    answer = ephemeral(site, portal, secret_of(site, portal), expires_in=minutes)
    assert answer.status_code == 422, answer.text
    asked = code(site)
    decide(site, asked, site.first.admin)
    assert redeem(site, asked, expires_in=721 if minutes == 61 else minutes).status_code == 422
    assert redeem(site, asked).status_code == 200, "a refused life does not use the code up"


def test_whatever_does_not_go_together_gets_one_text(site: Site) -> None:
    portal, token = site.portal()
    other, _ = site.portal(slug="other")
    secret, foreign, dead = secret_of(site, portal), secret_of(site, other), secret_of(site, portal)
    site.write(lambda tx: revoke(site.context, tx, LOCAL, dead.token, None))
    answers = [
        ephemeral(site, portal, foreign),
        ephemeral(site, portal, dead),
        ephemeral(site, portal, token),
        ephemeral(site, portal, "bkps_nonsense"),
        ephemeral(site, portal, ""),
        ephemeral(site, portal, secret, client_id=other.id),
        ephemeral(site, portal, secret, client_id=""),
        ephemeral(site, portal, secret, client_id=portal.slug),
        ask(
            site,
            "nobodys",
            grant_type="client_credentials",
            client_id=portal.id,
            secret=secret.value.reveal(),
        ),
        ask(
            site, "other", grant_type="client_credentials", client_id=portal.id, secret=secret.value.reveal()
        ),
    ]
    for answer in answers:
        assert answer.status_code == 401, answer.text
        assert answer.json() == {
            "message": "The portal or the secret is not right.",
            "code": "invalid_client",
            "error": "invalid_client",
            "error_description": "The portal or the secret is not right.",
        }
    assert ephemeral(site, portal, secret, client_id=portal.id.upper()).status_code == 200


def test_a_deleted_secret_gives_no_more_and_takes_nothing_back(site: Site) -> None:
    portal, _ = site.portal()
    secret = secret_of(site, portal)
    issued = ephemeral(site, portal, secret).json()["token"]
    site.write(lambda tx: revoke(site.context, tx, LOCAL, secret.token, None))
    assert ephemeral(site, portal, secret).status_code == 401
    assert site.run(issued).status_code == 200
    desk = site.server.authority.portals
    site.write(lambda tx: desk.delete_in(tx, LOCAL, portal, None))
    assert code_of(site.run(issued)) == (401, "token_revoked")


def test_tokens_are_given_to_the_portals_networks_alone(site: Site) -> None:
    portal, _ = site.portal(allowed_networks="192.0.2.0/24", user_invokable=True)
    assert code_of(ephemeral(site, portal, secret_of(site, portal))) == (403, "address_not_allowed")
    assert code_of(site.http.post(f"{AT}/tools/codes")) == (403, "not_user_invokable")


@pytest.mark.parametrize("grant", ["", "password", "authorization_code", "refresh_token"])
def test_other_grants_are_refused(site: Site, grant: str) -> None:
    site.portal()
    answer = ask(site, grant_type=grant)
    assert code_of(answer) == (400, "unsupported_grant_type")
    assert answer.json()["error"] == "unsupported_grant_type"


def test_bodies_that_cannot_be_read_are_refused(site: Site) -> None:
    site.portal()
    for content, status in ((b"", 400), (b"{", 400), (b"[]", 422), (b'{"grant_type": 1}', 422)):
        assert site.http.post(f"{AT}/tools/tokens", content=content).status_code == status, content


def test_the_trail_names_the_portal_and_its_secret(site: Site) -> None:
    portal, _ = site.portal()
    secret = secret_of(site, portal)
    ephemeral(site, portal, secret)
    event = site.read(lambda tx: tx.audit.events(portal.organization_id, 0, 10_000))[-1]
    assert event.action is Action.TOKEN_CREATED
    assert (event.actor_kind, event.actor_id, event.token_id) == ("portal", portal.id, secret.token.id)
    found = site.read(lambda tx: tx.tokens.find(portal.organization_id, event.subject_id))
    assert (found.kind, found.parent_id, found.created_by) == (Kind.PORTAL_EPHEMERAL, secret.token.id, None)


def test_a_member_approves_and_the_program_gets_one_token(site: Site) -> None:
    portal, _ = site.portal("{ viewer { user { name } } }", user_invokable=True)
    user = site.member("nia")
    asked = code(site, **{"User-Agent": "deploy/2"})
    assert set(asked) == {"code", "secret", "authorization_url", "expires_at"}
    at = f"{site.server.url}/organizations/acme/portals/tools/codes/"
    assert asked["authorization_url"] == at + asked["code"]
    assert asked["secret"] not in asked["authorization_url"]
    assert code_of(redeem(site, asked)) == (400, "authorization_pending")
    decide(site, asked, user)
    answer = redeem(site, asked)
    assert answer.status_code == 200
    token = answer.json()["token"]
    assert site.run(token).json() == {"data": {"viewer": {"user": {"name": "nia"}}}}
    assert code_of(redeem(site, asked)) == (400, "invalid_grant")
    events = site.read(lambda tx: tx.audit.events(portal.organization_id, 0, 10_000))[-2:]
    assert [event.action for event in events] == [Action.PORTAL_CODE_AUTHORIZED, Action.TOKEN_CREATED]
    assert {(event.actor_kind, event.actor_id) for event in events} == {("user", user.id)}
    assert asked["code"] not in events[0].data
    assert '"client":"deploy/2"' in events[0].data
    site.clock.forward(12 * 60 * MINUTE_US - 1)
    assert site.run(token).status_code == 200
    site.clock.forward(1)
    assert code_of(site.run(token)) == (401, "token_expired")


def test_codes_are_kept_as_digests_alone(site: Site) -> None:
    site.portal(user_invokable=True)
    asked = code(site)
    site.server.run(site.context.store.write(_nothing))
    folder = site.server.settings.data
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert asked["secret"].encode() not in kept
    assert asked["code"].encode() not in kept


async def _nothing(_tx: Transaction) -> None:
    return None


def test_a_denied_an_expired_and_a_foreign_code_give_nothing(site: Site) -> None:
    site.portal(user_invokable=True)
    site.portal(slug="other", user_invokable=True)
    denied, late, other = code(site), code(site), code(site, "other")
    decide(site, denied, site.first.admin, approve=False)
    decide(site, other, site.first.admin, "other")
    assert code_of(redeem(site, denied)) == (400, "access_denied")
    assert code_of(redeem(site, other)) == (400, "invalid_grant"), "another portal's code"
    assert code_of(redeem(site, {**late, "secret": other["secret"]})) == (400, "invalid_grant")
    assert code_of(redeem(site, {**late, "secret": ""})) == (400, "invalid_grant")
    assert code_of(redeem(site, {"code": "", "secret": ""})) == (400, "invalid_grant")
    assert code_of(redeem(site, late, "nobodys")) == (400, "invalid_grant")
    decide(site, late, site.first.admin)
    site.clock.forward(5 * MINUTE_US)
    assert code_of(redeem(site, late)) == (400, "expired_token")
    assert code_of(redeem(site, {**late, "secret": "x"})) == (400, "invalid_grant"), "only its owner is told"


def test_a_code_is_decided_once_by_a_member_and_in_time(site: Site) -> None:
    site.portal(user_invokable=True)
    first, second = code(site), code(site)
    decide(site, first, site.first.admin)
    with pytest.raises(NotFound):
        decide(site, first, site.first.admin, approve=False)
    with pytest.raises(NotFound):
        decide(site, second, site.first.admin, "other")
    stranger = User(site.first.admin.id, "s@example.com", "s", "", 0)
    with pytest.raises(NotFound):
        decide(site, second, User("nobody", stranger.email, "s", "", 0))  # type: ignore[arg-type]
    site.clock.forward(5 * MINUTE_US)
    with pytest.raises(NotFound):
        decide(site, second, site.first.admin)


def test_an_approval_of_somebody_who_left_since_gives_nothing(site: Site) -> None:
    portal, _ = site.portal(user_invokable=True)
    user = site.member("zoe")
    asked = code(site)
    decide(site, asked, user)
    site.write(lambda tx: tx.members.remove(portal.organization_id, user.id))
    assert code_of(redeem(site, asked)) == (400, "access_denied")


def test_a_portal_that_is_not_for_users_gives_no_codes_and_forgets_open_ones(site: Site) -> None:
    portal, _ = site.portal(user_invokable=True)
    asked = code(site)
    decide(site, asked, site.first.admin)
    desk = site.server.authority.portals
    site.write(lambda tx: desk.update_in(tx, LOCAL, portal, {"user_invokable": False}, None))
    refused = site.http.post(f"{AT}/tools/codes")
    assert code_of(refused) == (403, "not_user_invokable")
    for path in (f"{AT}/nobodys/codes", "/portal/organizations/nobodys/portals/tools/codes"):
        assert site.http.post(path).json() == refused.json(), "one text, whatever is there"
    changed = site.read(lambda tx: tx.portals.find(portal.organization_id, portal.id))
    site.write(lambda tx: desk.update_in(tx, LOCAL, changed, {"user_invokable": True}, None))
    assert code_of(redeem(site, asked)) == (400, "invalid_grant")


def test_raced_exchanges_of_one_code_give_one_token(site: Site) -> None:
    portal, _ = site.portal(user_invokable=True)
    asked = code(site)
    decide(site, asked, site.first.admin)
    door = site.server.authority.portal_door

    async def race() -> list[Issued | WatchwordError]:
        async def one() -> Issued | WatchwordError:
            try:
                return await door.exchange("acme", "tools", asked["code"], asked["secret"], None, LOCAL)
            except WatchwordError as error:
                return error

        return await asyncio.gather(*(one() for _ in range(20)))

    answers = site.server.run(race())
    assert sum(isinstance(answer, Issued) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, WatchwordError)} == {"invalid_grant"}
    now, owner = site.clock.now(), portal.organization_id
    live = site.read(lambda tx: tx.portals.live_tokens(owner, portal.id, now))
    assert [token.kind for token in live] == [Kind.PORTAL_SERVICE, Kind.PORTAL_USER]


def test_an_address_may_ask_so_often_and_no_oftener(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("limited"), limit_portal_codes=3) as site:
        site.portal(user_invokable=True)
        statuses = [site.http.post(f"{AT}/tools/codes").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        limited = ask(site, grant_type="client_credentials")
        assert code_of(limited) == (429, "too_many_requests")
        assert limited.headers["retry-after"] == "60"
        site.clock.forward(MINUTE_US)
        assert site.http.post(f"{AT}/tools/codes").status_code == 200
