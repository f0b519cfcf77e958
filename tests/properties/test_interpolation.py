"""Variables in pipeline documents: what stays, what is replaced, and in which order."""

import contextlib
import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.errors import Invalid
from watchword.domain.interpolation import MAX_NESTING, interpolate, interpolate_document

KNOWN = {"A": "alpha", "E": "", "SHA": "1adf998e39f6", "LATER": "only $A once"}

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True)
values = st.text(max_size=12)
pieces = st.sampled_from(
    ["$", "{", "}", "${A", "${N", "${E", ":-", "-", "?", ":", "$$", "\\$", "\\", "(", "0", "1", " ", "_", "x"]
)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("$A ${A} my$A", "alpha alpha myalpha"),
        ("$a$B${C}", ""),
        ("$LATER", "only $A once"),
        ("$A-$E-$A_E.$A", "alpha--.alpha"),
        ("${N:-text} ${N-text} ${E:-text} ${E-text} ${A:-text}", "text text text  alpha"),
        ("${N:-${M:-$A}} ${N:-say ${A} or $E}!", "alpha say alpha or !"),
        ("${N:--:{}}", "-:{}"),
        ("${SHA:0:7} ${SHA:7} ${SHA: -3} ${SHA:2:-2}", "1adf998 e39f6 9f6 df998e39"),
        ("${SHA:99}${SHA: -99:2}${SHA:1:-99}${SHA:0:0}${N:0:7}", "1a"),
        ("$$A \\$A $${A} \\${A:-$A}", "$A $A ${A} ${A:-alpha}"),
        ("\\\\$A", "\\\\alpha"),
        ("grep 'xi$$' | cut -d$ -f1 $", "grep 'xi$' | cut -d$ -f1 $"),
        ("$(pwd) $1 $_ $? $", "$(pwd) $1 $_ $? $"),
        ("a\\b}c", "a\\b}c"),
        ("${A?needed} ${E?needed} ${A:?needed}", "alpha  alpha"),
        ("${A:-${N?not asked for}} ${A?${N:?nor this}}", "alpha alpha"),
    ],
)
def test_variables_are_replaced(text: str, result: str) -> None:
    assert interpolate(text, KNOWN) == result


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("${N?}", "variable_not_set", "$N: not set"),
        ("${N?set it to $A}", "variable_not_set", "$N: set it to alpha"),
        ("${E:?empty}", "variable_not_set", "$E: empty"),
        ("${N:-${M?inner}}", "variable_not_set", "$M: inner"),
        ("x ${", "invalid_interpolation", "character 5"),
        ("${A", "invalid_interpolation", "one of"),
        ("${A:-x", "invalid_interpolation", "not closed"),
        ("${_A}", "invalid_interpolation", "begins with a letter"),
        ("${A+x}", "invalid_interpolation", "one of"),
        ("${A:x}", "invalid_interpolation", "whole number"),
        ("${A:1:}", "invalid_interpolation", "whole number"),
        ("${N:-" * (MAX_NESTING + 1), "invalid_interpolation", "nested"),
    ],
)
def test_what_cannot_be_replaced_is_refused(text: str, code: str, word: str) -> None:
    with pytest.raises(Invalid) as caught:
        interpolate(text, KNOWN)
    assert caught.value.code == code
    assert word in caught.value.message


@examples(600)
@given(st.lists(pieces, max_size=12).map("".join))
def test_any_text_is_replaced_or_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        interpolate(text, KNOWN)


@examples(300)
@given(st.text(max_size=30))
def test_a_text_without_variables_stays_and_escaped_dollars_come_back(text: str) -> None:
    plain = text.replace("$", "")
    assert interpolate(plain, KNOWN) == plain
    # A backslash before a dollar would escape it as well; two would not.
    escaped = text.replace("\\", "").replace("$", "$$")
    assert interpolate(escaped, KNOWN) == text.replace("\\", "")


@examples(300)
@given(names, values, values)
def test_a_default_stands_in_for_what_is_not_set(name: str, value: str, default: str) -> None:
    plain = re.sub(r"[$\\}]", "", default)
    assert interpolate(f"${{{name}:-{plain}}}", {name: value}) == (value or plain)
    assert interpolate(f"${{{name}-{plain}}}", {name: value}) == value
    assert interpolate(f"${{{name}-{plain}}}", {}) == plain
    assert interpolate(f"<${name}>", {name: value}) == f"<{value}>"


@examples(300)
@given(values, st.integers(-15, 15), st.integers(-15, 15))
def test_a_part_is_cut_as_a_shell_cuts_it(value: str, start: int, length: int) -> None:
    place = max(start + len(value), 0) if start < 0 else min(start, len(value))
    end = place + length if length >= 0 else max(len(value) + length, place)
    assert interpolate(f"${{V: {start}}}", {"V": value}) == value[place:]
    assert interpolate(f"${{V: {start}:{length}}}", {"V": value}) == value[place:end]


def test_a_document_uses_its_own_variables_in_order() -> None:
    document: dict[str, Any] = {
        "env": {"FIRST": "$A", "SECOND": "$FIRST-$LAST", "LAST": 3, "LIST": ["$A"]},
        "steps": [
            {"command": "echo $SECOND", "env": {"$FIRST": "$LAST"}, "signature": {"value": "$A"}},
            {"${A}_key": ["$A", 1, None, True]},
            "$A",
        ],
    }
    before = copy.deepcopy(document)
    assert interpolate_document(document, KNOWN) == {
        "env": {"FIRST": "alpha", "SECOND": "alpha-", "LAST": "3", "LIST": ["$A"]},
        "steps": [
            {"command": "echo alpha-", "env": {"alpha": "3"}, "signature": {"value": "$A"}},
            {"alpha_key": ["alpha", 1, None, True]},
            "alpha",
        ],
    }
    assert document == before


@pytest.mark.parametrize(("prefer", "result"), [(False, "own"), (True, "given")])
def test_whose_variable_wins_can_be_chosen(result: str, *, prefer: bool) -> None:
    document = {"env": {"A": "own"}, "steps": ["$A"]}
    made = interpolate_document(document, {"A": "given"}, prefer_given=prefer)
    assert made == {"env": {"A": "own"}, "steps": [result]}


def test_a_refusal_says_where_the_text_stands() -> None:
    with pytest.raises(Invalid) as caught:
        interpolate_document({"steps": ["wait", {"command": ["a", "${N?no}"]}]}, {})
    assert "steps[2].command[2]" in caught.value.message


def test_a_document_that_is_a_list_is_taken_too() -> None:
    assert interpolate_document([{"command": "$A"}], KNOWN) == [{"command": "alpha"}]
