"""REST under generated requests (schemathesis): no 5xx, and only answers that the description knows."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support import Client, FakeAgent, LiveServer
from watchword.rest.app import openapi
from watchword.services.context import LOCAL
from watchword.services.teammembers import add_team_member
from watchword.services.teams import TeamRequest, create_team
from watchword.store.base import Transaction

SCHEMA = schemathesis.openapi.from_dict(openapi(None))
# The presented token itself would be revoked, and every later call refused.
TESTED = SCHEMA.exclude(path="/v2/access-token", method="DELETE")


def ids_of_more(server: LiveServer, names: dict[str, str]) -> dict[str, str]:
    """A secret and an annotation, by name."""
    client = Client(server.url, server.first.api_token.value.reveal(), "Bearer")
    home = "/v2/organizations/acme"
    secret = client.call("POST", f"{home}/clusters/{names['cluster']}/secrets", {"key": "A", "value": "b"})
    build = f"{home}/pipelines/app/builds/{names['number']}"
    note = client.call("POST", f"{build}/annotations", {"body": "x"})
    return {"secret": secret.body["id"], "annotation": note.body["id"]}


def make_team(server: LiveServer) -> str:
    """A team that the administrator is in."""
    context, organization = server.authority.context, server.first.organization.id

    async def work(tx: Transaction) -> str:
        team = await create_team(context, tx, LOCAL, organization, TeamRequest("Generated"), None)
        await add_team_member(context, tx, LOCAL, team, server.first.admin.id, None, None)
        return team.id

    return server.run(context.store.write(work))


@pytest.fixture(scope="module")
def world_of_things(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, dict[str, str]]]:
    server = LiveServer(tmp_path_factory.mktemp("generated"), limit_rest_user=0, limit_rest_organization=0)
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    build, (job,) = server.create_build("true")
    agent.run()
    names = {
        "org": "acme",
        "cluster": server.first.cluster.id,
        "token": server.first.agent_token.token.id,
        "queue": server.first.queue.id,
        "agent": agent.registered.body["id"],
        "pipeline": "app",
        "number": str(build.number),
        "job": job.id,
        "team": make_team(server),
        "user": server.first.admin.id,
    }
    names |= ids_of_more(server, names)
    yield server, names
    server.close()


@TESTED.parametrize()
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)
def test_generated_requests_get_described_answers(
    case: Any, world_of_things: tuple[LiveServer, dict[str, str]]
) -> None:
    server, names = world_of_things
    # Mostly on things that exist, so that more than the 404 is tried.
    for name in case.path_parameters or {}:
        if name in names:
            case.path_parameters[name] = names[name]
    if case.path.endswith("/api-settings"):
        case.query = {**(case.query or {}), "dry_run": "true"}  # else later calls may be shut out
    headers = {"Authorization": f"Bearer {server.first.api_token.value.reveal()}"}
    case.call_and_validate(
        base_url=server.url,
        headers=headers,
        checks=(
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ),
    )
