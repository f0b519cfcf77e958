"""Scopes: aliases mean their scope, unknown words are refused, and "narrower" is an order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.scopes import ALL_SCOPES, REST_SCOPES, canonical, is_narrower

ALIASES = {
    "read_accounts": "read_organizations",
    "view_teams": "read_teams",
    "read_secret_details": "read_secrets_details",
    "read_build": "read_builds",
}
sets = st.frozensets(st.sampled_from(sorted(ALL_SCOPES)), max_size=8)


@examples(200)
@given(sets)
def test_canonical_words_stay_as_they_are(scopes: frozenset[str]) -> None:
    assert canonical(scopes) == scopes
    assert canonical(canonical(scopes)) == canonical(scopes)


@examples(100)
@given(sets, st.sampled_from(sorted(ALIASES)))
def test_an_alias_is_its_scope(scopes: frozenset[str], alias: str) -> None:
    assert canonical([*scopes, alias]) == scopes | {ALIASES[alias]}
    assert alias not in ALL_SCOPES


@examples(200)
@given(sets, st.text(max_size=20).filter(lambda word: word not in ALL_SCOPES and word not in ALIASES))
def test_an_unknown_word_is_refused(scopes: frozenset[str], word: str) -> None:
    with pytest.raises(ValueError, match="unknown scope"):
        canonical([*scopes, word])


@examples(300)
@given(sets, sets, sets)
def test_narrower_is_a_lattice(one: frozenset[str], two: frozenset[str], three: frozenset[str]) -> None:
    assert is_narrower(one, one)
    assert is_narrower(frozenset(), one)
    assert is_narrower(one, ALL_SCOPES)
    assert is_narrower(one & two, one)
    assert is_narrower(one, one | two)
    if is_narrower(one, two) and is_narrower(two, one):
        assert one == two
    if is_narrower(one, two) and is_narrower(two, three):
        assert is_narrower(one, three)
    assert is_narrower(one, two & three) is (is_narrower(one, two) and is_narrower(one, three))


def test_no_scope_is_listed_twice() -> None:
    assert len(set(REST_SCOPES)) == len(REST_SCOPES)
    assert all(scope == scope.strip().lower() and " " not in scope for scope in ALL_SCOPES)
