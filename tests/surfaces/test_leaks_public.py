"""What anybody may ask about leaks: revocation by possession, lookup by digest prefix, shapes of values."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from leaks_client import Door
from rest_client import api_token
from support import SECOND_US, World
from watchword.crypto.values import Secret, mint
from watchword.domain.accounts import Role
from watchword.domain.events import Action
from watchword.domain.kinds import Kind
from watchword.domain.leakdoors import LookupBy, Possession
from watchword.domain.leaks import LeakState, Outcome
from watchword.domain.ratelimits import RateLimits
from watchword.domain.tokens import State
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL

API = (Kind.API_ACCESS,)
AGENTS = (Kind.AGENT,)


@pytest.fixture
def door(world: World) -> Iterator[Door]:
    made = Door(world)
    yield made
    made.close()


def hashed(value: Secret) -> str:
    return hashlib.sha256(value.reveal().encode()).hexdigest()


def show(door: Door, *values: Secret) -> list[dict[str, str]]:
    answer = door.call("POST", "/leaks/revoke", {"tokens": [value.reveal() for value in values]})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, str]] = answer.json()["results"]
    return found


# -- revocation by possession --------------------------------------------------------------------------


def test_whoever_shows_the_whole_value_revokes_it_whatever_the_policy_says(door: Door) -> None:
    door.rules(agent__public="notify", dry_run=True)
    issued, strange = door.token(), mint(Kind.AGENT)
    first = show(door, issued.value, strange)
    assert [set(one) for one in first] == [{"token_hash", "label", "state", "message"}] * 2
    assert [(one["label"], one["state"]) for one in first] == [
        ("true_positive", "revoked"),
        ("false_positive", "unknown"),
    ]
    assert [one["token_hash"] for one in first] == [hashed(issued.value), hashed(strange)]
    assert issued.value.reveal() not in str(first)
    assert door.reason(issued.value.reveal(), AGENTS) == "token_revoked"
    leak = door.the_leak(issued.token)
    assert (leak.reporter, leak.outcome) == ("possession", Outcome.REVOKED)
    before = door.written()
    door.forward(120)
    assert show(door, issued.value, strange) == first
    assert door.written() == before


def test_one_value_may_be_shown_alone(door: Door) -> None:
    issued = door.api_token()
    answer = door.call("POST", "/leaks/revoke", {"token": issued.value.reveal()})
    assert answer.json()["results"][0]["state"] == "revoked"
    assert door.reason(issued.value.reveal(), API) == "token_revoked"


def test_values_that_nobody_issued_write_nothing(door: Door) -> None:
    before = door.written()
    assert {one["state"] for one in show(door, *(mint(Kind.AGENT) for _ in range(100)))} == {"unknown"}
    assert door.written() == before


def test_ended_values_are_true_and_open_a_case_that_asks_for_nothing(door: Door) -> None:
    expired, revoked = door.token(expires_in=700), door.token()
    door.revoke(revoked.token)
    door.forward(3600)
    assert [one["state"] for one in show(door, expired.value, revoked.value)] == ["expired", "revoked"]
    assert door.the_leak(expired.token).state is LeakState.CLOSED
    before = door.written()
    assert [one["label"] for one in show(door, expired.value, revoked.value)] == ["true_positive"] * 2
    assert door.written() == before


def test_a_job_token_gets_its_case_and_a_clear_word(door: Door) -> None:
    value = door.accept(door.agent(), door.one_job()).value
    assert value is not None
    for _ in range(2):
        (one,) = show(door, value)
        assert (one["label"], one["state"]) == ("true_positive", "active")
        assert "ends with its job" in one["message"]
        assert len(door.events(Action.LEAK_OPENED)) == 1
        assert not door.events(Action.LEAK_ANSWERED)
        door.forward(90)


def test_values_of_every_make_can_be_shown(door: Door) -> None:
    brought, joined = door.imported("an old value of another make"), door.agent()
    assert [one["state"] for one in show(door, brought.value, joined.value)] == ["revoked", "revoked"]
    assert door.reason(brought.value.reveal(), AGENTS) == "token_revoked"
    assert door.reason(joined.value.reveal()) in ("session_ended", "token_revoked")
    assert not door.authority.fleet.agents


@pytest.mark.parametrize("rule", ["notify", "quarantine", "rotate:600"])
def test_what_a_partner_only_quarantined_or_rotates_is_revoked(door: Door, rule: str) -> None:
    door.rules(agent__public=rule)
    issued = door.token()
    door.report(issued.value)
    assert door.stored(issued.token).state is State.ACTIVE
    assert show(door, issued.value)[0]["state"] == "revoked"
    assert door.the_leak(issued.token).outcome is Outcome.REVOKED
    assert door.reason(issued.value.reveal(), AGENTS) == "token_revoked"


def test_the_operator_may_have_it_reported_only_or_turned_off(door: Door) -> None:
    issued = door.token()
    door.configure(leak_possession=Possession.REPORT)
    assert show(door, issued.value)[0]["state"] == "active"
    assert door.the_leak(issued.token).outcome is Outcome.NOTIFIED
    door.configure(leak_possession=Possession.OFF)
    answer = door.call("POST", "/leaks/revoke", {"token": issued.value.reveal()})
    assert (answer.status_code, answer.json()["code"]) == (403, "leak_possession_off")
    door.configure(leak_possession=Possession.REVOKE)
    assert show(door, issued.value)[0]["state"] == "revoked"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nonsense", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"token": ""}', 422),
        (b'{"tokens": []}', 422),
        (b'{"tokens": [""]}', 422),
        (b'{"token": 5}', 422),
        (b'{"token": "a\\u0000"}', 422),
        (b'{"tokens": [' + b",".join([b'"a"'] * 101) + b"]}", 422),
        (b" " * 300_000, 413),
    ],
)
def test_what_is_no_value_is_said_to_be_that(door: Door, body: bytes, status: int) -> None:
    before = door.written()
    assert door.call("POST", "/leaks/revoke", body).status_code == status
    assert door.written() == before


def test_an_address_may_show_so_many_values_in_a_minute(door: Door) -> None:
    door.configure(rate_limits=RateLimits(leak_revocations=10))
    values = {"tokens": ["a"] * 6}
    assert door.call("POST", "/leaks/revoke", values).status_code == 200
    refused = door.call("POST", "/leaks/revoke", values)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == "60"
    assert door.call("POST", "/leaks/revoke", values, address="203.0.113.10").status_code == 200
    door.forward(60)
    assert door.call("POST", "/leaks/revoke", values).status_code == 200


def test_addresses_of_one_ipv6_network_are_counted_together(door: Door) -> None:
    door.configure(rate_limits=RateLimits(leak_revocations=2))
    for number, status in enumerate((200, 200, 429)):
        answer = door.call("POST", "/leaks/revoke", {"token": "a"}, address=f"2001:db8:0:1::{number}")
        assert answer.status_code == status
    assert door.call("POST", "/leaks/revoke", {"token": "a"}, address="2001:db8:0:2::1").status_code == 200


# -- lookup by prefix ----------------------------------------------------------------------------------


def look(door: Door, *prefixes: str, value: Secret | None = None) -> dict[str, list[dict[str, Any]]]:
    headers = {"Authorization": f"Bearer {value.reveal()}"} if value else {}
    answer = door.call("POST", "/leaks/lookup", {"prefixes": prefixes}, headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, list[dict[str, Any]]] = answer.json()["matches"]
    return found


def test_a_prefix_tells_kind_and_state_and_nothing_of_whose_it_is(door: Door) -> None:
    issued = door.api_token()
    digest = hashed(issued.value)
    for length in (10, 11, 63, 64):
        asked = digest[:length]
        assert look(door, asked, "0" * length) == {
            asked: [
                {
                    "suffix_hash": hashlib.sha256(bytes.fromhex(digest)).hexdigest(),
                    "kind": "api_access",
                    "state": "active",
                    "checked_at": door.world.clock.now(),
                }
            ],
            "0" * length: [],
        }
    assert look(door, digest[:12].upper())[digest[:12].upper()][0]["state"] == "active"


def test_every_state_is_told(door: Door) -> None:
    door.rules(agent__public="quarantine")
    expired, revoked, held = door.token(expires_in=700), door.token(), door.token()
    rotated = door.superseded()
    door.revoke(revoked.token)
    door.report(held.value)
    door.forward(3600)
    prefixes = [hashed(each.value)[:16] for each in (expired, revoked, held, rotated)]
    found = look(door, *prefixes)
    assert [found[prefix][0]["state"] for prefix in prefixes] == [
        "expired",
        "revoked",
        "quarantined",
        "superseded",
    ]


def test_who_may_see_a_token_is_told_whose_it_is(door: Door) -> None:
    agent, api = door.token(), door.first.api_token
    cluster = door.first.cluster.id
    prefixes = [hashed(each.value)[:10] for each in (agent, api)]
    found = look(door, *prefixes, value=api.value)
    assert found[prefixes[0]][0]["token"] == {
        "id": agent.token.id,
        "organization": "acme",
        "name": "for a test",
        "url": f"http://127.0.0.1:8080/organizations/acme/clusters/{cluster}/tokens/{agent.token.id}",
    }
    own = found[prefixes[1]][0]["token"]
    assert own["url"] == f"http://127.0.0.1:8080/user/api-access-tokens/{api.token.id}"


@pytest.mark.parametrize(
    ("scopes", "role", "sees"),
    [
        (("read_clusters",), Role.ADMIN, (True, False, False)),
        (("read_agents",), Role.ADMIN, (False, True, False)),
        (("read_organization_settings",), Role.ADMIN, (False, False, True)),
        (("read_clusters", "read_agents", "read_organization_settings"), Role.MEMBER, (False, False, False)),
        (("read_user",), Role.ADMIN, (False, False, False)),
    ],
)
def test_scope_and_role_decide_what_is_told(
    door: Door, scopes: tuple[str, ...], role: Role, sees: tuple[bool, ...]
) -> None:
    viewer = api_token(door.world, *scopes, role=role, email="viewer@example.com")
    seen = [door.token(), door.token(unclustered=True), door.api_token()]
    prefixes = [hashed(each.value)[:10] for each in seen]
    found = look(door, *prefixes, value=viewer.value)
    assert tuple("token" in found[prefix][0] for prefix in prefixes) == sees
    own = hashed(viewer.value)
    assert "token" in look(door, own, value=viewer.value)[own][0]


def test_nobody_is_told_of_another_organization(door: Door) -> None:
    context = door.authority.context
    other = door.run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Oda"))
    prefixes = [hashed(each.value)[:10] for each in (other.agent_token, other.api_token)]
    found = look(door, *prefixes, value=door.first.api_token.value)
    assert [set(found[prefix][0]) for prefix in prefixes] == [
        {"suffix_hash", "kind", "state", "checked_at"}
    ] * 2


def test_the_operator_decides_who_may_look(door: Door) -> None:
    prefix, value = "0" * 10, door.first.api_token.value
    headers = {"Authorization": f"Bearer {value.reveal()}"}
    for by, without, wrong, right in (
        (LookupBy.PUBLIC, 200, 401, 200),
        (LookupBy.AUTHENTICATED, 401, 401, 200),
        (LookupBy.OFF, 403, 403, 403),
    ):
        door.configure(leak_lookup=by)
        body = {"prefixes": [prefix]}
        assert door.call("POST", "/leaks/lookup", body).status_code == without
        assert door.call("POST", "/leaks/lookup", body, {"Authorization": "Bearer "}).status_code == without
        for strange in (mint(Kind.API_ACCESS), door.token().value):
            shown = {"Authorization": f"Bearer {strange.reveal()}"}
            assert door.call("POST", "/leaks/lookup", body, shown).status_code == wrong
        assert door.call("POST", "/leaks/lookup", body, headers).status_code == right


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 422),
        (b'{"prefixes": ["123456789"]}', 422),
        (b'{"prefixes": ["' + b"1" * 65 + b'"]}', 422),
        (b'{"prefixes": ["123456789g"]}', 422),
        ('{"prefixes": ["١٢٣٤٥٦٧٨٩٠"]}'.encode(), 422),
        (b'{"prefixes": ["1234567890\\n"]}', 422),
        (b'{"prefixes": [5]}', 422),
    ],
)
def test_what_is_no_prefix_is_said_to_be_that(door: Door, body: bytes, status: int) -> None:
    assert door.call("POST", "/leaks/lookup", body).status_code == status


def test_a_thousand_prefixes_are_answered_and_no_more(door: Door) -> None:
    assert len(look(door, *(f"{number:010x}" for number in range(1000)))) == 1000
    answer = door.call("POST", "/leaks/lookup", {"prefixes": [f"{number:010x}" for number in range(1001)]})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_prefixes")
    door.configure(rate_limits=RateLimits(leak_lookups=1500))
    body = {"prefixes": [f"{number:010x}" for number in range(1000)]}
    assert door.call("POST", "/leaks/lookup", body).status_code == 200
    refused = door.call("POST", "/leaks/lookup", body)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    door.world.clock.forward(60 * SECOND_US)
    assert door.call("POST", "/leaks/lookup", body).status_code == 200


# -- patterns ------------------------------------------------------------------------------------------


def test_patterns_match_values_of_every_brand(door: Door) -> None:
    door.configure(brand="acme", former_brands=("bk",))
    rows = door.call("GET", "/leaks/patterns").json()["patterns"]
    for brand in ("acme", "bk"):
        value = mint(Kind.AGENT, brand=brand).reveal()
        fitting = [row for row in rows if re.fullmatch(row["regex"], value)]
        assert [(row["name"], row["brand"], row["kinds"]) for row in fitting] == [
            ("watchword-agent-token", brand, ["agent"])
        ]
    assert all(row["prefix"] for row in rows)
