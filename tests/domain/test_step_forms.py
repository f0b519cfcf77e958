"""Pipeline documents: the forms in which people write steps, and what each is read as."""

from typing import Any

import pytest

from watchword.domain.errors import Invalid
from watchword.domain.stepreading import read_document, read_step
from watchword.domain.steps import Dependency, ManualRetry, RetryRule, Step, StepType


def one(**keys: Any) -> Step:
    """Read a document of one command step."""
    (step,) = read_document([{"command": "make"} | keys]).steps
    return step


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ({"command": "make"}, "make"),
        ({"command": ["a", "b"]}, "a\nb"),
        ({"commands": ["a", 1, True]}, "a\n1\ntrue"),
        ({"script": "make"}, "make"),
        ({"command": {"command": "make"}}, "make"),
        ({"script": {"commands": ["a"], "label": "x"}}, "a"),
        ({"type": "script"}, ""),
        ({"type": "commands", "command": "make"}, "make"),
        ({"plugins": ["docker#v5"]}, ""),
        ({"command": None, "label": "hook"}, ""),
        ({"command": "same", "commands": ["same"]}, "same"),
    ],
)
def test_a_command_may_be_written_in_many_ways(written: dict[str, Any], command: str) -> None:
    step = read_step(written)
    assert (step.type, step.command, step.document) == (StepType.COMMAND, command, written)


@pytest.mark.parametrize(
    ("written", "type_", "label"),
    [
        ("wait", StepType.WAIT, ""),
        ("waiter", StepType.WAIT, ""),
        ({"wait": None}, StepType.WAIT, ""),
        ({"wait": "", "continue_on_failure": True}, StepType.WAIT, ""),
        ({"waiter": {"continue_on_failure": "true"}}, StepType.WAIT, ""),
        ({"type": "waiter", "key": "k"}, StepType.WAIT, ""),
        ("block", StepType.BLOCK, ""),
        ("manual", StepType.BLOCK, ""),
        ({"block": "Release"}, StepType.BLOCK, "Release"),
        ({"block": {"prompt": "Sure?", "label": "Release"}}, StepType.BLOCK, "Release"),
        ({"type": "block", "name": "Release"}, StepType.BLOCK, "Release"),
        ("input", StepType.INPUT, ""),
        ({"input": "Who?", "fields": [{"text": "Name", "key": "who"}]}, StepType.INPUT, "Who?"),
        ({"trigger": "deploy", "async": True}, StepType.TRIGGER, ""),
        ({"type": "trigger", "trigger": "deploy", "label": "Go"}, StepType.TRIGGER, "Go"),
        ({"group": "Tests", "steps": ["wait"]}, StepType.GROUP, "Tests"),
        ({"group": None, "label": "Tests", "steps": ["wait"]}, StepType.GROUP, "Tests"),
        ({"group": "Tests", "label": "hidden", "steps": ["wait"]}, StepType.GROUP, "Tests"),
    ],
)
def test_every_kind_of_step_is_told_by_its_keys(written: object, type_: StepType, label: str) -> None:
    step = read_step(written)
    assert (step.type, step.label, step.document) == (type_, label, written)


def test_scalars_of_variables_become_texts() -> None:
    env = {"A": True, "B": None, "C": 3, "D": 1.5, "E": 2.0, "F": 1e21, "G": "x", "H": -0.00001}
    assert one(env=env).env == {
        "A": "true",
        "B": "",
        "C": "3",
        "D": "1.5",
        "E": "2",
        "F": "1e+21",
        "G": "x",
        "H": "-1e-05",
    }


def test_agents_are_an_object_or_a_list() -> None:
    assert one(agents={"queue": "q", "arm": True}).rules == ("queue=q", "arm=true")
    assert one(agents=["queue=q", "os=linux"]).rules == ("queue=q", "os=linux")
    assert one(agent_query_rules=["os=*"]).rules == ("os=*",)


def test_what_the_document_says_holds_for_steps_that_say_nothing() -> None:
    document = read_document(
        {
            "agents": {"queue": "q"},
            "priority": 5,
            "env": {"CI": 1},
            "image": "alpine",
            "steps": ["wait", {"command": "a"}, {"command": "b", "agents": {}, "priority": 0}],
            ".anchor": {"label": "kept for YAML"},
        }
    )
    _, default, own = document.steps
    assert (default.rules, default.priority) == (("queue=q",), 5)
    assert (own.rules, own.priority) == ((), 0)
    assert (document.env, document.settings) == ({"CI": "1"}, {"image": "alpine"})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a", (Dependency("a"),)),
        (["a", {"step": "b", "allow_failure": True}], (Dependency("a"), Dependency("b", allow_failure=True))),
        ([{"step": "a", "allow_failure": "false"}], (Dependency("a"),)),
        (None, ()),
        ([], ()),
    ],
)
def test_dependencies_are_keys_objects_or_none(written: object, read: tuple[Dependency, ...]) -> None:
    assert one(depends_on=written).depends_on == read


def test_a_step_without_dependencies_says_nothing_about_them() -> None:
    assert one().depends_on is None


