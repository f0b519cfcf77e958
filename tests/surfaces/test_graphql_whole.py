"""Every field of every object in scope answers: with a value or null, never by accident."""

from typing import Any

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from databases import MAKES
from graphql_client import Graph
from rest_client import Rest, api_token
from services.scene import Scene
from support import World
from watchword.crypto.values import Secret
from watchword.domain.accounts import Role
from watchword.domain.ids import UserId
from watchword.graphql import ids
from watchword.graphql.finding import NODES
from watchword.graphql.resolvers.members import member_uuid
from watchword.graphql.schema import executable
from watchword.services.context import LOCAL
from watchword.services.notifying import ServiceChange, SettingsChange, create_in
from watchword.services.secrets import create_secret

# What this server has none of, so that no object of it can be asked for; and what needs another test.
ELSEWHERE = {"Artifact"}


@pytest.fixture(params=MAKES)
def make_of_database(request: pytest.FixtureRequest) -> str:
    """Fields read side by side, which the two databases do differently."""
    return str(request.param)


def selection(of: Any, depth: int) -> str:
    """Everything that can be selected of a type without arguments that must be given."""
    if not isinstance(of, GraphQLObjectType | GraphQLInterfaceType):
        return "{ __typename }"
    parts = ["__typename"]
    for name, field in of.fields.items():
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        below = get_named_type(field.type)
        few = "(first: 2)" if "first" in field.args else ""
        if is_leaf_type(below):
            parts.append(name)
        elif depth:
            parts.append(f"{name}{few} {selection(below, depth - 1)}")
    return "{ " + " ".join(parts) + " }"


def things(world: World) -> dict[str, str]:
    """A global id of each type that `node` finds."""
    scene, graph, first = Scene(world), Graph(world), world.first
    owner = ids.encode("Organization", first.organization.id)
    joined = scene.agent()
    job = scene.one_job()
    scene.running(joined)
    user = api_token(world, "graphql", role=Role.MEMBER, email="w@example.com").token.user_id
    secret = world.run(
        world.context.store.write(
            lambda tx: create_secret(world.context, tx, LOCAL, first.cluster, "KEY", Secret("value"))
        )
    )

    asked = ServiceChange(settings=SettingsChange(url="https://hooks.example.com/in"))
    organization_id, admin = first.organization.id, first.admin.id
    service = world.run(
        world.context.store.write(
            lambda tx: create_in(world.context, tx, LOCAL, organization_id, admin, "webhook", asked)
        )
    )

    def made(name: str, shown: str, /, **given: Any) -> Any:
        of = f"{name[0].upper()}{name[1:]}Input"
        query = f"mutation($i: {of}!) {{ {name}(input: $i) {{ {shown} }} }}"
        return graph.ok(query, {"i": given})[name]

    steps = "steps: [{block: go}, wait, {command: make}]"
    pipeline = made(
        "pipelineCreate",
        "pipeline { id }",
        organizationId=owner,
        name="whole",
        repository={"url": "https://example.com/r.git"},
        steps={"yaml": steps},
    )["pipeline"]["id"]
    pieces = "__typename ... on JobTypeBlock { id } ... on JobTypeWait { id }"
    shown = f"build {{ id jobs {{ edges {{ node {{ {pieces} }} }} }} }}"
    build = made("buildCreate", shown, pipelineID=pipeline)["build"]
    jobs = {edge["node"]["__typename"]: edge["node"].get("id") for edge in build["jobs"]["edges"]}
    team = made(
        "teamCreate",
        "teamEdge { node { id } }",
        organizationID=owner,
        name="crew",
        privacy="VISIBLE",
        isDefaultTeam=False,
        defaultMemberRole="MEMBER",
    )["teamEdge"]["node"]["id"]
    place = made(
        "teamMemberCreate",
        "teamMemberEdge { node { id } }",
        teamID=team,
        userID=ids.encode("User", str(user)),
    )["teamMemberEdge"]["node"]["id"]
    invitation = made(
        "organizationInvitationCreate",
        "invitationEdges { node { id } }",
        organizationID=owner,
        emails=["i@example.com"],
        teams=[{"id": team, "role": "MEMBER"}],
    )["invitationEdges"][0]["node"]["id"]
    unclustered = made(
        "agentTokenCreate", "agentTokenEdge { node { id } }", organizationID=owner, description="d"
    )["agentTokenEdge"]["node"]["id"]
    registries = "/v2/packages/organizations/acme/registries"
    asked_for = {"name": "Wheels", "ecosystem": "python"}
    registry = Rest(world)("POST", registries, json=asked_for).json()
    opener = Rest(world)("POST", f"{registries}/wheels/tokens", json={"description": "d"}).json()
    events = '{ organization(slug: "acme") { auditEvents(first: 1) { edges { node { id } } } } }'
    return {
        "Organization": owner,
        "Cluster": ids.encode("Cluster", first.cluster.id),
        "ClusterQueue": ids.encode("ClusterQueue", first.queue.id),
        "ClusterToken": ids.encode("ClusterToken", first.agent_token.token.id),
        "AgentToken": unclustered,
        "APIAccessToken": ids.encode("APIAccessToken", first.api_token.token.id),
        "Agent": ids.encode("Agent", joined.agent.id),
        "User": ids.encode("User", str(user)),
        "OrganizationMember": ids.encode(
            "OrganizationMember", member_uuid(first.organization.id, UserId(str(user)))
        ),
        "OrganizationInvitation": invitation,
        "OrganizationBanner": made(
            "organizationBannerUpsert", "banner { id }", organizationId=owner, message="m"
        )["banner"]["id"],
        "Team": team,
        "TeamMember": place,
        "Registry": registry["graphql_id"],
        "RegistryToken": opener["graphql_id"],
        "Pipeline": pipeline,
        "Build": build["id"],
        "JobTypeCommand": ids.encode("JobTypeCommand", job.id),
        "JobTypeBlock": jobs["JobTypeBlock"],
        "JobTypeWait": jobs["JobTypeWait"],
        "NotificationServiceWebhook": ids.encode("NotificationServiceWebhook", service.id),
        "Secret": ids.encode("Secret", secret.id),
        "AuditEvent": graph.ok(events)["organization"]["auditEvents"]["edges"][0]["node"]["id"],
    }


def test_every_field_of_every_object_answers(world: World) -> None:
    known, graph, schema = things(world), Graph(world), executable()
    values = [world.first.agent_token.value.reveal(), world.first.api_token.value.reveal()]
    assert set(NODES) - set(known) == ELSEWHERE
    for of, one in known.items():
        whole = selection(schema.type_map[of], 2)
        data = graph.ok(f"query($id: ID!) {{ node(id: $id) {{ ... on {of} {whole} }} }}", {"id": one})
        assert data["node"]["__typename"] == of
        assert data["node"]["id"] == one
        assert not [value for value in values if value in str(data)]  # they stand where they were made alone
    viewer = graph.ok(f"{{ viewer {selection(schema.type_map['Viewer'], 2)} }}")["viewer"]
    assert viewer["user"]["email"] == "admin@example.com"
