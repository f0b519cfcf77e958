"""Trusted issuers on the console: listed, shown, and asked why they would refuse an identity."""

import json

from console_client import Console
from console_places import cluster_at
from outside_issuer import kubernetes_claims
from rest_client import Rest
from support import World

ISSUER = "https://issuer.example"


def test_an_issuer_is_listed_shown_and_explains_itself(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/trusted-issuers"
    admin.get(at)
    assert "No issuer is trusted" in admin.text()
    rules = [{"claim": "kubernetes.io/namespace", "value": "builds"}]
    place = f"clusters/{world.first.cluster.id}/trusted-issuers"
    made = Rest(world)("POST", place, json={"name": "<b>Pods</b>", "issuer": ISSUER, "rules": rules}).json()
    admin.get(at)
    assert "<b>Pods</b>" in admin.text()
    assert "kubernetes.io/namespace exact builds" in " ".join(admin.text().split())
    # A page that names the token which an agent joined with leads to the issuer.
    answer = admin.get(f"{cluster_at(world)}/tokens/{made['agent_token_id']}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/organizations/acme/{at}/{made['id']}")
    admin.get(f"{at}/{made['id']}")
    assert "0 connected" in admin.text()
    now = world.clock.now() // 1_000_000
    claims = kubernetes_claims(made["audiences"][0]) | {"iss": ISSUER, "iat": now, "exp": now + 60}
    admin.post(f"{at}/{made['id']}/explain", {"identity": json.dumps(claims)})
    assert "It would be admitted" in admin.text()
    claims["kubernetes.io"]["namespace"] = "elsewhere"
    admin.post(f"{at}/{made['id']}/explain", {"identity": json.dumps(claims)})
    assert "It would be refused" in admin.text()
    assert "Wanted: exact builds." in admin.text()
    for wrong in ("no token", "{", "[1]"):
        admin.post(f"{at}/{made['id']}/explain", {"identity": wrong})
        assert "It would be" not in admin.text()


def test_an_issuer_is_trusted_from_a_platforms_form_and_let_go(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/trusted-issuers"
    form = admin.get(f"{at}/new?preset=github").text
    assert 'value="https://token.actions.githubusercontent.com"' in form
    assert "repository=OWNER/REPOSITORY" in form
    wide = {"name": "CI", "preset": "github", "rules": "ref=refs/heads/main"}
    answer = admin.post(f"{at}/new", wide)
    assert answer.status_code == 422
    assert "Anybody's GitHub Actions token would pass" in admin.text()
    assert "ref=refs/heads/main" in answer.text
    assert admin.post(f"{at}/new", wide | {"rules": "no rule"}).status_code == 422
    rules = "repository=acme/app\nref=refs/heads/main|refs/heads/release\nworkflow~=deploy-*"
    answer = admin.post(f"{at}/new", wide | {"rules": rules, "registrations": "4"})
    assert answer.status_code == 303
    (made,) = Rest(world)("GET", f"clusters/{world.first.cluster.id}/trusted-issuers").json()
    assert made["issuer"] == "https://token.actions.githubusercontent.com"
    assert [(one["match"], one["values"]) for one in made["rules"]] == [
        ("exact", ["acme/app"]),
        ("one_of", ["refs/heads/main", "refs/heads/release"]),
        ("glob", ["deploy-*"]),
    ]
    assert made["registrations_per_token"] == 4
    admin.get(f"{at}/{made['id']}/end")
    assert "No new agent joins by it" in admin.text()
    assert admin.post(f"{at}/{made['id']}/end", {"mode": "sideways"}).status_code == 422
    assert admin.post(f"{at}/{made['id']}/end", {"mode": "cut"}).status_code == 303
    assert Rest(world)("GET", f"clusters/{world.first.cluster.id}/trusted-issuers").json() == []
    assert admin.get(f"{at}/{made['id']}/end").status_code == 404
