"""Claim sets against rules: none that breaks a rule passes, and globs are what a regular expression says."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.domain.errors import Invalid
from watchword.domain.globs import glob_matches, literal_start
from watchword.domain.workloadpresets import PRESETS, check_width
from watchword.domain.workloads import ClaimRule, Match, Terms, judge, refused, remembered_until, texts_at

NOW_S = 1_800_000_000
ALPHABET = "ab/*?:."
TEXTS = st.text(ALPHABET, max_size=12)
SCALARS = st.one_of(TEXTS, st.integers(-5, 5), st.booleans(), st.none(), st.floats(allow_nan=False))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=4), st.dictionaries(TEXTS, SCALARS, max_size=3))
CLAIMS = st.dictionaries(st.sampled_from(["a", "b", "sub", "c/d"]), VALUES)
RULES = st.builds(
    ClaimRule,
    st.sampled_from(["a", "b", "a/b", "c~1d", "missing"]),
    st.sampled_from(list(Match)),
    st.lists(TEXTS.filter(bool), min_size=1, max_size=3).map(tuple),
)


def as_expression(pattern: str) -> str:
    """A glob as a regular expression, by another way than ours."""
    parts = re.findall(r"\*{2,}|\*|\?|[^*?]", pattern)
    known = {"*": "[^/]*", "?": "[^/]"}
    return "".join(".*" if part[:2] == "**" else known.get(part, re.escape(part)) for part in parts)


def fine(claims: dict[str, Any]) -> dict[str, Any]:
    """Claims whose audience and times are as they should be."""
    return claims | {"aud": "ours", "sub": "s", "iat": NOW_S, "exp": NOW_S + 60}


@given(TEXTS, TEXTS)
def test_a_glob_is_what_an_expression_says(pattern: str, text: str) -> None:
    expected = re.fullmatch(as_expression(pattern), text, re.DOTALL) is not None
    assert glob_matches(pattern, text) == expected
    if expected:
        assert text.startswith(literal_start(pattern))


def test_a_glob_of_many_stars_costs_little() -> None:
    assert not glob_matches("*a" * 200, "a" * 2000 + "b")
    assert not glob_matches("**a" * 150, "b" * 2048)


@given(CLAIMS, st.lists(RULES, min_size=1, max_size=4))
def test_no_claim_set_that_breaks_a_rule_passes(claims: dict[str, Any], rules: list[ClaimRule]) -> None:
    found = fine(claims)
    terms = Terms(("ours",), tuple(rules))
    broken = [rule for rule in rules if not any(admits(rule, text) for text in texts_at(found, rule.claim))]
    assert (refused(judge(terms, found, NOW_S * 1_000_000)) is None) == (not broken)


def admits(rule: ClaimRule, text: str) -> bool:
    if rule.match is Match.GLOB:
        return any(re.fullmatch(as_expression(value), text, re.DOTALL) for value in rule.values)
    return text in rule.values


@given(st.dictionaries(st.sampled_from(["aud", "sub", "iat", "exp", "nbf"]), VALUES))
def test_only_a_whole_and_current_token_passes(claims: dict[str, Any]) -> None:
    found = {"a": "x"} | claims
    terms = Terms(("ours",), (ClaimRule("a", Match.EXACT, ("x",)),))
    if refused(judge(terms, found, NOW_S * 1_000_000)) is None:
        assert "ours" in (found["aud"] if isinstance(found["aud"], list) else [found["aud"]])
        assert isinstance(found["sub"], str)
        assert found["exp"] + 60 > NOW_S
        assert NOW_S - 3660 <= found["iat"] <= NOW_S + 60


@given(st.integers(-7200, 7200), st.integers(-7200, 7200), st.integers(-7200, 7200), st.integers(60, 7200))
def test_times_are_kept_to_the_second(iat: int, exp: int, nbf: int, most: int) -> None:
    claims = fine({"a": "x"}) | {"iat": NOW_S + iat, "exp": NOW_S + exp, "nbf": NOW_S + nbf}
    terms = Terms(("ours",), (ClaimRule("a", Match.EXACT, ("x",)),), max_age=most)
    passes = refused(judge(terms, claims, NOW_S * 1_000_000)) is None
    assert passes == (exp > -60 and nbf <= 60 and -60 - most <= iat <= 60)


@given(st.one_of(VALUES, st.integers(), st.floats()))
def test_a_use_is_remembered_for_as_long_as_a_token_could_pass(exp: Any) -> None:
    terms = Terms(("ours",), (ClaimRule("a", Match.EXACT, ("x",)),))
    claims = fine({"a": "x"}) | {"exp": exp}
    if refused(judge(terms, claims, NOW_S * 1_000_000)) is None:
        until = remembered_until(claims, NOW_S * 1_000_000)
        assert until >= min(exp + 60, NOW_S + 9 * 365 * 86_400) * 1_000_000
        assert until < 2**62


@pytest.mark.parametrize(
    ("issuer", "rules"),
    [
        ("https://token.actions.githubusercontent.com", [("ref", Match.EXACT, "refs/heads/main")]),
        ("https://token.actions.githubusercontent.com", [("repository", Match.GLOB, "octo*")]),
        ("https://token.actions.githubusercontent.com", [("repository", Match.GLOB, "octo*/app")]),
        ("https://token.actions.githubusercontent.com", [("repository_owner_id", Match.GLOB, "6*")]),
        ("https://token.actions.githubusercontent.com", [("sub", Match.GLOB, "repo:*")]),
        ("https://token.actions.githubusercontent.com/", [("sub", Match.GLOB, "repo:octo*/app:**")]),
        ("https://token.actions.githubusercontent.com", [("job_workflow_ref", Match.GLOB, "octo/app/**")]),
        ("https://gitlab.com", [("ref_protected", Match.EXACT, "true")]),
        ("https://gitlab.com", [("namespace_path", Match.GLOB, "group*")]),
        ("https://accounts.google.com", [("email_verified", Match.EXACT, "true")]),
        ("https://accounts.google.com", [("email", Match.EXACT, "ada@example.com")]),
        ("https://accounts.google.com", [("google/compute_engine/project_id", Match.GLOB, "build*")]),
        ("https://abc.tokens.sts.global.api.aws", [("sub", Match.GLOB, "arn:aws:iam::*")]),
        ("https://sts.windows.net/tenant/", [("tid", Match.EXACT, "tenant")]),
        ("https://oidc.eks.eu-west-1.amazonaws.com/id/A1", [("sub", Match.GLOB, "system:serviceaccount:*")]),
    ],
)
def test_rules_that_would_let_strangers_in_are_refused(
    issuer: str, rules: list[tuple[str, Match, str]]
) -> None:
    for preset in ("", "github", "gitlab"):
        with pytest.raises(Invalid) as caught:
            check_width(issuer, preset, [ClaimRule(claim, match, (value,)) for claim, match, value in rules])
        assert caught.value.code == "rules_too_wide"


@pytest.mark.parametrize(
    ("issuer", "claim", "match", "value"),
    [
        ("https://token.actions.githubusercontent.com", "repository", Match.EXACT, "octo/app"),
        ("https://token.actions.githubusercontent.com", "repository", Match.GLOB, "octo/*"),
        ("https://token.actions.githubusercontent.com", "sub", Match.GLOB, "repo:octo/app:ref:**"),
        ("https://token.actions.githubusercontent.com", "repository_id", Match.EXACT, "74"),
        ("https://gitlab.com", "project_path", Match.GLOB, "group/**"),
        ("https://accounts.google.com", "email", Match.EXACT, "a@p.iam.gserviceaccount.com"),
        ("https://abc.tokens.sts.global.api.aws", "sub", Match.EXACT, "arn:aws:iam::123456789012:role/x"),
        ("https://sts.windows.net/tenant/", "oid", Match.EXACT, "0" * 8 + "-0000-0000-0000-" + "0" * 12),
        ("https://oidc.eks.eu-west-1.amazonaws.com/id/A1", "kubernetes.io/namespace", Match.EXACT, "builds"),
        ("https://own.example", "anything", Match.EXACT, "x"),
    ],
)
def test_rules_that_say_whose_a_token_is_are_taken(issuer: str, claim: str, match: Match, value: str) -> None:
    check_width(issuer, "", [ClaimRule(claim, match, (value,))])


def test_a_rule_of_every_preset_pins_whose_a_token_is() -> None:
    filled = {"ACCOUNT": "123456789012", "SERVICE_ACCOUNT_EMAIL": "a@p.iam.gserviceaccount.com"}
    identity = "01234567-0000-0000-0000-000000000000"
    for preset in PRESETS.values():
        rules = []
        for rule in preset.example:
            (value,) = rule.values
            for name, text in (filled | {"OBJECT_ID_OF_THE_MANAGED_IDENTITY": identity}).items():
                value = value.replace(name, text)
            rules.append(ClaimRule(rule.claim, rule.match, (value,)))
        check_width(preset.issuer or "https://own.example", preset.name, rules)
