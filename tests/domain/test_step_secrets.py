"""`secrets` of pipeline documents: the forms in which they are written, and what agents are told."""

from typing import Any

import pytest

from watchword.domain.errors import Invalid
from watchword.domain.stepreading import read_document
from watchword.domain.steps import StepSecret
from watchword.domain.stepsecrets import as_documents


def of_step(written: object, **document: Any) -> tuple[StepSecret, ...]:
    (step,) = read_document({"steps": [{"command": "make", "secrets": written}], **document}).steps
    return step.secrets


@pytest.mark.parametrize(
    "written",
    [
        [{"key": "DB", "environment_variable": "URL"}, "API_KEY"],
        {"URL": "DB", "API_KEY": "API_KEY"},
        [{"key": "DB", "environment_variable": "URL"}, {"key": "API_KEY"}],
    ],
)
def test_keys_and_the_variables_that_they_fill_are_read(written: object) -> None:
    assert of_step(written) == (StepSecret("DB", "URL"), StepSecret("API_KEY", "API_KEY"))
    assert as_documents(of_step(written)) == [
        {"key": "DB", "environment_variable": "URL"},
        {"key": "API_KEY", "environment_variable": "API_KEY"},
    ]


def test_the_documents_secrets_are_every_command_steps_and_the_steps_own_win() -> None:
    assert of_step(["A"], secrets={"A": "COMMON", "B": "B"}) == (StepSecret("B", "B"), StepSecret("A", "A"))
    assert of_step(None, secrets=["B"]) == (StepSecret("B", "B"),)
    document = read_document({"steps": ["wait", {"command": "x"}], "secrets": ["B"]})
    assert [len(step.secrets) for step in document.steps] == [0, 1]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("A", "a list of keys"),
        (["A B"], "a key that no secret has"),
        ([7], "a key that no secret has"),
        ({"A": None}, "a key that no secret has"),
        ({"A=B": "KEY"}, "names no variable"),
        ([{"name": "A"}], "not a known key"),
        ({"BUILDKITE_AGENT_ACCESS_TOKEN": "A"}, "the agent alone sets"),
        (["A", {"key": "B", "environment_variable": "A"}], "twice"),
        ([f"K{number}" for number in range(101)], "at most 100"),
    ],
)
def test_secrets_that_could_fill_nothing_are_refused_with_the_step(written: object, words: str) -> None:
    with pytest.raises(Invalid, match="Step 1: `secrets") as refused:
        of_step(written)
    assert words in refused.value.message
