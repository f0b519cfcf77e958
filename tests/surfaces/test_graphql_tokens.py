"""Tokens, clusters and queues over GraphQL: each change with its audit event, each trap of the contract."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from graphql_client import Graph
from rest_client import api_token
from services.scene import SESSIONS, Scene
from support import MINUTE_US, World
from watchword.domain.accounts import Role
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State
from watchword.graphql import ids
from watchword.graphql.call import Call, Order

CREATE = """
mutation($input: ClusterAgentTokenCreateInput!) {
  clusterAgentTokenCreate(input: $input) {
    clientMutationId tokenValue
    clusterAgentToken {
      id uuid description token allowedIpAddresses expiresAt cluster { id } createdBy { name }
    }
  }
}
"""


class Names:
    """Global ids of the first organization's things."""

    def __init__(self, world: World) -> None:
        first = world.first
        self.organization = ids.encode("Organization", first.organization.id)
        self.cluster = ids.encode("Cluster", first.cluster.id)
        self.queue = ids.encode("ClusterQueue", first.queue.id)
        self.token = ids.encode("ClusterToken", first.agent_token.token.id)


@pytest.fixture
def names(world: World) -> Names:
    return Names(world)


@pytest.fixture
def graph(world: World) -> Graph:
    return Graph(world)


def actions(world: World) -> list[str]:
    """Everything that the trail has, in order."""
    owner = world.first.organization.id
    return [
        event.action.value
        for event in world.run(world.context.store.read(lambda tx: tx.audit.events(owner, 0, 500)))
    ]


def change(graph: Graph, name: str, payload: str, /, **given: Any) -> Any:
    """Carry out a mutation that passes; its payload, and the one event that it wrote."""
    before = actions(graph.world)
    of = name[0].upper() + name[1:] + "Input"
    data = graph.ok(f"mutation($input: {of}!) {{ {name}(input: $input) {{ {payload} }} }}", {"input": given})
    written = actions(graph.world)[len(before) :]
    return data[name], written


def refused(graph: Graph, name: str, /, **given: Any) -> tuple[str, str]:
    """The code and message of a mutation that does not pass; it writes no event."""
    before = actions(graph.world)
    of = name[0].upper() + name[1:] + "Input"
    query = f"mutation($input: {of}!) {{ {name}(input: $input) {{ clientMutationId }} }}"
    answered = graph(query, {"input": given})
    assert answered.data == {name: None}, answered
    assert answered.errors[0]["path"] == [name]
    assert actions(graph.world) == before
    return answered.codes[0], answered.messages[0]


def test_a_new_token_joins_and_its_value_is_seen_here_alone(graph: Graph, names: Names) -> None:
    given = {
        "organizationId": names.organization,
        "clusterId": names.cluster,
        "description": "production",
        "allowedIpAddresses": "",
        "clientMutationId": "c-1",
    }
    made = graph.ok(CREATE, {"input": given})["clusterAgentTokenCreate"]
    assert made["clientMutationId"] == "c-1"
    token = made["clusterAgentToken"]
    assert made["tokenValue"].startswith("bkct_")
    assert token["token"] == ""
    assert token["cluster"]["id"] == names.cluster
    assert token["allowedIpAddresses"] == "0.0.0.0/0"
    assert token["expiresAt"] is None
    assert token["createdBy"]["name"] == "Ada Admin"
    assert actions(graph.world)[-1] == "token.created"
    verified = graph.world.run(
        graph.world.authority.verifier.verify(made["tokenValue"], (Kind.AGENT,), address="203.0.113.9")
    )
    assert verified.id == token["uuid"]
    query = "query($id: ID!) { node(id: $id) { ... on ClusterToken { description token } } }"
    assert graph.ok(query, {"id": token["id"]}) == {"node": {"description": "production", "token": ""}}


def test_an_expiry_is_at_least_ten_minutes_ahead(graph: Graph, names: Names) -> None:
    given = {"organizationId": names.organization, "clusterId": names.cluster, "description": "d"}
    soon = (graph.world.clock.now() + 9 * MINUTE_US) // 1_000_000
    early = datetime.fromtimestamp(soon, UTC).isoformat()
    code, _ = refused(graph, "clusterAgentTokenCreate", **given, expiresAt=early)
    assert code == "expiry_too_soon"
    assert refused(graph, "clusterAgentTokenCreate", **given, expiresAt="next week")[0] == "invalid_time"
    later = graph.ok(CREATE, {"input": {**given, "expiresAt": "2030-01-31T12:00:00+01:00"}})
    assert later["clusterAgentTokenCreate"]["clusterAgentToken"]["expiresAt"] == "2030-01-31T11:00:00Z"


