"""Trusted issuers over REST, and agents that join with what they vouch for."""

from collections.abc import Iterator
from typing import Any

import pytest

from outside_issuer import REACH, Issuer, github_claims, kubernetes_claims
from rest_client import Rest
from services.scene import Scene
from support import World

PLACE = "trusted-issuers"


@pytest.fixture
def issuer(world: World) -> Iterator[Issuer]:
    made = Issuer(world.clock)
    yield made
    made.close()


@pytest.fixture
def rest(world: World) -> Rest:
    Scene(world).configure(reach=REACH)
    return Rest(world)


def place(rest: Rest, *more: str) -> str:
    return "/".join(("clusters", rest.world.first.cluster.id, PLACE, *more))


def body(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    made = {
        "name": "CI",
        "issuer": issuer.issuer,
        "rules": [{"claim": "kubernetes.io/namespace", "value": "builds"}],
    }
    return made | changes


def test_a_trust_is_made_listed_changed_and_ended(rest: Rest, issuer: Issuer) -> None:
    made = rest("POST", place(rest), json=body(issuer, tags=["os=*"], queue="default"))
    assert made.status_code == 201
    shown = made.json()
    assert shown["audiences"] == ["http://127.0.0.1:8080/organizations/acme"]
    assert shown["rules"] == [{"claim": "kubernetes.io/namespace", "match": "exact", "values": ["builds"]}]
    assert (shown["tags"], shown["queue"], shown["maximum_age_in_seconds"]) == (["os=*"], "default", 3600)
    assert [one["id"] for one in rest("GET", place(rest)).json()] == [shown["id"]]
    assert rest("GET", place(rest, shown["id"])).json() == shown
    # What stands for it among tokens is no agent token.
    token = "/".join(("clusters", rest.world.first.cluster.id, "tokens", shown["agent_token_id"]))
    assert rest("GET", token).status_code == 404
    changed = rest(
        "PATCH",
        place(rest, shown["id"]),
        json={
            "rules": [{"claim": "sub", "match": "glob", "values": ["system:serviceaccount:builds:*"]}],
            "tags": None,
            "registrations_per_token": 4,
            "queue": None,
        },
    ).json()
    assert changed["rules"][0]["match"] == "glob"
    assert (changed["tags"], changed["queue"], changed["registrations_per_token"]) == ([], None, 4)
    assert rest("GET", place(rest, shown["id"], "blast-radius")).json()["agents_connected"] == 0
    ended = rest("DELETE", place(rest, shown["id"]), json={"mode": "cut", "receipt": True})
    assert ended.json()["mode"] == "cut"
    assert rest("GET", place(rest, shown["id"])).status_code == 404
    assert rest("GET", place(rest, shown["id"], "revocation")).json()["finished"] is not None
    assert rest("GET", place(rest)).json() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ""}, "description_missing"),
        ({"issuer": "http://169.254.169.254"}, "invalid_url"),
        ({"issuer": "https://a b"}, "invalid_issuer"),
        ({"issuer": "https://login.microsoftonline.com/common/v2.0"}, "issuer_too_wide"),
        ({"rules": []}, "invalid_rules"),
        ({"rules": [{"claim": "iss", "value": "x"}]}, "invalid_claim"),
        ({"rules": [{"claim": "a", "match": "like", "value": "x"}]}, "invalid_rules"),
        ({"rules": [{"claim": "a", "match": "glob", "value": "*"}]}, "rule_too_wide"),
        ({"rules": [{"claim": "ref", "value": "main"}], "preset": "github"}, "rules_too_wide"),
        ({"preset": "nowhere"}, "unknown_preset"),
        ({"jwks": '{"keys": []}'}, "invalid_jwks"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}, "invalid_jwks"),
        ({"jwks_url": "http://10.0.0.1/keys"}, "invalid_url"),
        ({"audiences": ["http://127.0.0.1:8080/organizations/other"]}, "audience_of_another"),
        ({"queue": "nowhere"}, "unknown_queue"),
        ({"tags": ["os"]}, "invalid_tags"),
        ({"maximum_age_in_seconds": 10}, "out_of_range"),
        ({"registrations_per_token": 0}, "out_of_range"),
        ({"registrations_per_token": 101}, "out_of_range"),
        ({"allowed_ip_addresses": "nowhere"}, "invalid_network"),
    ],
)
def test_what_would_be_wrong_or_wide_is_refused(
    rest: Rest, issuer: Issuer, changes: dict[str, Any], code: str
) -> None:
    answer = rest("POST", place(rest), json=body(issuer) | changes)
    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert rest("GET", place(rest)).json() == []


def test_a_refusal_is_explained_rule_by_rule(rest: Rest, issuer: Issuer) -> None:
    made = rest("POST", place(rest), json=body(issuer)).json()
    audience = made["audiences"][0]

    def explained(**asked: Any) -> tuple[str | None, dict[str, str | None], str]:
        answer = rest("POST", place(rest, "explain"), json=asked)
        (one,) = answer.json()["trusted_issuers"]
        return (
            answer.json()["admitted_by"],
            {each["check"]: each["code"] for each in one["findings"]},
            answer.text,
        )

    good, wrong = kubernetes_claims(audience), github_claims(audience)
    admitted, findings, _ = explained(token=issuer.mint(good))
    assert admitted == made["id"]
    assert set(findings.values()) == {None}
    assert findings["signature"] is None
    token = issuer.mint(wrong)
    admitted, findings, text = explained(token=token)
    assert admitted is None
    assert findings["claim kubernetes.io/namespace"] == "identity_claim_refused"
    assert findings["audience"] is None
    assert token.split(".")[1] not in text
    _, findings, _ = explained(claims={"iss": "https://elsewhere.example", "aud": "x"})
    assert findings["issuer"] == "identity_issuer_unknown"
    assert findings["audience"] == "identity_audience_refused"
    assert "signature" not in findings
    _, findings, _ = explained(token=f"{token.rpartition('.')[0]}.AAAA")
    assert findings["signature"] == "identity_signature_wrong"
    for asked in ({}, {"token": "x", "claims": {}}, {"token": "no token"}):
        assert rest("POST", place(rest, "explain"), json=asked).status_code == 422


def test_a_preset_fills_in_the_issuer(rest: Rest) -> None:
    rules = [{"claim": "repository", "match": "glob", "value": "octo/*"}]
    made = rest("POST", place(rest), json={"name": "CI", "preset": "github", "rules": rules})
    assert made.json()["issuer"] == "https://token.actions.githubusercontent.com"
