"""Assertions of token exchange: whatever the claims are, what passes is current, short and for us."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from watchword.domain.exchanges import MAX_ASSERTION_S, refuse_assertion

NOW, CLIENT, HERE = 1_800_000_000, "a" * 20, "https://ci.example.com/oauth/token"
NUMBERS = st.one_of(st.integers(NOW - 400, NOW + 400), st.floats(), st.integers())
LISTS = st.lists(st.just(HERE), max_size=2)
ANYTHING = st.one_of(st.none(), st.booleans(), st.text(max_size=5), NUMBERS, LISTS)
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.one_of(st.just(CLIENT), ANYTHING),
        "sub": st.one_of(st.just(CLIENT), ANYTHING),
        "aud": st.one_of(st.just(HERE), ANYTHING),
        "iat": st.one_of(st.integers(NOW - 400, NOW + 100), ANYTHING),
        "exp": st.one_of(st.integers(NOW - 100, NOW + 500), ANYTHING),
        "nbf": ANYTHING,
        "jti": st.one_of(st.text(max_size=300), ANYTHING),
    },
)


@given(CLAIMS, st.booleans())
def test_what_passes_is_current_short_and_for_us(claims: dict[str, Any], once: object) -> None:
    if refuse_assertion(claims, CLIENT, HERE, NOW, require_jti=bool(once)):
        return
    assert claims["iss"] == claims["sub"] == CLIENT
    assert claims["aud"] == HERE or HERE in claims["aud"]
    assert NOW < claims["exp"] <= claims["iat"] + MAX_ASSERTION_S
    assert claims["iat"] <= NOW + 60
    assert claims.get("nbf", 0) <= NOW
    assert isinstance(claims.get("jti", "x"), str)
    assert "jti" in claims or not once


@given(st.integers(-300, 60), st.integers(1, 300))
def test_what_is_whole_passes(iat: int, life: int) -> None:
    claims = {"iss": CLIENT, "sub": CLIENT, "aud": HERE, "iat": NOW + iat, "exp": NOW + iat + life}
    passes = refuse_assertion(claims, CLIENT, HERE, NOW, require_jti=False) == ""
    assert passes == (iat + life > 0)
