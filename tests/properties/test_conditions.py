"""Conditions of steps: their truth against an independent evaluation, and branches against shell patterns."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.conditionkinds import VARIABLES
from watchword.domain.conditionreading import MAX_NESTING
from watchword.domain.conditions import branch_matches, compile_condition
from watchword.domain.conditionwords import MAX_CONDITION
from watchword.domain.errors import Invalid

Facts = dict[str, Any]
# A condition as text, and what it must say of some facts, written in Python.
Case = tuple[str, Any]

BUILD: Facts = {
    "build.branch": "main",
    "build.tag": None,
    "build.message": "Fix [skip tests]",
    "build.number": 7,
    "build.pull_request.draft": None,
    "build.creator.teams": ["deploy", "platform"],
    "build.env": {"STAGE": "prod", "EMPTY": ""},
}

branches = st.sampled_from(["main", "feature/x", "v1.0", ""])
facts = st.fixed_dictionaries(
    {
        "build.branch": branches,
        "build.tag": st.none() | st.sampled_from(["v1.0", "v2", ""]),
        "build.number": st.integers(0, 9),
        "build.pull_request.draft": st.none() | st.booleans(),
        "build.creator.teams": st.lists(st.sampled_from(["deploy", "ops"]), max_size=2),
        "build.env": st.dictionaries(st.sampled_from(["STAGE"]), st.sampled_from(["prod", ""]), max_size=1),
    }
)

_leaves: list[Case] = [
    ("true", lambda _: True),
    ("false", lambda _: False),
    ('build.branch == "main"', lambda f: f["build.branch"] == "main"),
    ("build.branch != 'main'", lambda f: f["build.branch"] != "main"),
    ("build.branch =~ /^feature\\//", lambda f: f["build.branch"].startswith("feature/")),
    ("build.branch !~ /MAIN/i", lambda f: "main" not in f["build.branch"].lower()),
    ("build.tag == null", lambda f: f["build.tag"] is None),
    ("null != build.tag", lambda f: f["build.tag"] is not None),
    ("build.tag =~ /^v/", lambda f: f["build.tag"] is not None and f["build.tag"].startswith("v")),
    ("build.tag !~ /^v/", lambda f: f["build.tag"] is None or not f["build.tag"].startswith("v")),
    ("build.tag == build.branch", lambda f: f["build.tag"] == f["build.branch"]),
    ("build.number == 3", lambda f: f["build.number"] == 3),
    ("build.pull_request.draft", lambda f: f["build.pull_request.draft"] is True),
    ("build.pull_request.draft == false", lambda f: f["build.pull_request.draft"] is False),
    ('build.creator.teams includes "ops"', lambda f: "ops" in f["build.creator.teams"]),
    ('["main", "v1.0"] includes build.branch', lambda f: f["build.branch"] in ("main", "v1.0")),
    ("build.creator.teams includes /^o/", lambda f: "ops" in f["build.creator.teams"]),
    ('build.env("STAGE") == "prod"', lambda f: f["build.env"].get("STAGE") == "prod"),
    ('build.env("STAGE") == null', lambda f: "STAGE" not in f["build.env"]),
    ('env("STAGE") == ""', lambda f: f["build.env"].get("STAGE", "") == ""),
]


def _joined(inner: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    """Cases made of cases."""
    return st.one_of(
        inner.map(lambda one: (f"!({one[0]})", lambda f: not one[1](f))),
        inner.map(lambda one: (f"( {one[0]} ) // said twice\n", one[1])),
        st.tuples(inner, inner).map(
            lambda pair: (f"({pair[0][0]}) && ({pair[1][0]})", lambda f: pair[0][1](f) and pair[1][1](f))
        ),
        st.tuples(inner, inner).map(
            lambda pair: (f"({pair[0][0]})||({pair[1][0]})", lambda f: pair[0][1](f) or pair[1][1](f))
        ),
        st.tuples(inner, inner).map(
            lambda pair: (f"({pair[0][0]}) == ({pair[1][0]})", lambda f: pair[0][1](f) is pair[1][1](f))
        ),
        st.tuples(inner, inner, inner).map(
            lambda three: (
                f"({three[0][0]}) ? ({three[1][0]}) : ({three[2][0]})",
                lambda f: three[1][1](f) if three[0][1](f) else three[2][1](f),
            )
        ),
    )


@examples(500)
@given(
    # A draft that is null equals neither true nor false, so it is compared in cases of its own.
    st.recursive(
        st.sampled_from([leaf for leaf in _leaves if "draft" not in leaf[0]]), _joined, max_leaves=6
    ),
    facts,
)
def test_a_condition_says_what_python_says(case: Case, known: Facts) -> None:
    text, expected = case
    assert compile_condition(text).holds(known) is expected(known)


@examples(200)
@given(st.sampled_from(_leaves), facts)
def test_each_comparison_says_what_python_says(case: Case, known: Facts) -> None:
    text, expected = case
    assert compile_condition(text).holds(known) is expected(known)


@examples(200)
@given(st.lists(st.booleans(), min_size=1, max_size=6), st.data())
def test_and_binds_tighter_than_or(values: list[bool], data: st.DataObject) -> None:
    signs = [data.draw(st.sampled_from(["&&", "||"])) for _ in values[1:]]
    text = str(values[0]).lower() + "".join(
        f" {sign} {str(value).lower()}" for sign, value in zip(signs, values[1:], strict=True)
    )
    python = text.replace("&&", "and").replace("||", "or").replace("true", "True").replace("false", "False")
    assert compile_condition(text).holds({}) is eval(python)


@examples(400)
@given(st.text(max_size=30) | st.text(alphabet="ab.\"'/\\()[]!=~&|?:,ue \n\0$1tr", max_size=30), facts)
def test_any_text_is_a_condition_or_is_refused(text: str, known: Facts) -> None:
    with contextlib.suppress(Invalid):
        assert compile_condition(text).holds(known) in (True, False)


@examples(300)
@given(st.text(max_size=20))
def test_a_text_in_quotes_is_that_text(value: str) -> None:
    double = value.replace("\\", "\\\\").replace('"', '\\"')
    single = value.replace("\\", "\\\\").replace("'", "\\'")
    for quoted in (f'"{double}"', f"'{single}'"):
        assert compile_condition(f"build.message == {quoted}").holds({"build.message": value})


@examples(200)
@given(st.sampled_from(sorted(VARIABLES)))
def test_a_variable_that_is_not_given_is_null(name: str) -> None:
    assert compile_condition(f"{name} == null").holds({})
    assert not compile_condition(f"{name} != null").holds({})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("!build.pull_request.draft", True),
        ("build.pull_request.draft || true", True),
        ("!!true", True),
        ('build.branch == "main" // the usual one', True),
        ("// first\n  // second\n build.branch == 'main' &&\n build.number == 7", True),
        ("build.message =~ /\\[SKIP tests\\]/i", True),
        ('build.env("EMPTY") == ""', True),
        ('build.env("NONE") == null', True),
        ('env("NONE") == ""', True),
        ('"a\\tb\\x41\\q" == "a\tbAq"', True),
        ("'a\\n' == \"a\\\\n\"", True),
        ("null == null", True),
        ("build.tag includes_not_a_word", None),
        ("null =~ /x/", False),
        ("null includes 'x'", False),
        ("build.creator.teams includes build.tag", False),
        ('build.creator.teams == ["deploy", "platform"]', True),
        ("true ? false : true", False),
        ("false ? false : false ? false : true", True),
    ],
)
def test_what_is_easily_got_wrong(text: str, *, holds: bool | None) -> None:
    if holds is None:
        with pytest.raises(Invalid):
            compile_condition(text)
    else:
        assert compile_condition(text).holds(BUILD) is holds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["end"]),
        ("  // nothing", ["end"]),
        ("build.branc == 'main'", ["build.branc", "`build.branch`", "character 1"]),
        ("build.branch", ["true or false", "a text"]),
        ("build.number", ["true or false", "a number"]),
        ("build.branch && true", ["&&", "a text"]),
        ("!build.branch", ["!", "a text"]),
        ("build.branch = 'main'", ["character 14", "=="]),
        ("build.branch == 'main", ["character 17", "not closed"]),
        ("build.branch =~ /main", ["not closed"]),
        ("build.branch =~ 'main'", ["regular expression", "character 17"]),
        ("build.branch =~ /main/x", ["flag", "x"]),
        ("build.branch =~ /(/", ["group without an end"]),
        ("build.branch == /main/", ["=~"]),
        ("build.number =~ /7/", ["a text"]),
        ("build.number == '7'", ["a number is never a text"]),
        ("true == 'true'", ["never"]),
        ("build.branch includes 'x'", ["a list"]),
        ("build.creator.teams includes 7", ["a text"]),
        ("[1] includes 'x'", ["a list holds"]),
        ("build..branch == 'x'", ["dots"]),
        ("build.branch == 'x' build.tag == 'y'", ["does not follow"]),
        ("(true", ["`)`"]),
        ("true)", ["does not follow"]),
        ("true ? false", ["`:`"]),
        ("build.env", ["build.env is not a variable", 'build.env("NAME")']),
        ("build.env(1) == 'x'", ["in quotes"]),
        ("build.env('A', 'B') == 'x'", ["`)`"]),
        ("launch('x') == 'y'", ["launch is not a function"]),
        ("$BRANCH == 'x'", ["build.env"]),
        ("build.branch == main", ["main is not a variable"]),
        ("9" * 19 + " == 1", ["digits"]),
        ("(" * (MAX_NESTING + 2), ["nested"]),
        ("true" + " == true" * (MAX_NESTING + 1), ["follow each other"]),
        ("true" + " " * MAX_CONDITION, ["at most"]),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused_with_its_place(text: str, words: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        compile_condition(text)
    assert caught.value.code == "invalid_condition"
    for word in words:
        assert word in caught.value.message


def test_one_budget_holds_for_all_patterns_of_a_condition() -> None:
    text = " && ".join(["build.message !~ /(a|b)*a(a|b){9}x/"] * 40)
    with pytest.raises(Invalid) as caught:
        compile_condition(text).holds({"build.message": "ab" * 5_000})
    assert caught.value.code == "costly_pattern"


@pytest.mark.parametrize(
    ("patterns", "yes", "no"),
    [
        ("main", "main", "maintenance"),
        ("!production", "main", "production"),
        ("main features/*", "features/x", "feature/x"),
        ("*-test", "rails-update-test", "test"),
        ("stages/* !stages/production", "stages/demo", "stages/production"),
        ("v*.0", "v1.0", "v1.1"),
        ("v* !v1.*", "v2.3", "v1.1"),
        ("v* !v1.*", "v", "w"),
        ("*", "anything", None),
        ("", "anything", None),
        ("a*a", "aa", "a"),
        ("**x", "x", "y"),
    ],
)
def test_branches_are_named_by_patterns(patterns: str, yes: str, no: str | None) -> None:
    assert branch_matches(patterns, yes)
    assert no is None or not branch_matches(patterns, no)


@examples(500)
@given(st.text(alphabet="ab*", min_size=1, max_size=8), st.text(alphabet="ab", max_size=10))
def test_a_star_is_any_run_of_characters(pattern: str, branch: str) -> None:
    standard = re.fullmatch(re.sub(r"\*+", "*", pattern).replace("*", "[ab]*"), branch) is not None
    assert branch_matches(pattern, branch) is standard
    assert branch_matches(f"!{pattern}", branch) is not standard
