"""Pipeline documents: reading is total, says where it refuses, and reads back what it has read."""

import datetime as dt
import graphlib
import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.errors import Invalid
from watchword.domain.matrix import MAX_PERMUTATIONS, expand, permuted, substitute
from watchword.domain.retrying import automatic_retry, matching_rule, soft_failed
from watchword.domain.stepfields import MAX_DEPTH, MAX_VALUES
from watchword.domain.stepkinds import ALONE, KNOWN, WORDS
from watchword.domain.stepreading import read_document, read_step
from watchword.domain.steps import Document, RetryRule, StepType

words = st.text(alphabet="abcXYZ019 -_.:/é☃", max_size=8)
names = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)
keys = st.sampled_from(sorted({key for known in KNOWN.values() for key in known} | {"steps", "envv", "x"}))
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.sampled_from([*ALONE, "*", "true"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | words, inner, max_size=5),
    max_leaves=15,
)
oddities = st.sampled_from(
    [b"x", {1}, dt.date(2001, 1, 1), object(), {1: 2}, {None: 1}, 10**5000, float("nan")]
)

REFUSAL = re.compile(r"(The pipeline|Step \d+(\.\d+)?)( \(.*\))?: .", re.DOTALL)


def refusal(value: object) -> str:
    """Read a document that must be refused; give the message."""
    with pytest.raises(Invalid) as caught:
        read_document(value)
    assert caught.value.code == "invalid_pipeline"
    assert REFUSAL.match(caught.value.message)
    return caught.value.message


def read_or_refuse(value: object) -> Document | None:
    """Read a document, or see that its refusal says where."""
    try:
        return read_document(value)
    except Invalid:
        refusal(value)
        return None


@examples(400)
@given(anything | st.lists(st.dictionaries(keys, anything, min_size=1, max_size=4), max_size=4))
def test_any_json_is_a_document_or_is_refused(value: object) -> None:
    read_or_refuse(value)
    read_or_refuse([value])
    read_or_refuse({"steps": [{"command": "make"}, {"group": "g", "steps": [value]}]})


@examples(400)
@given(st.sampled_from(sorted(KNOWN, key=str)), keys, anything | oddities)
def test_any_value_of_any_key_is_read_or_refused(type_: StepType, key: str, value: object) -> None:
    word = next(word for word, found in WORDS.items() if found is type_)
    read_or_refuse(
        [{word: "x", "steps": ["wait"], key: value} if type_ is StepType.GROUP else {word: "x", key: value}]
    )
    read_or_refuse({key: value, "steps": []})


@pytest.mark.parametrize(
    "key", ["env", "notify", "plugins", "matrix", "depends_on", "command", "agents", "retry"]
)
@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"x": inner}])
def test_what_is_nested_without_end_is_refused(key: str, wrap: Any) -> None:
    value: object = "x"
    for _ in range(20_000):
        value = wrap(value)
    message = refusal([{"command": "make", "key": "k"} | {key: value}])
    assert message.startswith('Step 1 ("k")')
    assert f"`{key}` is nested more than {MAX_DEPTH} deep" in message
    refusal(value)
    refusal([value])
    assert "Step 1.1" in refusal([{"group": "g", "steps": [{"command": "make", key: value}]}])