def test_networks_that_are_left_out_stay_and_empty_ones_are_lifted(graph: Graph, names: Names) -> None:
    given = {"organizationId": names.organization, "id": names.token, "description": "first"}
    shown = "clusterAgentToken { description allowedIpAddresses }"
    made, written = change(graph, "clusterAgentTokenUpdate", shown, **given, allowedIpAddresses="10.0.0.0/8")
    assert made["clusterAgentToken"]["allowedIpAddresses"] == "10.0.0.0/8"
    assert written == ["token.updated"]
    made, _ = change(graph, "clusterAgentTokenUpdate", shown, **{**given, "description": "second"})
    assert made["clusterAgentToken"] == {"description": "second", "allowedIpAddresses": "10.0.0.0/8"}
    made, _ = change(graph, "clusterAgentTokenUpdate", shown, **given, allowedIpAddresses=None)
    assert made["clusterAgentToken"]["allowedIpAddresses"] == "0.0.0.0/0"


def test_a_revoked_token_leaves_the_list_and_cannot_be_revoked_again(graph: Graph, names: Names) -> None:
    given = {"organizationId": names.organization, "id": names.token}
    made, written = change(graph, "clusterAgentTokenRevoke", "deletedClusterAgentTokenId", **given)
    assert made == {"deletedClusterAgentTokenId": names.token}
    assert written == ["token.revoked"]
    assert refused(graph, "clusterAgentTokenRevoke", **given) == ("not_found", "No cluster token found")
    assert graph.ok("query($id: ID!) { node(id: $id) { id } }", {"id": names.token}) == {"node": None}


def test_the_newest_token_stands_first(graph: Graph, names: Names) -> None:
    for number in range(3):
        given = {
            "organizationId": names.organization,
            "clusterId": names.cluster,
            "description": f"t{number}",
        }
        graph.ok(CREATE, {"input": given})
    query = """query($c: ID!) { organization(slug: "acme") { cluster(id: $c) { agentTokens(first: 2) {
        count pageInfo { hasNextPage hasPreviousPage } edges { node { description } } } } } }"""
    for spelt in (graph.world.first.cluster.id, names.cluster):
        found = graph.ok(query, {"c": spelt})["organization"]["cluster"]["agentTokens"]
        assert [edge["node"]["description"] for edge in found["edges"]] == ["t2", "t1"]
        assert (found["count"], found["pageInfo"]) == (4, {"hasNextPage": True, "hasPreviousPage": False})


def test_unclustered_tokens_are_made_read_and_revoked(graph: Graph, names: Names) -> None:
    shown = (
        "tokenValue organization { slug } agentTokenEdge { cursor node { id uuid description token public } }"
    )
    made, written = change(
        graph, "agentTokenCreate", shown, organizationID=names.organization, description="everywhere"
    )
    token = made["agentTokenEdge"]["node"]
    assert made["tokenValue"].startswith("bkar_")
    assert (token["token"], token["public"], written) == ("", False, ["token.created"])
    slug = f"acme/{token['uuid']}"
    query = (
        "query($s: ID!) { agentToken(slug: $s) { description revokedAt revokedReason revokedBy { name } } }"
    )
    assert graph.ok(query, {"s": slug})["agentToken"]["revokedAt"] is None
    made, written = change(
        graph, "agentTokenRevoke", "agentToken { revokedReason }", id=token["id"], reason="Revoked by a tool"
    )
    assert (made["agentToken"]["revokedReason"], written) == ("Revoked by a tool", ["token.revoked"])
    again = graph.ok(query, {"s": slug})["agentToken"]
    assert again["revokedAt"]
    assert again["revokedBy"] == {"name": "Ada Admin"}
    code, message = refused(graph, "agentTokenRevoke", id=token["id"], reason="twice")
    assert (code, message) == ("token_ended", "This agent token has already been revoked")


