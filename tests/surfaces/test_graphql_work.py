"""Agents, pipelines, builds, jobs and the audit trail over GraphQL, on a live server with an agent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import Client, FakeAgent, LiveServer
from watchword.graphql import ids


class Caller:
    """A caller of a live server."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.client = Client(server.url, server.first.api_token.value.reveal(), "Bearer")

    def __call__(self, query: str, **variables: Any) -> Any:
        answer = self.client.call("POST", "/v1", {"query": query, "variables": variables})
        assert answer.status == 200, answer
        return answer.body

    def ok(self, query: str, **variables: Any) -> Any:
        body = self(query, **variables)
        assert "errors" not in body, body
        return body["data"]


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    server = LiveServer(tmp_path)
    yield Caller(server)
    server.close()


AGENT = """query($slug: ID!) { agent(slug: $slug) {
  id uuid name connectionState isRunningJob hostname metaData operatingSystem { name } clusterQueue { key }
  organization { slug } paused pausedNote pausedTimeoutInMinutes priority version
  permissions { agentStop { allowed } } job { ... on JobTypeCommand { uuid } } jobs { count } } }"""


def test_an_agent_is_seen_paused_resumed_and_stopped(caller: Caller) -> None:
    agent = FakeAgent(caller.server.url, caller.server.first.agent_token.value.reveal()).connect()
    uuid = agent.registered.body["id"]
    shown = caller.ok(AGENT, slug=f"acme/{uuid}")["agent"]
    assert shown["id"] == ids.encode("Agent", uuid)
    assert (shown["connectionState"], shown["paused"], shown["job"]) == ("connected", False, None)
    assert shown["clusterQueue"] == {"key": "default"}
    pause = """mutation($i: AgentPauseInput!) { agentPause(input: $i) { clientMutationId
        agent { paused pausedNote pausedTimeoutInMinutes pausedBy { name } } } }"""
    given = {"id": shown["id"], "note": "reboot", "timeoutInMinutes": 10, "clientMutationId": "p"}
    paused = caller.ok(pause, i=given)["agentPause"]
    assert paused == {
        "clientMutationId": "p",
        "agent": {
            "paused": True,
            "pausedNote": "reboot",
            "pausedTimeoutInMinutes": 10,
            "pausedBy": {"name": "Ada Admin"},
        },
    }
    again = caller(pause, i=given)
    assert again["errors"][0]["message"] == "Agent is already paused"
    resume = "mutation($i: AgentResumeInput!) { agentResume(input: $i) { agent { paused } } }"
    assert caller.ok(resume, i={"id": shown["id"]})["agentResume"] == {"agent": {"paused": False}}
    stop = "mutation($i: AgentStopInput!) { agentStop(input: $i) { agent { connectionState stopForcedAt } } }"
    stopped = caller.ok(stop, i={"id": shown["id"], "graceful": True})["agentStop"]["agent"]
    assert stopped == {"connectionState": "stopping", "stopForcedAt": None}
    forced = caller.ok(stop, i={"id": shown["id"]})["agentStop"]["agent"]
    assert forced["stopForcedAt"]
    listing = """query($q: [ID!]) { organization(slug: "acme") { agents(first: 5, clusterQueue: $q) {
        count edges { node { uuid } } pageInfo { hasNextPage } } } }"""
    queue = ids.encode("ClusterQueue", caller.server.first.queue.id)
    found = caller.ok(listing, q=[queue])["organization"]["agents"]
    assert (found["count"], found["edges"]) == (1, [{"node": {"uuid": uuid}}])
    assert caller.ok(listing, q=[ids.encode("ClusterQueue", uuid)])["organization"]["agents"]["count"] == 0


PIPELINE = (
    "pipeline { id uuid slug name description repository { url } steps { yaml } tags { label } archived url }"
)


