"""YAML from text to plain values: what it means, where it is wrong, and what is too much."""

import contextlib
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from properties.property_profiles import examples
from watchword.domain.errors import Invalid
from watchword.yamltext import MAX_CHARACTERS, MAX_DEPTH, read_all_yaml, read_yaml

printable = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"
    ),
    max_size=12,
)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | printable
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(printable, inner, max_size=4),
    max_leaves=12,
)


@examples(160)
@given(values)
def test_what_another_writer_writes_is_read_back(value: object) -> None:
    written = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    # Inside [] and {} the library takes the text ?x for a name without a space, so lists stand in lines.
    writer.default_flow_style = False
    writer.dump(value, written)
    assert read_yaml(written.getvalue()) == value


@examples(500)
@given(st.text(max_size=40) | st.text(alphabet="ab:-&*<[]{},#|>'\"!? \n~%@0.e", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        read_all_yaml(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("~", None),
        ("[null, Null, NULL, ~, ]", [None, None, None, None]),
        ("[true, True, FALSE, yes, no, on, off, y]", [True, True, False, "yes", "no", "on", "off", "y"]),
        ("[12, -3, +4, 0o17, 0xff, 1_000, 0b1]", [12, -3, 4, 15, 255, "1_000", "0b1"]),
        ("[1.5, -.5, 1e3, 1., 1.5.2, .]", [1.5, -0.5, 1000.0, 1.0, "1.5.2", "."]),
        ("[.inf, -.Inf]", [math.inf, -math.inf]),
        ("[2001-01-01, 12:30:45, 0x, 1e]", ["2001-01-01", "12:30:45", "0x", "1e"]),
        ("['12', \"true\", '~', !!str 12, ! 12]", ["12", "true", "~", "12", "12"]),
        ("[!!int '12', !!float 1, !!bool true, !!null ~]", [12, 1.0, True, None]),
        ("a: |\n  one\n  two\nb: >-\n  one\n  two", {"a": "one\ntwo\n", "b": "one two"}),
        (
            "1: a\ntrue: b\n1.50: c\n'x y': d\nempty:",
            {"1": "a", "true": "b", "1.50": "c", "x y": "d", "empty": None},
        ),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x 1\nb: *x\nc: &x 2\nd: *x", {"a": 1, "b": 1, "c": 2, "d": 2}),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        ("b: {q: 0, <<: [{p: 1}, {p: 2, r: 3}]}", {"b": {"q": 0, "p": 1, "r": 3}}),
        ("'<<': plain", {"<<": "plain"}),
        ("%YAML 1.1\n---\na: yes", {"a": "yes"}),
        ("!!map {a: !!seq [1]}", {"a": [1]}),
    ],
)
def test_what_yaml_means(text: str, value: object) -> None:
    read = read_yaml(text)
    assert read == value
    assert repr(read) == repr(value)


def test_merged_names_keep_their_place() -> None:
    made = read_yaml("base: &base {A: 1, B: 2}\nenv: {X: 0, <<: *base, B: 3, C: 4}")
    assert list(made["env"].items()) == [("X", 0), ("A", 1), ("B", 3), ("C", 4)]


def test_several_documents_are_read_in_order() -> None:
    assert read_all_yaml("a: 1\n---\n- 2\n---\n") == [{"a": 1}, [2], None]
    assert read_all_yaml("") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", ["line 3, column 1", "a comes twice"]),
        ("a: {b: 1, b: 2}", ["line 1, column 11", "twice"]),
        ("1: a\n'1': b", ["line 2", "twice"]),
        ("a: [1, 2", ["line 1"]),
        ("a: b: c", ["line 1, column 5"]),
        ("a:\n\t- b", ["line 2, column 1"]),
        ("steps:\n  - command: x\n - y", ["line 3"]),
        ("a: &x [*x]", ["line 1, column 8", "hold itself"]),
        ("a: &x {b: *x}", ["hold itself"]),
        ("a: *nowhere", ["nowhere", "not known"]),
        ("[1]: a", ["name", "text"]),
        ("~: a", ["name", "text"]),
        ("<<: 3", ["<<"]),
        ("a: !!python/object:os.system x", ["python/object", "not known"]),
        ("a: !!binary aGk=", ["not known"]),
        ("a: !mine x", ["not known"]),
        ("a: !!set {x}", ["not known"]),
        ("a: !!int x", ["'x'"]),
        ("a: " + "9" * 500, ["digits"]),
        ("- a\n---\n- b", ["One YAML document", "2"]),
        ("---\n" * 102, ["documents"]),
        ("a\0b", ["#x0000"]),
        ("[" * (MAX_DEPTH + 1), ["line 1", "deep"]),
        ("#" * (MAX_CHARACTERS + 1), ["characters"]),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, words: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        read_yaml(text)
    assert caught.value.code == "invalid_yaml"
    for word in words:
        assert word in caught.value.message


def test_a_small_text_cannot_become_a_large_value() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 10)]
    with pytest.raises(Invalid) as caught:
        read_yaml("\n".join(lines))
    assert "50000 values" in caught.value.message
    merged = ["a0: &a0 {x: 1}"] + [
        f"a{level}: &a{level} {{l: [{', '.join([f'*a{level - 1}'] * 9)}], <<: *a{level - 1}}}"
        for level in range(1, 10)
    ]
    with pytest.raises(Invalid, match="values"):
        read_yaml("\n".join(merged))


def test_aliases_cannot_nest_without_end() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{level}: &a{level} [*a{level - 1}]" for level in range(1, 100)]
    with pytest.raises(Invalid, match="deep"):
        read_yaml("\n".join(lines))
