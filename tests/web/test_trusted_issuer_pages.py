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