def test_what_unfolds_without_end_is_refused() -> None:
    value: object = "x"
    for _ in range(MAX_DEPTH - 2):
        value = [value, value]
    assert str(MAX_VALUES) in refusal([{"command": "make", "notify": value}])
    assert str(MAX_VALUES) in refusal({"steps": [], "notify": value})
    many = [{"command": "make", "notify": ["x"] * (MAX_VALUES // 3)}] * 4
    assert "Step 3" in refusal(many)


def command_steps() -> st.SearchStrategy[dict[str, Any]]:
    """Command steps that are well formed."""
    statuses = st.integers(-1, 255)
    rule = st.fixed_dictionaries(
        {},
        optional={
            "exit_status": st.just("*") | statuses | st.lists(statuses, min_size=1, max_size=3),
            "signal": st.sampled_from(["SIGKILL", "term", "none", "*"]),
            "signal_reason": st.sampled_from(["cancel", "agent_stop", "none", "*"]),
            "limit": st.integers(0, 10),
        },
    )
    flags = st.booleans() | st.sampled_from(["true", "false"])
    return st.fixed_dictionaries(
        {"command": texts | st.lists(texts, max_size=3)},
        optional={
            "label": words,
            "env": st.dictionaries(names, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=3),
            "agents": st.dictionaries(names, names, max_size=3)
            | st.lists(names.map("os={}".format), max_size=2),
            "artifact_paths": words | st.lists(words, max_size=2),
            "timeout_in_minutes": st.integers(1, 600),
            "retry": st.fixed_dictionaries(
                {}, optional={"automatic": flags | rule | st.lists(rule, max_size=3), "manual": flags}
            ),
            "soft_fail": flags | st.lists(st.fixed_dictionaries({"exit_status": statuses}), max_size=3),
            "parallelism": st.integers(1, 9),
            "branches": st.sampled_from(["main", "v* !v1.*"]),
            "skip": st.booleans() | st.just("later"),
            "depends_on": st.none() | st.lists(names, max_size=3),
            "allow_dependency_failure": flags,
            "plugins": st.lists(names.map("{}#v1".format), max_size=2)
            | st.just({"docker#v5": {"image": "alpine"}}),
            "priority": st.integers(-9, 9),
            "cancel_on_build_failing": flags,
            "image": words,
            "cache": st.lists(words, max_size=2),
        },
    )


def whole_steps() -> st.SearchStrategy[Any]:
    """Steps of every kind that are well formed; they have no keys, so that they do not clash."""
    plain = st.one_of(
        command_steps(),
        st.sampled_from(ALONE),
        st.fixed_dictionaries({"wait": st.none() | words}, optional={"continue_on_failure": st.booleans()}),
        st.fixed_dictionaries(
            {"block": words}, optional={"prompt": words, "if": st.just('build.branch == "x"')}
        ),
        st.fixed_dictionaries({"trigger": names}, optional={"async": st.booleans(), "label": words}),
    )
    groups = st.fixed_dictionaries({"group": words, "steps": st.lists(plain, min_size=1, max_size=3)})
    return plain | groups


documents = st.lists(whole_steps(), max_size=5)


@examples(300)
@given(documents, st.booleans())
def test_a_well_formed_document_is_read_with_every_step_in_order(steps: list[Any], as_object: bool) -> None:  # noqa: FBT001
    document = read_document({"steps": steps} if as_object else steps)
    expected = [
        one for step in steps for one in (step, *(step.get("steps", []) if isinstance(step, dict) else []))
    ]
    assert [step.document for step in document.steps] == expected
    for position, step in enumerate(document.steps):
        assert step.group is None or document.steps[step.group].type is StepType.GROUP
        assert step.group is None or step.group < position


@examples(300)
@given(documents)
def test_what_is_kept_reads_the_same_again(steps: list[Any]) -> None:
    document = read_document(steps)
    kept = json.loads(json.dumps([step.document for step in document.steps if step.group is None]))
    assert read_document(kept) == document
    for step in document.steps:
        alone = read_step(json.loads(json.dumps(step.document)))
        assert (alone.type, alone.command, alone.retries) == (step.type, step.command, step.retries)


@examples(200)
@given(st.lists(command_steps(), min_size=1, max_size=4), st.data())
def test_an_unknown_key_is_refused_where_it_stands(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(steps) - 1))
    key = data.draw(names.filter(lambda name: name not in KNOWN[StepType.COMMAND]))
    steps = [dict(step, **{key: 1}) if number == at else step for number, step in enumerate(steps)]
    message = refusal(steps)
    assert message.startswith(f"Step {at + 1}")
    assert f"`{key}` is not a known key" in message


@examples(300)
@given(st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=6))
def test_circles_are_refused_and_nothing_else(needs: list[list[int]]) -> None:
    steps = [
        {"command": "make", "key": f"k{at}", "depends_on": [f"k{other}" for other in others]}
        for at, others in enumerate(needs)
    ]
    known = range(len(needs))
    graph = {at: [other for other in others if other in known] for at, others in enumerate(needs)}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError:
        assert "circle" in refusal(steps)
    else:
        assert len(read_document(steps).steps) == len(needs)


@pytest.mark.parametrize(
    "steps",
    [
        [{"command": "a", "depends_on": "later"}, "wait", {"command": "b", "key": "later"}],
        [{"group": "g", "key": "g", "steps": [{"command": "a", "depends_on": "g"}]}],
        [{"group": "g", "depends_on": "a", "steps": [{"command": "a", "key": "a"}]}],
        [
            {"group": "g", "depends_on": "h", "key": "g", "steps": [{"command": "a"}]},
            {"group": "h", "key": "h", "steps": [{"command": "b", "depends_on": "g"}]},
        ],
        [
            {
                "group": "g",
                "steps": [{"command": "a", "depends_on": "b"}, "wait", {"command": "b", "key": "b"}],
            }
        ],
        [
            {"command": "a", "depends_on": "b"},
            "block",
            "wait",
            {"group": "g", "steps": [{"command": "b", "key": "b"}]},
        ],
    ],
)
def test_circles_through_groups_and_waits_are_refused(steps: list[Any]) -> None:
    assert "circle" in refusal(steps)


@pytest.mark.parametrize(
    "steps",
    [
        [{"command": "a", "depends_on": "gone"}],
        [{"command": "a", "depends_on": "b"}, "wait", {"command": "b", "key": "b", "depends_on": None}],
        [{"command": "a", "depends_on": "b"}, "input", {"command": "b", "key": "b"}],
        [{"command": "a", "key": "a"}, "wait", {"command": "b", "depends_on": "a"}, "wait", "wait"],
        [{"command": "a", "depends_on": "b"}, {"wait": None, "depends_on": []}, {"command": "b", "key": "b"}],
        [
            {"group": "g", "key": "g", "steps": [{"command": "a"}, "wait", {"command": "b"}]},
            {"command": "c", "depends_on": "g"},
        ],
    ],
)
def test_what_can_run_is_not_taken_for_a_circle(steps: list[Any]) -> None:
    read_document(steps)


dimensions = st.dictionaries(
    names, st.lists(words, min_size=1, max_size=3, unique=True), min_size=1, max_size=3
)


@examples(300)
@given(dimensions, st.data())
def test_a_matrix_has_one_job_per_permutation(setup: dict[str, list[str]], data: st.DataObject) -> None:
    chosen = data.draw(
        st.lists(
            st.fixed_dictionaries({name: st.sampled_from([*some, "new"]) for name, some in setup.items()}),
            max_size=4,
        )
    )
    adjustments = [{"with": part, "skip": bool(at % 2), "soft_fail": True} for at, part in enumerate(chosen)]
    token = " ".join(f"{{{{ matrix.{name} }}}}" for name in setup)
    step = read_step(
        {
            "command": token,
            "label": token,
            "env": {"V": token},
            "agents": {"tag": f"x{token}"},
            "plugins": [{"p#1": {"deep": [token]}}],
            "matrix": {"setup": setup, "adjustments": adjustments},
        }
    )
    product = {tuple(values) for values in itertools.product(*setup.values())}
    added = {tuple(part[name] for name in setup) for part in chosen}
    found = [tuple(permutation.values()) for permutation in expand(step)]
    assert len(found) == len(set(found)) == len(product | added)
    assert set(found) == product | added
    for at, permutation in enumerate(expand(step)):
        made = permuted(step, at)
        text = " ".join(permutation[name] for name in setup)
        assert (made.command, made.label, made.env["V"], made.rules) == (text, text, text, (f"tag=x{text}",))
        assert made.plugins == ({"p#1": {"deep": [text]}},)
        named = [place for place, part in enumerate(chosen) if part == permutation]
        assert made.soft_fail == (None if named else ())
        assert made.skip == ("true" if any(place % 2 for place in named) else "")


@examples(200)
@given(st.lists(st.booleans() | st.integers(-9, 9) | words, min_size=1, max_size=5))
def test_a_plain_matrix_has_one_dimension_without_a_name(values: list[Any]) -> None:
    step = read_step({"command": "{{matrix}}", "matrix": values})
    said = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    assert [permutation[""] for permutation in expand(step)] == list(dict.fromkeys(said))
    assert [permuted(step, at).command for at in range(len(step.matrix))] == list(dict.fromkeys(said))


def test_a_step_without_a_matrix_is_one_job() -> None:
    step = read_step({"command": "echo {{matrix}}"})
    assert expand(step) == ({},)
    assert permuted(step, 0) == step
    assert (
        substitute("{{matrix}} {{ matrix.os }} {{matrixx}}", {}) == "{{matrix}} {{ matrix.os }} {{matrixx}}"
    )


@pytest.mark.parametrize(
    ("matrix", "word"),
    [
        ([], "jobs"),
        ("x", "list"),
        ([None], "null"),
        ([["x"]], "list"),
        (["x" * 129], "128"),
        ({"setup": {}}, "dimensions"),
        ({"setup": {f"d{at}": ["x"] for at in range(7)}}, "dimensions"),
        ({"setup": {"a b": ["x"]}}, "a b"),
        ({"setup": {"a": "x"}}, "`matrix.setup.a`"),
        ({"setup": {"a": []}}, "jobs"),
        ({"setup": {name: [str(at) for at in range(100)] for name in "abcdef"}}, str(MAX_PERMUTATIONS)),
        ({"setup": {"a": ["x"]}, "adjustments": [{"with": {"b": "x"}}]}, "`matrix.adjustments.with.b`"),
        ({"setup": {"a": ["x"], "b": ["y"]}, "adjustments": [{"with": {"a": "x"}}]}, "dimension"),
        ({"setup": {"a": ["x"]}, "adjustments": [{"with": "x"}]}, "object"),
        ({"setup": {"a": ["x"]}, "adjustments": [{"with": {"a": "x"}, "skp": True}]}, "`skip`"),
        ({"setup": {"a": ["x"]}, "adjustments": {}}, "list"),
        ({"setup": ["x"], "adjustments": [{"with": "x"}] * 51}, "50"),
        ({"adjustments": []}, "`matrix.setup`"),
    ],
)
def test_an_ill_formed_matrix_is_refused(matrix: object, word: str) -> None:
    assert word in refusal([{"command": "make", "matrix": matrix}])


statuses = st.sampled_from([-1, 0, 1, 2, 255])
signals = st.sampled_from(["", "SIGKILL", "SIGTERM"])
reasons = st.sampled_from(["", "cancel", "agent_stop"])
rules = st.builds(
    RetryRule,
    st.none() | st.lists(statuses, min_size=1, max_size=2).map(tuple),
    st.sampled_from([(), ("kill",), ("none",), ("kill", "term")]),
    st.sampled_from([(), ("cancel",), ("none",)]),
    st.integers(0, 10),
)


@examples(400)
@given(st.lists(rules, max_size=4), statuses, signals, reasons, st.integers(0, 11))
def test_the_first_rule_that_matches_decides(
    some: list[RetryRule], status: int, signal: str, reason: str, before: int
) -> None:
    short = {"": "none", "SIGKILL": "kill", "SIGTERM": "term"}[signal]
    fitting = [
        rule
        for rule in some
        if status != 0
        and (rule.exit_status is None or status in rule.exit_status)
        and (rule.signal == () or short in rule.signal)
        and (rule.signal_reason == () or (reason or "none") in rule.signal_reason)
    ]
    expected = bool(fitting) and before < fitting[0].limit
    assert automatic_retry(some, status, signal, reason, before) is expected
    assert automatic_retry(some, str(status), signal.lower(), reason, before) is expected
    found = matching_rule(some, status, signal, reason)
    assert (None if found is None else some[found]) == (fitting[0] if fitting else None)


@examples(100)
@given(st.integers(0, 10), st.integers(1, 255))
def test_a_job_that_always_fails_is_retried_as_often_as_its_rule_says(limit: int, status: int) -> None:
    step = read_step({"command": "false", "retry": {"automatic": {"exit_status": "*", "limit": limit}}})
    tries = next(n for n in itertools.count() if not automatic_retry(step.retries, status, "", "", n))
    assert tries == limit
    assert not automatic_retry(step.retries, 0, "", "", 0)


@examples(200)
@given(st.none() | st.lists(statuses, max_size=3).map(tuple), statuses)
def test_only_failures_are_soft(soft: tuple[int, ...] | None, status: int) -> None:
    assert soft_failed(soft, status) is (status != 0 and (soft is None or status in soft))
    assert soft_failed(soft, str(status)) is soft_failed(soft, status)


def test_an_end_without_a_status_is_a_failure_of_any_kind() -> None:
    assert soft_failed(None, "")
    assert not soft_failed((1,), "")
    assert automatic_retry((RetryRule(),), "", "", "agent_lost", 0)
    assert not automatic_retry((RetryRule((1,)),), "", "", "", 0)