@pytest.mark.parametrize(
    ("written", "rules"),
    [
        ({"automatic": True}, (RetryRule(),)),
        ({"automatic": "true"}, (RetryRule(),)),
        ({"automatic": False}, ()),
        ({"automatic": {"exit_status": "*", "limit": 4}}, (RetryRule(None, limit=4),)),
        ({"automatic": [{"exit_status": [1, -1]}]}, (RetryRule((1, -1)),)),
        ({"automatic": [{"exit_status": "-1"}, {"limit": "3"}]}, (RetryRule((-1,)), RetryRule(limit=3))),
        ({"automatic": {"signal": "SIGKILL"}}, (RetryRule(signal=("kill",)),)),
        ({"automatic": {"signal": ["none", "TERM"]}}, (RetryRule(signal=("none", "term")),)),
        ({"automatic": {"signal_reason": "agent_stop"}}, (RetryRule(signal_reason=("agent_stop",)),)),
        ({"automatic": {"signal_reason": "*", "limit": 0}}, (RetryRule(limit=0),)),
    ],
)
def test_automatic_retries_are_a_switch_a_rule_or_rules(
    written: object, rules: tuple[RetryRule, ...]
) -> None:
    assert one(retry=written).retries == rules


def test_manual_retry_is_a_switch_or_an_object() -> None:
    assert one().manual == ManualRetry()
    assert one(retry={"manual": False}).manual == ManualRetry(allowed=False)
    written = {"manual": {"allowed": False, "permit_on_passed": False, "reason": "no"}}
    assert one(retry=written).manual == ManualRetry(allowed=False, permit_on_passed=False, reason="no")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (True, None),
        ("true", None),
        (False, ()),
        (None, ()),
        ([{"exit_status": 1}, {"exit_status": 42}], (1, 42)),
        ([{"exit_status": 1}, {"exit_status": "*"}], None),
        ([{"exit_status": [1, 2]}], (1, 2)),
        ([], ()),
    ],
)
def test_soft_failures_are_a_switch_or_statuses(written: object, read: tuple[int, ...] | None) -> None:
    assert one(soft_fail=written).soft_fail == read


@pytest.mark.parametrize(
    ("written", "read"),
    [(True, "true"), ("later", "later"), ("", ""), (False, ""), ("false", ""), (None, "")],
)
def test_a_skip_is_a_switch_or_a_reason(written: object, read: str) -> None:
    assert one(skip=written).skip == read


def test_plugins_become_the_list_that_agents_want() -> None:
    settings = {"image": "alpine"}
    assert one(plugins=["a#1", {"b#2": settings}]).plugins == ("a#1", {"b#2": settings})
    assert one(plugins={"b#2": settings, "a#1": None}).plugins == ({"b#2": settings}, {"a#1": None})
    assert one(plugins=[{"b#2": settings, "a#1": None}]).plugins == ({"b#2": settings}, {"a#1": None})


def test_numbers_may_be_left_as_texts_by_interpolation() -> None:
    step = one(timeout_in_minutes="5", parallelism="3", priority="-1", concurrency="2", concurrency_group="g")
    assert (step.timeout_minutes, step.parallelism, step.priority, step.concurrency) == (5, 3, -1, 2)
    assert one(timeout=7).timeout_minutes == 7


def test_paths_and_branches_are_a_text_or_a_list() -> None:
    assert one(artifact_paths="a;b").artifact_paths == "a;b"
    assert one(artifact_paths=["a", "b"]).artifact_paths == "a;b"
    assert one(artifacts="c").artifact_paths == "c"
    assert one(branches=["main", "v*"]).branches == "main v*"


def test_what_means_nothing_to_the_server_is_kept_as_received() -> None:
    kept = {
        "cache": ["a"],
        "checkout": {"depth": 5},
        "if_changed": "*.py",
        "image": "alpine",
        "notify": [{"slack": "#ci"}],
        "secrets": {"A": "B"},
        "signature": {"value": "…", "algorithm": "EdDSA", "signed_fields": ["command"]},
    }
    assert one(**kept).document == {"command": "make"} | kept


def test_the_steps_of_a_group_follow_it() -> None:
    document = read_document(
        [{"command": "first"}, {"group": "g", "steps": ["wait", {"command": "inner"}]}, {"command": "last"}]
    )
    assert [(step.type, step.group, step.command) for step in document.steps] == [
        (StepType.COMMAND, None, "first"),
        (StepType.GROUP, None, ""),
        (StepType.WAIT, 1, ""),
        (StepType.COMMAND, 1, "inner"),
        (StepType.COMMAND, None, "last"),
    ]


