"""Single sign-on against a real provider on loopback: who gets in, who is linked, and what is refused."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt

from authenticator import b64
from openid_stand_in import CLIENT_SECRET, Provider, make_key
from services.people_scene import CALLER, EMAIL, PASSWORD, Door
from services.scene import Scene
from support import SECOND_US
from watchword.crypto.values import Secret
from watchword.domain.accounts import Role
from watchword.domain.errors import Invalid, Refused, WatchwordError
from watchword.domain.events import Action
from watchword.services.context import LOCAL
from watchword.services.people import create_person, disable_person
from watchword.services.providers import read_providers
from watchword.services.sessions import SignedIn, Visitor, require_escalated
from watchword.services.single_sign_on import Begun, SingleSignOn

MINUTE = 60


@pytest.fixture
def make_of_database() -> str:
    return "sqlite"  # the store's part is held by its contract on both


class Corp(Door):
    """The administrator, and a provider that knows them."""

    def __init__(self, scene: Scene, provider: Provider) -> None:
        super().__init__(scene)
        self.provider = provider
        provider.now = lambda: scene.world.clock.now() / SECOND_US
        self.set()

    def set(self, **changes: Any) -> None:
        """Go on with other settings of the provider."""
        self.scene.configure(single_sign_on=read_providers([self.provider.table(**changes)]))

    @property
    def sso(self) -> SingleSignOn:
        return self.scene.authority.single_sign_on

    def begin(self) -> Begun:
        return self.run(self.sso.begin("corp", "/there"))

    def come_back(
        self, begun: Begun, answer: dict[str, str] | None = None, visitor: Visitor | None = None
    ) -> SignedIn | None:
        query = self.provider.agree(begun.url) if answer is None else answer
        arrived = self.run(self.sso.finish("corp", begun.ticket, query, CALLER, visitor))
        assert arrived.to == "/there"
        return arrived.signed

    def enter(self) -> SignedIn:
        signed = self.come_back(self.begin())
        assert signed is not None
        return signed

    def outcome(self, begun: Begun | None = None, answer: dict[str, str] | None = None) -> str:
        """The code with which a sign-in is refused; empty if it passes."""
        try:
            self.come_back(begun or self.begin(), answer)
        except WatchwordError as error:
            return error.code
        return ""


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def corp(scene: Scene, provider: Provider) -> Corp:
    return Corp(scene, provider)


# -- who gets in -------------------------------------------------------------------------------------


def test_a_verified_address_links_a_known_person_once_and_the_subject_opens_afterwards(corp: Corp) -> None:
    signed = corp.enter()
    assert signed.session.complete
    assert signed.session.method == "single sign-on: corp"
    assert corp.visit(signed).user == corp.row()
    assert corp.data().email_verified_at
    corp.provider.person |= {"email": "another@example.com", "email_verified": False}
    assert corp.enter().user == corp.row()
    assert len(corp.scene.events(Action.USER_IDENTITY_LINKED)) == 1
    (identity,) = corp.write(lambda tx: tx.proofs.identities(corp.user.id))
    assert (identity.issuer, identity.subject) == (corp.provider.issuer, "subject-1")


def test_the_request_has_state_nonce_and_a_challenge_of_its_own(corp: Corp) -> None:
    first, second = corp.begin(), corp.begin()
    assert first.url.startswith(f"{corp.provider.issuer}/authorize?")
    for word in ("response_type=code", "code_challenge_method=S256", "scope=openid+email+profile"):
        assert word in first.url
    for name in ("state", "nonce", "code_challenge"):
        assert (
            first.url.partition(f"{name}=")[2].partition("&")[0]
            != (second.url.partition(f"{name}=")[2].partition("&")[0])
        )
    assert CLIENT_SECRET not in first.url


def test_an_address_that_is_unverified_or_unknown_links_nobody(corp: Corp) -> None:
    known = corp.provider.person
    for person in (
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"email": None},
        {"email": "nobody@example.com"},
        {"email": "no address"},
        {"email": 7},
    ):
        corp.provider.claims = person
        corp.provider.person = known | person
        assert corp.outcome() == "sso_unknown_person", person
    assert corp.write(lambda tx: tx.proofs.identities(corp.user.id)) == []


def test_an_address_that_the_token_leaves_out_is_asked_for(corp: Corp) -> None:
    corp.provider.in_token = False
    assert corp.outcome() == ""
    assert "/person" in corp.provider.requests


def test_the_answer_about_another_subject_is_refused(corp: Corp) -> None:
    corp.provider.in_token = False
    corp.provider.claims = {"sub": "subject-2"}
    assert corp.outcome() == "sso_refused"


def test_unknown_people_are_made_members_where_the_settings_say_so(corp: Corp) -> None:
    corp.set(organization="acme", role="member")
    corp.provider.person = {
        "sub": "9",
        "email": "Bob@Example.com",
        "email_verified": True,
        "name": " Bob \n B ",
    }
    user = corp.enter().user
    assert (user.email, user.name, user.password_hash) == ("bob@example.com", "Bob B", "")
    owner = corp.scene.first.organization.id
    member = corp.write(lambda tx: tx.accounts.member(owner, user.id))
    assert member is not None
    assert member.role is Role.MEMBER
    assert corp.enter().user == user


def test_an_organization_that_is_not_there_takes_nobody(corp: Corp) -> None:
    corp.set(organization="nowhere")
    corp.provider.person |= {"email": "bob@example.com"}
    assert corp.outcome() == "sso_unknown_person"


def test_domains_are_asked_at_every_sign_in(corp: Corp) -> None:
    corp.enter()
    corp.set(domains=["example.com", "example.org"])
    for email, verified, outcome in (
        (EMAIL, True, ""),
        ("Admin@EXAMPLE.com", True, ""),
        (EMAIL, False, "sso_domain"),
        ("admin@example.com.evil.example", True, "sso_domain"),
        ("admin@sub.example.com", True, "sso_domain"),
        ("", True, "sso_domain"),
    ):
        corp.provider.person |= {"email": email, "email_verified": verified}
        assert corp.outcome() == outcome, (email, verified)


def test_whoever_is_disabled_stays_out_linked_or_not(corp: Corp) -> None:
    owner = corp.scene.first.organization.id
    corp.run(create_person(corp.context, LOCAL, owner, "bob@example.com", "Bob", Role.MEMBER))
    corp.enter()
    for email in (EMAIL, "bob@example.com"):
        corp.run(disable_person(corp.context, LOCAL, email))
    assert corp.outcome() == "user_disabled"
    corp.provider.person |= {"sub": "2", "email": "bob@example.com"}
    assert corp.outcome() == "user_disabled"


# -- the second factor -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "methods", "complete"),
    [
        ("amr", ["pwd", "mfa"], True),
        ("amr", ["pwd"], False),
        ("amr", "mfa", False),
        ("amr", None, False),
        ("ask", ["mfa"], False),
        ("trust", None, True),
    ],
)
def test_the_second_factor_is_asked_unless_the_provider_counts(
    corp: Corp,
    setting: str,
    methods: object,
    complete: bool,  # noqa: FBT001
) -> None:
    corp.enrol()
    corp.set(second_factor=setting)
    corp.provider.claims = {"amr": methods}
    if methods == "mfa":
        assert corp.outcome() == "sso_refused"  # it has to be a list
        return
    signed = corp.enter()
    assert signed.session.complete is complete
    if not complete:
        assert corp.refusal(corp.service.authenticate(signed.cookie)) == "session_ended"
        done = corp.run(corp.service.second_factor(signed.cookie, corp.code(), CALLER))
        assert done.session.method == "single sign-on: corp, totp"


# -- what is refused ---------------------------------------------------------------------------------


WRONG_CLAIMS: tuple[dict[str, Any], ...] = (
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "somebody else"},
    {"aud": None},
    {"aud": ["watchword", "another"]},
    {"azp": "another"},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "x" * 256},
    {"exp": None},
    {"exp": "soon"},
    {"at_hash": "wrong"},
)


def test_a_token_with_a_wrong_claim_is_refused(corp: Corp) -> None:
    for claims in WRONG_CLAIMS:
        corp.provider.claims = claims
        assert corp.outcome() == "sso_refused", claims
        corp.provider.claims = {}
        assert corp.outcome() == "", claims


def test_an_expired_token_is_refused_and_clocks_may_differ_by_a_minute(corp: Corp) -> None:
    now = corp.scene.world.clock.now() // SECOND_US
    found = []
    for past in (59, 61):
        corp.provider.claims = {"exp": now - past, "iat": now - 300}
        found.append(corp.outcome())
    assert found == ["", "sso_refused"]
    corp.provider.claims = {"iat": now + 3600, "exp": now + 7200}
    assert corp.outcome() == "sso_refused"


def _none(header: dict[str, Any], claims: dict[str, Any]) -> str:
    head = {**header, "alg": "none"}
    return f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}."


def _hmac(secret: bytes) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        head = {**header, "alg": "HS256"}
        text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    return sign


def _other_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return jwt.encode(header, claims, make_key("nobody's"))


def _spoiled(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return _other_key(header, claims)[:-8]


@pytest.mark.parametrize("sign", [_none, _hmac(CLIENT_SECRET.encode()), _other_key, _spoiled, lambda *_: "x"])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    corp: Corp, sign: Callable[[dict[str, Any], dict[str, Any]], str]
) -> None:
    corp.provider.sign = sign
    assert corp.outcome() == "sso_refused"


def test_the_public_key_is_no_secret_of_an_hmac(corp: Corp) -> None:
    """Algorithm confusion, even where the provider announces HMAC and publishes a symmetric key."""
    corp.provider.about = {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]}
    pem = corp.provider.key.as_pem(private=False)
    corp.provider.keys = [{"kty": "oct", "kid": "one", "k": b64(pem)}]
    corp.provider.sign = _hmac(pem)
    assert corp.outcome() == "sso_refused"
    corp.provider.about = {"id_token_signing_alg_values_supported": ["none", "HS256"]}
    corp.set()
    corp.provider.sign = None
    assert corp.outcome() == "sso_refused"


def test_an_algorithm_that_was_not_announced_is_refused(corp: Corp) -> None:
    corp.provider.header = {"alg": "RS512"}
    assert corp.outcome() == "sso_refused"
    corp.provider.about = {"id_token_signing_alg_values_supported": ["RS256", "RS512"]}
    corp.set()
    assert corp.outcome() == ""


def test_a_state_of_another_browser_or_a_second_use_is_refused(corp: Corp) -> None:
    mine, hers = corp.begin(), corp.begin()
    answer = corp.provider.agree(hers.url)
    assert corp.outcome(mine, answer) == "sso_refused"
    assert corp.outcome(mine, corp.provider.agree(mine.url)) == "ticket_invalid"
    assert corp.outcome(hers, answer) == ""
    assert corp.outcome(hers, corp.provider.agree(hers.url)) == "ticket_invalid"


def test_a_code_of_another_request_is_refused_by_its_challenge(corp: Corp) -> None:
    mine, hers = corp.begin(), corp.begin()
    code = corp.provider.agree(hers.url)["code"]
    answer = corp.provider.agree(mine.url) | {"code": code}
    assert corp.outcome(mine, answer) == "sso_refused"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"code": ""}, "sso_refused"),
        ({"state": ""}, "sso_refused"),
        ({"state": "é"}, "sso_refused"),
        ({"iss": "https://evil.example"}, "sso_refused"),
        ({"error": "access_denied", "code": ""}, "sso_denied"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(corp: Corp, answer: dict[str, str], outcome: str) -> None:
    begun = corp.begin()
    assert corp.outcome(begun, corp.provider.agree(begun.url) | answer) == outcome


def test_a_ticket_lives_ten_minutes(corp: Corp) -> None:
    begun = corp.begin()
    corp.scene.forward(10 * MINUTE)
    assert corp.outcome(begun) == "ticket_invalid"


def test_there_are_only_the_providers_of_the_settings(corp: Corp) -> None:
    assert corp.refusal(corp.sso.begin("other", "/")) == "unknown_provider"
    begun = corp.begin()
    work = corp.sso.finish("other", begun.ticket, {}, CALLER, None)
    assert corp.refusal(work) == "unknown_provider"


# -- the provider's documents ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ],
    ids=lambda about: next(iter(about)),
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(corp: Corp, about: dict[str, Any]) -> None:
    corp.provider.about = about
    assert corp.refusal(corp.sso.begin("corp", "/")) == "sso_unavailable"


def test_a_provider_that_cannot_be_reached_is_said_so(corp: Corp) -> None:
    corp.provider.close()
    assert corp.refusal(corp.sso.begin("corp", "/")) == "sso_unavailable"


def test_documents_are_kept_for_an_hour_and_new_keys_found_once_a_minute(corp: Corp) -> None:
    asked = corp.provider.requests
    corp.enter()
    corp.enter()
    assert (asked.count("/.well-known/openid-configuration"), asked.count("/keys")) == (1, 1)
    corp.provider.key = make_key("two")
    corp.provider.header = {"kid": "two"}
    assert corp.outcome() == "sso_refused"  # the keys were read within the minute
    corp.scene.forward(MINUTE)
    assert corp.outcome() == ""
    assert asked.count("/keys") == 2
    corp.scene.forward(60 * MINUTE)
    corp.enter()
    assert (asked.count("/.well-known/openid-configuration"), asked.count("/keys")) == (2, 3)


def test_a_token_without_key_id_is_checked_with_each_key(corp: Corp) -> None:
    corp.provider.keys = [make_key("other").as_dict(private=False)]
    corp.provider.header = {"kid": None}
    assert corp.outcome() == ""


# -- while in ----------------------------------------------------------------------------------------


def test_a_sign_in_by_an_older_session_there_is_no_fresh_proof_here(corp: Corp) -> None:
    def escalated() -> bool:
        return corp.enter().session.escalated(corp.scene.world.clock.now())

    assert not escalated()
    now = corp.scene.world.clock.now() // SECOND_US
    corp.provider.claims = {"auth_time": now - 10}
    assert escalated()
    corp.provider.claims = {"auth_time": now - 5 * MINUTE}
    assert not escalated()


def _step_up(corp: Corp, visitor: Visitor) -> str:
    begun = corp.run(corp.sso.begin_step_up(visitor, "corp", "/there"))
    assert "prompt=login" in begun.url
    try:
        corp.come_back(begun, visitor=visitor)
    except WatchwordError as error:
        return error.code
    return ""


def test_signing_in_there_again_is_a_fresh_proof(corp: Corp) -> None:
    signed = corp.enter()
    visitor = corp.visit(signed)
    with pytest.raises(Refused, match="Confirm"):
        require_escalated(visitor, corp.scene.world.clock.now())
    assert _step_up(corp, visitor) == ""
    require_escalated(corp.visit(signed), corp.scene.world.clock.now())


@pytest.mark.parametrize("claims", [{"auth_time": None}, {"auth_time": 1}, {"sub": "2"}], ids=str)
def test_an_old_proof_or_another_persons_is_none(corp: Corp, claims: dict[str, Any]) -> None:
    visitor = corp.visit(corp.enter())
    corp.provider.claims = claims
    assert _step_up(corp, visitor) == "sso_refused"


def test_with_a_second_factor_here_the_provider_must_count(corp: Corp) -> None:
    visitor = corp.visit(corp.enter())
    corp.enrol()
    assert _step_up(corp, visitor) == "sso_not_enough"
    corp.provider.claims = {"amr": ["mfa"]}
    assert _step_up(corp, visitor) == ""


def test_a_step_up_belongs_to_its_session(corp: Corp) -> None:
    first, second = corp.visit(corp.enter()), corp.visit(corp.enter())
    begun = corp.run(corp.sso.begin_step_up(first, "corp", "/there"))
    answer = corp.provider.agree(begun.url)
    work = corp.sso.finish("corp", begun.ticket, answer, CALLER, second)
    assert corp.refusal(work) == "sso_refused"


def test_whoever_is_in_links_who_they_are_elsewhere(corp: Corp) -> None:
    corp.provider.person = {"sub": "elsewhere"}
    visitor = corp.visit(corp.sign_in())
    begun = corp.run(corp.sso.begin_link(visitor, "corp", "/there"))
    assert corp.come_back(begun, visitor=visitor) is None
    assert corp.enter().user.id == corp.user.id
    owner = corp.scene.first.organization.id
    corp.run(create_person(corp.context, LOCAL, owner, "bob@example.com", "Bob", Role.MEMBER))
    corp.provider.person = {"sub": "bob", "email": "bob@example.com", "email_verified": True}
    bob = corp.visit(corp.enter())
    corp.provider.person = {"sub": "elsewhere"}
    with pytest.raises(Refused, match="Confirm"):
        corp.run(corp.sso.begin_link(bob, "corp", "/there"))
    corp.provider.person = {"sub": "bob"}
    assert _step_up(corp, bob) == ""
    corp.provider.person = {"sub": "elsewhere"}
    bob = Visitor(corp.write(lambda tx: tx.sessions.of_user(bob.user.id, 0))[0], bob.user)
    begun = corp.run(corp.sso.begin_link(bob, "corp", "/there"))
    answer = corp.provider.agree(begun.url)
    assert corp.refusal(corp.sso.finish("corp", begun.ticket, answer, CALLER, bob)) == "identity_taken"


# -- settings ----------------------------------------------------------------------------------------


def test_providers_are_read_of_a_file_or_a_variable(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    table = {"key": "a", "issuer": "https://id.example.com", "client_id": "c"}
    (one,) = read_providers(
        [table | {"client_secret_file": str(secret), "domains": "Example.com, b.example"}]
    )
    assert one.client_secret == Secret("from a file")
    assert one.domains == ("example.com", "b.example")
    assert (one.label, one.role, one.second_factor.value) == ("a", Role.MEMBER, "amr")
    assert read_providers(json.dumps([table]))[0].issuer == "https://id.example.com"
    assert read_providers("") == ()


@pytest.mark.parametrize(
    "given",
    [
        "{",
        "{}",
        [1],
        [{}],
        [{"key": "a", "issuer": "http://id.example.com", "client_id": "c"}],
        [{"key": "a", "issuer": "https://id.example.com?x", "client_id": "c"}],
        [{"key": "A b", "issuer": "https://id.example.com", "client_id": "c"}],
        [{"key": "a", "issuer": "https://id.example.com", "client_id": "c"}] * 2,
        [{"key": "a", "issuer": "https://id.example.com", "client_id": "c", "role": "owner"}],
        [{"key": "a", "issuer": "https://id.example.com", "client_id": "c", "secret": PASSWORD}],
        [{"key": "a", "issuer": "https://id.example.com", "client_id": "c", "domains": [PASSWORD]}],
        [{"key": "a", "issuer": "https://id.example.com", "client_id": "c", "client_secret_file": "/none"}],
    ],
    ids=range(12),
)
def test_providers_that_cannot_work_are_refused_without_their_values(given: object) -> None:
    with pytest.raises(Invalid, match="single_sign_on") as refused:
        read_providers(given)
    assert PASSWORD not in refused.value.message