def test_a_pipeline_is_made_changed_archived_and_deleted(caller: Caller) -> None:
    owner = ids.encode("Organization", caller.server.first.organization.id)
    shown = f"{PIPELINE} cluster {{ name }}"
    create = f"mutation($i: PipelineCreateInput!) {{ pipelineCreate(input: $i) {{ {shown} }} }}"
    given = {
        "organizationId": owner,
        "name": "Web shop",
        "description": "sells",
        "repository": {"url": "https://example.com/shop.git"},
        "steps": {"yaml": "steps:\n  - command: make\n"},
        "tags": [{"label": "shop"}],
    }
    made = caller.ok(create, i=given)["pipelineCreate"]
    pipeline = made["pipeline"]
    assert (pipeline["slug"], made["cluster"]) == ("web-shop", {"name": "Default"})
    assert pipeline["steps"]["yaml"] == given["steps"]["yaml"]  # type: ignore[index]
    assert pipeline["tags"] == [{"label": "shop"}]
    refused = caller(create, i={**given, "name": "Other", "branchConfiguration": "main"})
    assert refused["errors"][0]["message"] == "branchConfiguration is not supported by this server"
    update = f"mutation($i: PipelineUpdateInput!) {{ pipelineUpdate(input: $i) {{ {PIPELINE} }} }}"
    changed = caller.ok(update, i={"id": pipeline["id"], "description": None})["pipelineUpdate"]["pipeline"]
    assert (changed["description"], changed["name"]) == (None, "Web shop")
    for name, archived in (("Archive", True), ("Unarchive", False)):
        call = f"pipeline{name}(input: $i) {{ pipeline {{ archived }} }}"
        done = caller.ok(f"mutation($i: Pipeline{name}Input!) {{ {call} }}", i={"id": pipeline["id"]})
        assert done[f"pipeline{name}"] == {"pipeline": {"archived": archived}}
    by_slug = f"query($s: ID!) {{ {PIPELINE.replace('pipeline', 'pipeline(slug: $s)', 1)} }}"
    assert caller.ok(by_slug, s="acme/web-shop")["pipeline"]["uuid"] == pipeline["uuid"]
    delete = "mutation($i: PipelineDeleteInput!) { pipelineDelete(input: $i) { deletedPipelineID } }"
    assert (
        caller.ok(delete, i={"id": pipeline["id"]})["pipelineDelete"]["deletedPipelineID"] == pipeline["id"]
    )
    assert caller.ok(by_slug, s="acme/web-shop")["pipeline"] is None
    assert caller(delete, i={"id": pipeline["id"]})["errors"][0]["message"] == "No pipeline found"


JOBS = """query($id: ID!) { node(id: $id) { ... on Build { number state branch url env source { name }
  createdBy { ... on User { email } } pipeline { slug } metaData { edges { node { key value } } }
  annotations { count } jobs { count edges { node { __typename
    ... on JobTypeCommand { id uuid command state exitStatus passed url step { key } build { number }
      agent { name } artifacts { count } clusterQueue { key } cluster { name } env retried }
    ... on JobTypeBlock { id state isUnblockable } ... on JobTypeWait { id state } } } } } } }"""


