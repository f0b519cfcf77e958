"""The page on pipeline documents: its example reads, and it names every key, variable and bound."""

import re
from pathlib import Path

from watchword.domain import (
    conditionwords,
    matrix,
    patternreading,
    stepcommon,
    stepfields,
    stepreading,
    steprules,
)
from watchword.domain.conditionkinds import VARIABLES
from watchword.domain.stepkinds import KNOWN
from watchword.yamltext import MAX_CHARACTERS, read_yaml

PAGE = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text()


def test_the_example_reads() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    document = stepreading.read_document(read_yaml(example))
    assert [step.key or step.label or step.command for step in document.steps] == [
        "test",
        "",
        "Release?",
        "Release",
        "make {{matrix.os}}",
        "make publish",
    ]


def test_every_key_and_every_variable_is_named() -> None:
    named = set(re.findall(r"`([a-z_.]+)`", PAGE))
    assert not {key for keys in KNOWN.values() for key in keys} - named
    assert set(VARIABLES) <= named
    assert {name for name in named if name.startswith(("build.", "pipeline.", "organization."))} == set(
        VARIABLES
    )


def test_every_bound_is_as_said() -> None:
    bounds = {
        "steps, jobs of one document": (stepreading.MAX_STEPS, stepreading.MAX_JOBS),
        "jobs of `parallelism`": (stepcommon.MAX_PARALLELISM,),
        "dimensions, values of one, adjustments, permutations of a matrix": (
            matrix.MAX_DIMENSIONS,
            matrix.MAX_ELEMENTS,
            matrix.MAX_ADJUSTMENTS,
            matrix.MAX_PERMUTATIONS,
        ),
        "characters of a key, a label, a reason to skip": (
            steprules.MAX_KEY,
            stepcommon.MAX_LABEL,
            steprules.MAX_SKIP,
        ),
        "values in a document, depth": (stepfields.MAX_VALUES, stepfields.MAX_DEPTH),
        "characters of YAML, of a condition, of a regular expression": (
            MAX_CHARACTERS,
            conditionwords.MAX_CONDITION,
            patternreading.MAX_PATTERN,
        ),
    }
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([\d, ]+) \|$", PAGE, re.MULTILINE))
    assert set(rows) == set(bounds)
    for row, numbers in bounds.items():
        said = tuple(int(number.replace(",", "")) for number in rows[row].split(", "))
        assert said == numbers, row