def test_null_clears_and_absence_leaves_a_cluster_as_it_is(graph: Graph, names: Names) -> None:
    given = {"organizationId": names.organization, "id": names.cluster}
    shown = "cluster { name description emoji color defaultQueue { id } }"
    made, written = change(
        graph, "clusterUpdate", shown, **given, description="d", emoji=":e:", color="#ff0000"
    )
    assert written == ["cluster.updated"]
    assert made["cluster"] == {
        "name": "Default",
        "description": "d",
        "emoji": ":e:",
        "color": "#ff0000",
        "defaultQueue": {"id": names.queue},
    }
    made, _ = change(graph, "clusterUpdate", shown, **given, description=None, emoji=None, color=None)
    assert made["cluster"] == {
        "name": "Default",
        "description": None,
        "emoji": None,
        "color": None,
        "defaultQueue": {"id": names.queue},
    }
    query = """mutation($o: ID!, $c: ID!) {
        clusterUpdate(input: {organizationId: $o, id: $c, defaultQueueId: null}) {
          cluster { defaultQueue { id } } } }"""
    data = graph.ok(query, {"o": names.organization, "c": names.cluster})
    assert data["clusterUpdate"]["cluster"]["defaultQueue"] is None
    made, _ = change(graph, "clusterUpdate", shown, **given, defaultQueueId=names.queue)
    assert made["cluster"]["defaultQueue"] == {"id": names.queue}
    change(
        graph,
        "clusterQueueUpdate",
        "clusterQueue { id }",
        organizationId=names.organization,
        id=names.queue,
        description="x",
    )
    assert graph.ok(
        "query($i: ID!) { node(id: $i) { ... on Cluster { defaultQueue { id } } } }", {"i": names.cluster}
    )["node"]["defaultQueue"]