def test_a_build_runs_and_its_jobs_are_seen_cancelled_and_retried(caller: Caller) -> None:
    server = caller.server
    server.create_build("true")
    pipeline = caller.ok('{ pipeline(slug: "acme/app") { id nextBuildNumber builds { count } } }')["pipeline"]
    assert (pipeline["nextBuildNumber"], pipeline["builds"]["count"]) == (2, 1)
    steps = "mutation($i: PipelineUpdateInput!) { pipelineUpdate(input: $i) { pipeline { id } } }"
    caller.ok(steps, i={"id": pipeline["id"], "steps": {"yaml": "steps: [{command: make}]"}})
    create = "mutation($i: BuildCreateInput!) { buildCreate(input: $i) { build { id number message } } }"
    given = {
        "pipelineID": pipeline["id"],
        "message": "again",
        "branch": "next",
        "env": ["A=b=c"],
        "metaData": [{"key": "k", "value": "v"}],
    }
    build = caller.ok(create, i=given)["buildCreate"]["build"]
    assert (build["number"], build["message"]) == (2, "again")
    shown = caller.ok(JOBS, id=build["id"])["node"]
    assert (shown["branch"], shown["env"], shown["source"]) == ("next", ["A=b=c"], {"name": "API"})
    assert shown["metaData"]["edges"] == [{"node": {"key": "k", "value": "v"}}]
    assert shown["createdBy"] == {"email": "admin@example.com"}
    (edge,) = shown["jobs"]["edges"]
    job = edge["node"]
    assert (job["__typename"], job["state"], job["env"]) == ("JobTypeCommand", "SCHEDULED", None)
    cancel = """mutation($i: JobTypeCommandCancelInput!) { jobTypeCommandCancel(input: $i) {
        jobTypeCommand { state } clientMutationId } }"""
    as_rest_writes_it = ids.encode("Job", job["uuid"])
    done = caller.ok(cancel, i={"id": as_rest_writes_it})["jobTypeCommandCancel"]
    assert done["jobTypeCommand"] == {"state": "CANCELED"}
    again = caller(cancel, i={"id": job["id"]})
    assert again["errors"][0]["extensions"]["code"] == "job_ended"
    retry = """mutation($i: JobTypeCommandRetryInput!) { jobTypeCommandRetry(input: $i) {
        jobTypeCommand { uuid retried }
        retriedInJobTypeCommand { state retrySource { ... on JobTypeCommand { uuid } } } } }"""
    tried = caller.ok(retry, i={"id": job["id"]})["jobTypeCommandRetry"]
    assert tried["jobTypeCommand"] == {"uuid": job["uuid"], "retried": True}
    assert tried["retriedInJobTypeCommand"]["retrySource"] == {"uuid": job["uuid"]}
    listing = """query($s: [JobStates!]) { organization(slug: "acme") { jobs(first: 10, state: $s) {
        count edges { node { ... on JobTypeCommand { state } } } } } }"""
    assert caller.ok(listing, s=["SCHEDULED"])["organization"]["jobs"]["count"] == 2
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    agent.run()
    assert caller.ok(listing, s=["FINISHED"])["organization"]["jobs"]["count"] == 1
    stop = "mutation($i: BuildCancelInput!) { buildCancel(input: $i) { build { state } } }"
    assert caller.ok(stop, i={"id": build["id"]})["buildCancel"]["build"]["state"] in (
        "CANCELED",
        "CANCELING",
    )
    shown = "rebuild { number rebuiltFrom { id } }"
    rebuild = f"mutation($i: BuildRebuildInput!) {{ buildRebuild(input: $i) {{ {shown} }} }}"
    made = caller.ok(rebuild, i={"id": build["id"]})["buildRebuild"]["rebuild"]
    assert made == {"number": 3, "rebuiltFrom": {"id": build["id"]}}
    slug = caller.ok(
        'query { build(slug: "acme/app/3") { number } missing: build(slug: "acme/app/9") { number } }'
    )
    assert slug == {"build": {"number": 3}, "missing": None}