def test_a_document_may_have_no_steps() -> None:
    assert read_document({"steps": []}).steps == read_document({"steps": None}).steps == ()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (3, ["pipeline", "steps"]),
        ({}, ["`steps`"]),
        ({"step": []}, ["`steps`", "`step`"]),
        ({"steps": {}}, ["`steps`", "list"]),
        ({"steps": [], "env": ["A=1"]}, ["`env`"]),
        ({"steps": [], "agents": {"queue": ""}}, ["`agents.queue`"]),
        (["wit"], ["Step 1", '"wit"', "`wait`"]),
        (["wait", None], ["Step 2", "null"]),
        ([{}], ["Step 1", "none of command"]),
        ([{"commnd": "x"}], ["Step 1", "commnd", "`command`"]),
        ([{"type": "comand"}], ["`type`", "`command`"]),
        ([{"command": "a", "lable": "b"}], ["Step 1", "`lable`", "`label`", "Known keys"]),
        ([{"command": "a", "key": "k", "wait": None}], ['Step 1 ("k")', "`wait`"]),
        ([{"command": "a"}, {"block": "Go", "promt": "x"}], ['Step 2 ("Go")', "`promt`", "`prompt`"]),
        ([{"command": {"a": 1}, "label": "x"}], ["`command`", "object"]),
        ([{"command": "a", "commands": "b"}], ["`command`", "`commands`"]),
        ([{"command": "a\0b", "label": "x"}], ['Step 1 ("x")', "`command`", "NUL"]),
        ([{"command": "\ud800"}], ["`command`", "Unicode"]),
        ([{"command": "a", "env": {"A": [1]}}], ["`env.A`", "list"]),
        ([{"command": "a", "env": {"A=": 1}}], ["`env`", "A="]),
        ([{"command": "a", "key": "two words"}], ["`key`", "two words"]),
        ([{"command": "a", "key": "01890a5d-ac96-774b-bcce-b302099a8057"}], ["`key`", "UUID"]),
        ([{"command": "a", "key": "a", "id": "b"}], ["`id`", "`key`"]),
        ([{"command": "a", "key": "k"}, {"command": "b", "key": "k"}], ["Step 2", "`key`", "step 1"]),
        ([{"command": "a", "label": "x" * 1025}], ["`label`", "1024"]),
        ([{"command": "a", "if": "true", "branches": "main"}], ["`branches`", "`if`"]),
        ([{"command": "a", "depends_on": ""}], ["`depends_on`"]),
        ([{"command": "a", "depends_on": [{"stepp": "b"}]}], ["`depends_on.stepp`", "`step`"]),
        ([{"command": "a", "parallelism": 0}], ["`parallelism`", "1000"]),
        ([{"command": "a", "parallelism": 1.5}], ["`parallelism`", "whole"]),
        ([{"command": "a", "parallelism": 2, "matrix": ["x"]}], ["`parallelism`", "`matrix`"]),
        ([{"command": "a", "timeout_in_minutes": -1}], ["`timeout_in_minutes`"]),
        ([{"command": "a", "retry": {"automatic": {"limit": 11}}}], ["`retry.automatic.limit`", "10"]),
        ([{"command": "a", "retry": {"automtic": True}}], ["`retry.automtic`", "`automatic`"]),
        ([{"command": "a", "retry": {"automatic": [1]}}], ["`retry.automatic`"]),
        ([{"command": "a", "soft_fail": [1]}], ["`soft_fail`"]),
        ([{"command": "a", "skip": "x" * 71}], ["`skip`", "70"]),
        ([{"command": "a", "concurrency": 1}], ["`concurrency`", "`concurrency_group`"]),
        ([{"command": "a", "concurrency_group": "g"}], ["`concurrency_group`", "`concurrency`"]),
        (
            [{"command": "a", "concurrency": 1, "concurrency_group": "g", "concurrency_method": "eagr"}],
            ["`concurrency_method`", "eager"],
        ),
        ([{"command": "a", "plugins": [{"p#1": "x"}]}], ["`plugins.p#1`", "object"]),
        ([{"command": "a", "plugins": "p#1"}], ["`plugins`", "list"]),
        ([{"command": "a", "agents": ["queue=a", "queue=b"]}], ["`agents`", "two queues"]),
        ([{"command": "a", "agents": [""]}], ["`agents`"]),
        ([{"block": "b", "blocked_state": "canceled"}], ["`blocked_state`", "running"]),
        ([{"block": "b", "fields": [{"text": "x"}]}], ["`fields.key`"]),
        ([{"block": "b", "fields": [{"select": "x", "key": "k"}]}], ["`fields.options`"]),
        ([{"block": "b", "fields": [{"text": "x", "key": "k", "options": []}]}], ["`fields.options`"]),
        ([{"trigger": None}], ["`trigger`", "slug"]),
        ([{"trigger": "x", "build": {"brnch": "x"}}], ["`build.brnch`", "`branch`"]),
        ([{"group": "g"}], ['Step 1 ("g")', "`steps`"]),
        ([{"group": "g", "steps": []}], ["`steps`", "at least one"]),
        ([{"group": "g", "steps": ["wait", {"command": "a", "x": 1}]}], ["Step 1.2", "`x`"]),
        ([{"group": "g", "steps": [{"group": "h", "steps": ["wait"]}]}], ["Step 1.1", "`group`"]),
        (["wait"] * 501, ["Step 501", "500"]),
        ([{"command": "a", "parallelism": 1000}] * 3, ["Step 3", "2000"]),
    ],
)
def test_an_ill_formed_step_is_refused_by_number_and_key(document: object, words: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        read_document(document)
    assert caught.value.code == "invalid_pipeline"
    for word in words:
        assert word in caught.value.message
