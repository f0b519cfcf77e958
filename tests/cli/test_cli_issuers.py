"""`issuer` on the command line."""

import json
from pathlib import Path

from cli_harness import Shell
from outside_issuer import github_claims

AUDIENCE = "http://127.0.0.1:8080/organizations/acme"


def test_an_issuer_is_trusted_shown_explained_and_given_up(shell: Shell, tmp_path: Path) -> None:
    assert shell("issuer", "list", "--json").json == []
    rules = ("ref_type=branch", "repository~=octo/*", "ref=refs/heads/main|refs/heads/next")
    given = [word for rule in rules for word in ("--rule", rule)]
    made = shell("issuer", "add", "--name", "CI", "--preset", "github", "--registrations", "2", *given)
    assert AUDIENCE in made.out
    (listed,) = shell("issuer", "list", "--json").json
    assert [(rule["match"], rule["values"]) for rule in listed["rules"]] == [
        ("exact", ["branch"]),
        ("glob", ["octo/*"]),
        ("one_of", ["refs/heads/main", "refs/heads/next"]),
    ]
    assert "; ".join(rules) in shell("issuer", "list").out
    assert "https://token.actions.githubusercontent.com" in shell("issuer", "show", "CI").out
    claims = tmp_path / "claims.json"
    issuer = "https://token.actions.githubusercontent.com"
    times = {"iss": issuer, "iat": 1_800_000_000, "exp": 1_800_000_300}
    claims.write_text(json.dumps(github_claims(AUDIENCE) | times))
    assert "admits it" in shell("issuer", "explain", "--claims-file", str(claims)).out
    claims.write_text(json.dumps(github_claims(AUDIENCE, "evil/app") | times))
    refused = shell("issuer", "explain", "--claims-file", str(claims))
    assert refused.code == 1
    assert "- claim repository: The identity token's claim repository is 'evil/app'" in refused.out
    assert "Wanted: glob octo/*." in refused.out
    assert "0 connected agents" in shell("issuer", "delete", "CI", "--dry-run").out
    assert "not_confirmed" in shell("issuer", "delete", "CI").err
    assert "Ended" in shell("issuer", "delete", "CI", "--mode", "cut", "--yes").out
    assert shell("issuer", "list", "--json").json == []


def test_what_would_be_too_wide_is_refused(shell: Shell) -> None:
    wide = shell("issuer", "add", "--name", "CI", "--preset", "github", "--rule", "ref=refs/heads/main")
    assert (wide.code, "rules_too_wide" in wide.err) == (1, True)
    assert "is no rule" in shell("issuer", "add", "--name", "CI", "--preset", "github", "--rule", "x").err