def test_a_block_is_unblocked_under_either_name(caller: Caller) -> None:
    owner = ids.encode("Organization", caller.server.first.organization.id)
    create = "mutation($i: PipelineCreateInput!) { pipelineCreate(input: $i) { pipeline { id } } }"
    fields = "    fields:\n      - text: Why\n        key: why\n"
    steps = f"steps:\n  - block: Go?\n{fields}  - wait\n  - command: make\n"
    given = {
        "organizationId": owner,
        "name": "gated",
        "repository": {"url": "https://example.com/r.git"},
        "steps": {"yaml": steps},
    }
    pipeline = caller.ok(create, i=given)["pipelineCreate"]["pipeline"]["id"]
    begin = "mutation($i: BuildCreateInput!) { buildCreate(input: $i) { build { id } } }"
    build = caller.ok(begin, i={"pipelineID": pipeline})["buildCreate"]["build"]["id"]
    rows = [edge["node"] for edge in caller.ok(JOBS, id=build)["node"]["jobs"]["edges"]]
    assert [row["__typename"] for row in rows] == ["JobTypeBlock", "JobTypeWait", "JobTypeCommand"]
    assert (rows[0]["state"], rows[0]["isUnblockable"]) == ("BLOCKED", True)
    unblock = """mutation($i: JobTypeBlockUnblockInput!) { jobTypeBlockUnblock(input: $i) {
        jobTypeBlock { state isUnblockable unblockedBy { name } build { url } } } }"""
    wrong = caller(unblock, i={"id": rows[2]["id"]})
    assert wrong["errors"][0]["message"] == "This job type cannot be unblocked"
    uuid = ids.uuid_of(rows[0]["id"], "JobTypeBlock")
    done = caller.ok(unblock, i={"id": ids.encode("Job", uuid), "fields": {"why": "because"}})
    block = done["jobTypeBlockUnblock"]["jobTypeBlock"]
    assert (block["state"], block["isUnblockable"]) == ("UNBLOCKED", False)
    assert block["unblockedBy"] == {"name": "Ada Admin"}
    assert caller.ok("query($u: ID!) { job(uuid: $u) { __typename } }", u=uuid) == {
        "job": {"__typename": "JobTypeBlock"}
    }


EVENTS = """query($f: Int, $a: String, $l: Int, $b: String, $t: [AuditEventType!]) {
  organization(slug: "acme") {
  auditEvents(first: $f, after: $a, last: $l, before: $b, type: $t, order: RECENTLY_OCCURRED) {
    count pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id uuid type occurredAt data
      actor { type name node { ... on User { email } } } subject { type name uuid node { __typename } }
      context { __typename ... on AuditAPIContext { requestApiAccessTokenUuid requestIpAddress } }
    } } } } }"""


def test_the_trail_is_read_newest_first_with_words_that_clients_know(caller: Caller) -> None:
    first = caller.server.first
    create = """mutation($i: ClusterAgentTokenCreateInput!) { clusterAgentTokenCreate(input: $i) {
        clusterAgentToken { uuid } } }"""
    given = {
        "organizationId": ids.encode("Organization", first.organization.id),
        "clusterId": ids.encode("Cluster", first.cluster.id),
        "description": "laptop",
    }
    made = caller.ok(create, i=given)["clusterAgentTokenCreate"]["clusterAgentToken"]["uuid"]
    trail = caller.ok(EVENTS, f=2)["organization"]["auditEvents"]
    node = trail["edges"][0]["node"]
    assert node["type"] == "CLUSTER_TOKEN_CREATED"
    assert node["actor"] == {"type": "USER", "name": "Ada Admin", "node": {"email": "admin@example.com"}}
    assert node["subject"] == {
        "type": "CLUSTER_TOKEN",
        "name": "laptop",
        "uuid": made,
        "node": {"__typename": "ClusterToken"},
    }
    assert node["context"]["__typename"] == "AuditAPIContext"
    assert node["context"]["requestApiAccessTokenUuid"] == first.api_token.token.id
    assert trail["pageInfo"]["hasNextPage"]
    older = caller.ok(EVENTS, f=500, a=trail["pageInfo"]["endCursor"])["organization"]["auditEvents"]
    assert len(older["edges"]) == trail["count"] - 2
    assert not older["pageInfo"]["hasNextPage"]
    newer = caller.ok(EVENTS, l=2, b=older["pageInfo"]["startCursor"])["organization"]["auditEvents"]
    assert [edge["node"]["id"] for edge in newer["edges"]] == [edge["node"]["id"] for edge in trail["edges"]]
    tokens = caller.ok(EVENTS, f=10, t=["CLUSTER_TOKEN_CREATED"])["organization"]["auditEvents"]
    assert tokens["count"] == 2
    again = caller.ok("query($u: ID!) { auditEvent(uuid: $u) { type } }", u=node["uuid"])
    assert again == {"auditEvent": {"type": "CLUSTER_TOKEN_CREATED"}}
    assert caller.ok("query($i: ID!) { node(id: $i) { ... on AuditEvent { type } } }", i=node["id"])["node"]