def test_a_cluster_lives_and_dies(graph: Graph, names: Names) -> None:
    made, written = change(
        graph,
        "clusterCreate",
        "cluster { id uuid description }",
        organizationId=names.organization,
        name="New",
    )
    assert written == ["cluster.created"]
    cluster = made["cluster"]
    assert cluster["description"] is None
    query = '{ organization(slug: "acme") { clusters(order: NAME, first: 50) { edges { node { name } } } } }'
    edges = graph.ok(query)["organization"]["clusters"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == ["Default", "New"]
    given = {"organizationId": names.organization, "id": cluster["id"]}
    made, written = change(graph, "clusterDelete", "deletedClusterId clientMutationId", **given)
    assert made == {"deletedClusterId": cluster["id"], "clientMutationId": None}
    assert written == ["cluster.deleted"]
    assert refused(graph, "clusterDelete", **given) == ("not_found", "No cluster found")
    given = {"organizationId": names.organization, "id": names.cluster}
    assert refused(graph, "clusterDelete", **given)[0] == "default_cluster"


def test_a_queue_lives_pauses_and_dies(graph: Graph, names: Names) -> None:
    made, written = change(
        graph,
        "clusterQueueCreate",
        "clusterQueue { id key hosted hostedAgents { instanceShape { name } } retryAgentAffinity }",
        organizationId=names.organization,
        clusterId=names.cluster,
        key="deploy",
        hostedAgents=None,
    )
    queue = made["clusterQueue"]
    assert written == ["queue.created"]
    assert queue["hosted"] is False
    assert queue["hostedAgents"] is None
    shown = "queue { dispatchPaused dispatchPausedNote dispatchPausedBy { email } }"
    made, written = change(graph, "clusterQueuePauseDispatch", shown, id=queue["id"], note="broken")
    assert written == ["queue.paused"]
    assert made["queue"] == {
        "dispatchPaused": True,
        "dispatchPausedNote": "broken",
        "dispatchPausedBy": {"email": "admin@example.com"},
    }
    uuid = ids.uuid_of(queue["id"], "ClusterQueue")
    paused = graph.world.authority.dispatcher.lines.paused
    assert uuid in paused
    assert refused(graph, "clusterQueuePauseDispatch", id=queue["id"])[1] == "Cluster queue is already paused"
    assert change(graph, "clusterQueueResumeDispatch", shown, id=queue["id"])[1] == ["queue.resumed"]
    assert uuid not in paused
    assert refused(graph, "clusterQueueResumeDispatch", id=queue["id"])[1] == "Cluster queue is not paused"
    given = {"organizationId": names.organization, "id": queue["id"]}
    made, written = change(
        graph, "clusterQueueUpdate", "clusterQueue { description }", **given, description="for deployments"
    )
    assert (made["clusterQueue"]["description"], written) == ("for deployments", ["queue.updated"])
    made, written = change(graph, "clusterQueueDelete", "deletedClusterQueueId", **given)
    assert (made, written) == ({"deletedClusterQueueId": queue["id"]}, ["queue.deleted"])
    assert refused(graph, "clusterQueueDelete", **given) == ("not_found", "No queue found")
    hosted = {"instanceShape": "LINUX_AMD64_2X4"}
    given = {
        "organizationId": names.organization,
        "clusterId": names.cluster,
        "key": "h",
        "hostedAgents": hosted,
    }
    assert refused(graph, "clusterQueueCreate", **given)[0] == "unsupported"


def test_pages_follow_each_other_by_cursors_in_both_directions(graph: Graph, names: Names) -> None:
    for key in "dcba":
        given = {"organizationId": names.organization, "clusterId": names.cluster, "key": key}
        change(graph, "clusterQueueCreate", "clusterQueue { id }", **given)
    query = """query($c: ID!, $f: Int, $a: String, $l: Int, $b: String) {
        organization(slug: "acme") { cluster(id: $c) {
          queues(first: $f, after: $a, last: $l, before: $b, order: KEY) {
            count pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
            edges { cursor node { key } } } } } }"""

    def part(**given: Any) -> tuple[str, Any]:
        found = graph.ok(query, {"c": names.cluster, **given})["organization"]["cluster"]["queues"]
        assert found["count"] == 5
        return "".join(edge["node"]["key"][0] for edge in found["edges"]), found["pageInfo"]

    keys, page = part(f=2)
    assert (keys, page["hasNextPage"], page["hasPreviousPage"]) == ("ab", True, False)
    keys, page = part(f=2, a=page["endCursor"])
    assert (keys, page["hasNextPage"], page["hasPreviousPage"]) == ("cd", True, True)
    keys, last = part(f=2, a=page["endCursor"])
    assert (keys, last["hasNextPage"]) == ("d", False)
    assert part(l=2, b=last["startCursor"])[0] == "cd"
    assert part(l=2)[0] == "dd"
    assert part(f=0)[0] == ""
    for wrong in ({"f": -1}, {"a": "!"}, {"a": base64.b64encode(b"other").decode()}):
        answered = graph(query, {"c": names.cluster, **wrong})
        assert answered.codes[0] in ("invalid_page", "invalid_cursor"), answered.errors


def test_ids_are_read_leniently_and_written_strictly(graph: Graph, names: Names) -> None:
    uuid = graph.world.first.cluster.id
    spelt = [
        names.cluster,
        f" {names.cluster}\n",
        names.cluster.rstrip("="),
        base64.b64encode(f"Cluster---{uuid}\n".encode()).decode(),
        base64.b64encode(f"Cluster---{uuid.upper()}".encode()).decode(),
    ]
    for one in spelt:
        assert graph.ok("query($id: ID!) { node(id: $id) { __typename id } }", {"id": one}) == {
            "node": {"__typename": "Cluster", "id": names.cluster}
        }
    wrong = [
        "",
        "x",
        "!!!",
        uuid,
        ids.encode("Cluster", "nothing"),
        ids.encode("Nothing", uuid),
        names.cluster[:-6],
    ]
    wrong += [
        ids.encode("ClusterQueue", uuid),
        base64.b64encode(f"Cluster--{uuid}".encode()).decode(),
        "é" * 30,
    ]
    for one in wrong:
        assert graph.ok("query($id: ID!) { node(id: $id) { id } }", {"id": one}) == {"node": None}, one


def test_a_member_sees_clusters_and_no_tokens(world: World, names: Names) -> None:
    member = Graph(world, api_token(world, "graphql", role=Role.MEMBER, email="m@example.com").value)
    query = '{ organization(slug: "acme") { clusters { edges { node { name agentTokens { count } } } } } }'
    answered = member(query)
    assert answered.codes == ["forbidden"]
    assert answered.data["organization"]["clusters"]["edges"][0]["node"] == {
        "name": "Default",
        "agentTokens": None,
    }
    assert member.ok("query($id: ID!) { node(id: $id) { id } }", {"id": names.token}) == {"node": None}
    for slug in ("acme/" + world.first.agent_token.token.id, "acme/" + world.first.cluster.id):
        assert member("query($s: ID!) { agentToken(slug: $s) { id } }", {"s": slug}).codes == ["forbidden"]
    given = {"organizationId": names.organization, "id": names.token}
    assert refused(member, "clusterAgentTokenRevoke", **given)[0] == "forbidden"
    assert refused(member, "clusterAgentTokenRevoke", **{**given, "id": "x"})[0] == "forbidden"
    token = world.run(
        world.context.store.read(
            lambda tx: tx.tokens.find(world.first.organization.id, world.first.agent_token.token.id)
        )
    )
    assert token is not None
    assert token.state is State.ACTIVE
    permissions = "permissions { agentTokenCreate { allowed message } agentView { allowed } }"
    shown = member.ok(f'{{ organization(slug: "acme") {{ {permissions} }} }}')["organization"]["permissions"]
    assert shown["agentView"] == {"allowed": True}
    assert shown["agentTokenCreate"] == {"allowed": False, "message": "You're not allowed to do that"}


def test_a_unit_of_work_that_forgets_to_ask_for_its_right_is_not_committed(world: World) -> None:
    presented = world.run(
        world.authority.verifier.verify(
            world.first.api_token.value.reveal(), (Kind.API_ACCESS,), address="203.0.113.9"
        )
    )
    order = Order(Call(world.authority, presented, "203.0.113.9", "r"), "cluster.create", {})

    async def forgetful(tx: Any, _access: Any) -> None:
        await tx.accounts.set_default_cluster(world.first.organization.id, world.first.cluster.id)

    with pytest.raises(RuntimeError, match="without asking"):
        world.run(order.write(world.first.organization.id, forgetful, defer=True))


def test_viewer_is_the_person_behind_the_token(graph: Graph) -> None:
    query = """{ viewer { id user { id uuid name email bot hasPassword avatar { url } }
        organizations { count edges { node { slug } } } emails { edges { node { address primary } } }
        permissions { totpConfigure { allowed } } totp { id } } }"""
    viewer = graph.ok(query)["viewer"]
    admin: UserId = graph.world.first.admin.id
    assert viewer["user"]["id"] == ids.encode("User", admin)
    assert viewer["organizations"] == {"count": 1, "edges": [{"node": {"slug": "acme"}}]}
    assert viewer["emails"]["edges"] == [{"node": {"address": "admin@example.com", "primary": True}}]


def test_a_token_is_rotated_followed_extended_and_the_rotation_ends(graph: Graph, names: Names) -> None:
    shown = "rotation { state moved total deadline holders { uuid } predecessorUuid successorUuid cause }"
    given = {"id": names.token}
    start = f"""mutation($i: TokenRotationStartInput!) {{ clusterAgentTokenRotationStart(input: $i) {{
        tokenValue successorId {shown} }} }}"""
    before = len(actions(graph.world))
    made = graph.ok(start, {"i": given})["clusterAgentTokenRotationStart"]
    assert made["tokenValue"].startswith("bkct_")
    assert (made["rotation"]["state"], made["rotation"]["total"]) == ("OPEN", 0)
    assert actions(graph.world)[before:] == ["rotation.started"]
    query = f"query($i: ID!) {{ node(id: $i) {{ ... on ClusterToken {{ {shown} }} }} }}"
    for one in (names.token, made["successorId"]):
        assert graph.ok(query, {"i": one})["node"]["rotation"] == made["rotation"]

    def changed(name: str, **more: Any) -> Any:
        text = f"""mutation($i: TokenRotation{name}Input!) {{
            clusterAgentTokenRotation{name}(input: $i) {{ {shown} }} }}"""
        return graph(text, {"i": {**given, **more}})

    later = changed("Extend", deadline="2027-01-20T00:00:00Z")
    extended = later.data["clusterAgentTokenRotationExtend"]["rotation"]
    assert extended["deadline"] == "2027-01-20T00:00:00.000Z"
    finished = changed("Finish").data["clusterAgentTokenRotationFinish"]["rotation"]
    assert (finished["state"], finished["cause"] is not None) == ("COMMITTED", True)
    assert changed("Abort").data == {"clusterAgentTokenRotationAbort": None}
    other = "mutation($i: TokenRotationStartInput!) { agentTokenRotationStart(input: $i) { tokenValue } }"
    assert graph(other, {"i": given}).messages == ["No agent token found"]


RADIUS = "connectedAgentsCount busyAgentsCount runningJobsCount runningJobUuids callersCount lastUsedFrom"
RECEIPT = (
    "mode committedAt effectiveAt agentsCount agentsCutCount jobsLostCount remainingAgentsCount nodesCount"
)


def test_what_an_end_would_touch_is_told_before_and_a_dry_run_changes_nothing(
    graph: Graph, names: Names
) -> None:
    scene = Scene(graph.world)
    joined = scene.agent()
    job = scene.running(joined).job
    scene.present(joined.value.reveal(), SESSIONS)
    query = f"""query($i: ID!, $n: String) {{ node(id: $i) {{ ... on ClusterToken {{
        blastRadius(allowedIpAddresses: $n) {{ {RADIUS} callers {{ address count }} }}
        revocation {{ mode }} }} }} }}"""
    found = graph.ok(query, {"i": names.token})["node"]
    assert found["revocation"] is None
    radius = found["blastRadius"]
    assert (radius["connectedAgentsCount"], radius["busyAgentsCount"]) == (1, 1)
    assert radius["runningJobUuids"] == [job.id]
    inside = graph.ok(query, {"i": names.token, "n": "192.0.2.0/24"})["node"]["blastRadius"]
    assert inside["connectedAgentsCount"] == 0
    given = {"organizationId": names.organization, "id": names.token, "dryRun": True, "mode": "CUT"}
    shown = f"blastRadius {{ {RADIUS} }} revocation {{ mode }}"
    made, written = change(graph, "clusterAgentTokenRevoke", shown, **given)
    assert made["blastRadius"]["runningJobsCount"] == 1
    assert (made["revocation"], written) == (None, [])
    assert graph.ok("query($i: ID!) { node(id: $i) { id } }", {"i": names.token})["node"]


def test_a_revocation_has_a_mode_and_a_receipt_and_may_become_stronger(graph: Graph, names: Names) -> None:
    scene = Scene(graph.world)
    joined = scene.agent()
    given = {"organizationId": names.organization, "id": names.token}
    shown = f"deletedClusterAgentTokenId revocation {{ {RECEIPT} reason revokedBy {{ name }} }}"
    drain = {"mode": "DRAIN", "deadlineInMinutes": 30, "reason": "laptop lost"}
    made, written = change(graph, "clusterAgentTokenRevoke", shown, **given, **drain)
    receipt = made["revocation"]
    assert (receipt["mode"], receipt["remainingAgentsCount"], receipt["reason"]) == (
        "DRAIN",
        1,
        "laptop lost",
    )
    assert receipt["revokedBy"] == {"name": "Ada Admin"}
    assert receipt["effectiveAt"] >= receipt["committedAt"]
    assert "token.revoked" in written
    assert refused(graph, "clusterAgentTokenRevoke", **given)[0] == "not_found"
    made, _ = change(graph, "clusterAgentTokenRevoke", shown, **given, mode="CUT")
    assert (made["revocation"]["mode"], made["revocation"]["agentsCutCount"]) == ("CUT", 1)
    assert scene.reason(joined.value.reveal()) == "session_ended"
    wrong = {**given, "mode": "CUT", "deadlineInMinutes": 5}
    assert refused(graph, "clusterAgentTokenRevoke", **wrong)[0] == "invalid_deadline"


def test_narrower_networks_ask_for_the_same_choice(graph: Graph, names: Names) -> None:
    scene = Scene(graph.world)
    joined = scene.agent()
    given = {"organizationId": names.organization, "id": names.token, "description": "d"}
    shown = f"revocation {{ {RECEIPT} change allowedIpAddresses }}"
    made, _ = change(
        graph, "clusterAgentTokenUpdate", shown, **given, allowedIpAddresses="10.0.0.0/8", mode="CUT"
    )
    receipt = made["revocation"]
    assert (receipt["change"], receipt["allowedIpAddresses"]) == ("narrow", "10.0.0.0/8")
    assert receipt["agentsCutCount"] == 1
    assert scene.reason(joined.value.reveal()) == "session_ended"
    made, _ = change(graph, "clusterAgentTokenUpdate", shown, **given)
    assert made["revocation"] is None


def test_known_clients_make_an_unclustered_token_without_a_description(graph: Graph, names: Names) -> None:
    shown = "agentTokenEdge { node { id description } }"
    made, _ = change(graph, "agentTokenCreate", shown, organizationID=names.organization, description=None)
    assert made["agentTokenEdge"]["node"]["description"] is None
    blank = {"organizationID": names.organization, "description": " "}
    assert refused(graph, "agentTokenCreate", **blank)[0] == "description_missing"
    query = """query($r: Boolean) { organization(slug: "acme") { agentTokens(first: 50, revoked: $r) {
        count edges { node { id } } } } }"""
    one = made["agentTokenEdge"]["node"]["id"]
    change(graph, "agentTokenRevoke", "agentToken { id }", id=one, reason="over")
    asked = (None, True, False)
    counts = [graph.ok(query, {"r": one})["organization"]["agentTokens"]["count"] for one in asked]
    assert counts == [1, 1, 0]
