"""Regular expressions in bounded time: they find what the standard engine finds, and never run away."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.errors import Invalid
from watchword.domain.patternreading import MAX_NESTING, MAX_PATTERN
from watchword.domain.patterns import BUDGET, Budget, compile_pattern

_atoms = st.sampled_from(
    [
        *"abC.1 _é^$",
        *(r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\.", r"\/", r"\x41", r"\b"),
        *("[ab]", "[^a]", "[a-c0]", r"[\d_]", r"[^\w]", "[-a]", "[]a]", r"[\]]"),
    ]
)
_counts = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}", "{2,}", "{1,2}?"])
patterns = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda ways: f"({'|'.join(ways)})"),
        st.tuples(inner, _counts).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=8,
)
texts = st.text(alphabet="abcABC1 ._/-é\n", max_size=9)


def found(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    return compile_pattern(pattern, ignore_case=ignore_case).found_in(text, Budget())


@examples(600)
@given(pattern=patterns, text=texts, ignore_case=st.booleans())
def test_it_finds_what_the_standard_engine_finds(pattern: str, text: str, *, ignore_case: bool) -> None:
    # `$` is the very end of the text, which the standard engine calls \Z.
    standard = re.compile(pattern.replace("$", r"\Z"), re.ASCII | (re.IGNORECASE if ignore_case else 0))
    # In ASCII mode the standard engine leaves other letters' cases alone.
    if ignore_case and "é" in pattern + text:
        return
    assert found(pattern, text, ignore_case=ignore_case) is bool(standard.search(text))


@examples(600)
@given(st.text(alphabet=r"ab()[]{}|*+?\^$.-,123:!<>=Pdwz#'", max_size=20), texts)
def test_any_text_is_a_pattern_or_is_refused(pattern: str, text: str) -> None:
    with contextlib.suppress(Invalid):
        found(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("(a+)+$", "a" * 9_000 + "b", False),
        ("^(a|a)*$", "a" * 9_000 + "b", False),
        ("(a|b)*a(a|b){13}$", "ab" * 5_000, True),
        ("(.*)(.*)(.*)(.*)(.*)[^y]$", "y" * 9_000, False),
        ("(x+x+)+y", "x" * 9_000, False),
    ],
)
def test_what_runs_away_elsewhere_ends_within_its_budget(pattern: str, text: str, *, matches: bool) -> None:
    budget = Budget()
    assert compile_pattern(pattern).found_in(text, budget) is matches
    assert 0 <= budget.left < BUDGET


def test_a_budget_that_is_used_up_ends_the_match() -> None:
    with pytest.raises(Invalid) as caught:
        compile_pattern("b").found_in("a" * 100, Budget(left=99))
    assert caught.value.code == "costly_pattern"
    assert not compile_pattern("b").found_in("a" * 100, Budget(left=104))


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("(?i)MAIN", "main", True),
        ("(?i:M)ain", "main", True),
        ("(?i:M)AIN", "main", False),
        ("a(?# a comment )b", "ab", True),
        ("^[[:digit:]]+$", "123", True),
        ("^[[:^digit:]]+$", "123", False),
        (r"\Amain\z", "main", True),
        (r"^\x{1F600}$", "\N{GRINNING FACE}", True),
        (r"\Bain", "main", True),
        ("{a}", "{a}", True),
        ("fee\\$", "fee$", True),
        ("a.b", "a\nb", False),
        ("^b", "a\nb", False),
        ("", "", True),
    ],
)
def test_the_forms_of_patterns(pattern: str, text: str, *, matches: bool) -> None:
    assert found(pattern, text) is matches


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("(?=a)", "looking ahead"),
        ("(?!a)", "looking ahead"),
        ("(?<=a)b", "looking behind"),
        ("(?<!a)b", "looking behind"),
        ("(?>a)", "atomic"),
        ("(?<n>a)", "named"),
        ("(?P<n>a)", "named"),
        ("(?'n'a)", "named"),
        ("(a)(?(1)b|c)", "conditions"),
        ("(?x)a", "unknown kind of group"),
        (r"(a)\1", "reference"),
        ("a++", "possessive"),
        ("a{1,3}+", "possessive"),
        ("*a", "nothing to repeat"),
        ("a{3,2}", "count"),
        ("a{1001}", "count"),
        ("(a", "without an end"),
        ("a)", "closing parenthesis"),
        ("[a", "without an end"),
        ("[b-a]", "range"),
        (r"\p{L}", "not known"),
        ("[[:llama:]]", "llama"),
        (r"\x{110000}", "no character"),
        ("a\\", "backslash"),
        ("(((a{1000}){1000}){1000}){1000}", "too large"),
        ("(" * (MAX_NESTING + 2), "nested"),
        ("a" * (MAX_PATTERN + 1), "at most"),
    ],
)
def test_what_cannot_be_bounded_is_refused_by_name(pattern: str, word: str) -> None:
    with pytest.raises(Invalid) as caught:
        compile_pattern(pattern)
    assert word in caught.value.message
    assert caught.value.code == "invalid_pattern"
