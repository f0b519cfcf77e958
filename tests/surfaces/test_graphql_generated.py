"""GraphQL under generated documents (schemathesis): never a 5xx, always in form, nothing unforeseen."""

import os
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import schemathesis
from graphql import IntValueNode, StringValueNode, print_schema
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from support import LiveServer
from watchword.graphql.schema import executable

TEXTS = st.text(max_size=20).map(lambda value: StringValueNode(value=value))
NUMBERS = st.integers(0, 2**53 - 1).map(lambda value: IntValueNode(value=str(value)))
for name in ("DateTime", "JSON", "YAML", "TeamSelector", "PipelineSelector", "UserSelector"):
    schemathesis.graphql.scalar(name, TEXTS)
schemathesis.graphql.scalar("JSInt", NUMBERS)

SCHEMA = schemathesis.graphql.from_file(StringIO(print_schema(executable())))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path_factory.mktemp("generated"))
    made.create_build("true")
    yield made
    made.close()


@SCHEMA.parametrize()
@settings(
    # Documents are dear to generate; a run by hand takes more of them.
    max_examples=int(os.environ.get("WATCHWORD_GENERATED_DOCUMENTS", "2")),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_generated_documents_are_answered_in_form(case: Any, server: LiveServer) -> None:
    headers = {"Authorization": f"Bearer {server.first.api_token.value.reveal()}"}
    answer = case.call(base_url=server.url + "/graphql", headers=headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) <= {"data", "errors"}
    for error in body.get("errors", ()):
        assert error["message"]
        assert error["extensions"]["code"] != "internal_error", (case.body, error)
