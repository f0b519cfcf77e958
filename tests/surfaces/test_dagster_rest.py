"""What agents and runs send beside GraphQL (§7): answers, locations, snapshots, logs, artifacts, events."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from graphql import GraphQLObjectType

from dagster_scene import DagsterScene
from support import SECOND_US, Answer, World
from watchword.dagster import app
from watchword.dagster.binding import BOUND, Audience
from watchword.dagster.paths import variants
from watchword.dagster.schema import executable
from watchword.domain.codelocations import CodeLocation
from watchword.domain.dagsterruns import DagsterRun
from watchword.domain.dagsteruploads import UploadKind
from watchword.domain.workitems import ItemState, WorkItem
from watchword.services import codelocations, dagsterruns, deployments
from watchword.services.context import LOCAL
from watchword.services.dagsterdoor import KINDS
from watchword.services.issuing import Issued

HERE = {"Dagster-Cloud-Deployment": "prod"}
MANIFEST = {
    "__class__": "DagsterCloudCodeLocationManifest",
    "repositories": [{"name": "__repository__", "code_pointer": {"__class__": "FileCodePointer"}}],
    "container_image": None,
    "executable_path": "/bin/python",
}
SUCCESS = {"__class__": "DagsterCloudApiSuccess"}


def form(name: str, content: bytes) -> tuple[bytes, dict[str, str]]:
    """A form with one file, as the client sends it."""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--b--\r\n", {"content-type": "multipart/form-data; boundary=b"}


class Agent:
    """An agent with a token, for prod."""

    def __init__(self, scene: DagsterScene) -> None:
        self.scene = scene
        self.token: Issued = scene.agent_token()
        self.prod = scene.find("prod")

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        value = {"Dagster-Cloud-Api-Token": self.token.value.reveal()}
        return self.scene.call(method, f"/dagster{path}", body, {**value, **HERE, **(headers or {})})

    def put(self, path: str, content: Any) -> Answer:
        return self.call("PUT", path, json.dumps(content).encode())

    def send(self, method: str, path: str, name: str, content: Any, **headers: str) -> Answer:
        body, kind = form(name, zlib.compress(json.dumps(content).encode()))
        return self.call(method, path, body, {**kind, **headers})

    def answer(self, item: WorkItem, response: Any = SUCCESS) -> Answer:
        said = {"request_id": item.id, "request_api": item.api, "response": response}
        return self.send("PUT", "/upload_api_response", "api_response.tmp", said)

    def item(self, item: WorkItem) -> WorkItem:
        desk = self.scene.world.authority.work_desk
        return self.scene.world.run(desk.find(item.organization_id, item.id))

    def check(self, kind: str, content: bytes, **changed: Any) -> Answer:
        asked = {"type": kind, "sha1": hashlib.sha1(content).hexdigest(), "size": len(content)}
        formats = [("formats", "json.gz"), ("formats", "json")]
        return self.call("GET", f"/check_snapshot?{urlencode([*{**asked, **changed}.items(), *formats])}")

    def store(self, kind: str, content: bytes) -> dict[str, Any]:
        """Store a snapshot; what names it."""
        upload = self.check(kind, content).body["upload_data"]
        assert self.bytes("PUT", upload["presigned_put_url"], zlib.compress(content)).status == 200
        confirmed = self.put("/confirm_upload", upload)
        found: dict[str, Any] = confirmed.body["stored_snapshot"]
        return found

    def bytes(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A call without a token."""
        path = url.removeprefix(self.scene.context.installation.url)
        return self.scene.call(method, path, body, headers)

    def location(self, name: str) -> CodeLocation:
        return self.scene.write(lambda tx: codelocations.find_in(tx, self.prod, name))

    def load(self, name: str = "loc") -> None:
        self.scene.location(self.prod, name)
        result = {"location_name": name, "manifest": MANIFEST, "error_snapshot": None}
        assert self.put("/code_location_update_result", result).body["updated"] is True

    def launch(self) -> DagsterRun:
        return self.scene.write(
            lambda tx: dagsterruns.launch_in(
                self.scene.context, tx, self.prod, "loc", "__repository__", "hello", tags={"a": "b"}
            )
        )

    def run(self, run: DagsterRun) -> DagsterRun:
        return self.scene.write(lambda tx: dagsterruns.find_in(tx, self.prod, run.id))


@pytest.fixture
def agent(world: World) -> Agent:
    scene = DagsterScene(world)
    scene.agent_token()
    return Agent(scene)


PATHS = [
    ("PUT", "/upload_api_response"),
    ("PUT", "/code_location_update_result"),
    ("PUT", "/upload_workspace_entry"),
    ("PUT", "/upload_job_snapshot"),
    ("POST", "/store_events"),
    ("GET", "/check_snapshot"),
    ("PUT", "/confirm_upload"),
    ("GET", "/gen_logs_url"),
    ("POST", "/gen_artifact_post"),
    ("POST", "/gen_artifact_get"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_each_path_is_for_agents_of_the_deployment_alone(agent: Agent, method: str, path: str) -> None:
    scene = agent.scene
    scene.deployment("staging")
    values: dict[int, list[str | None]] = {
        401: [None, "agent:acme:" + "0" * 32],
        403: [scene.user_token().value.reveal(), scene.limited("staging").value.reveal()],
    }
    for status, given in values.items():
        for value in given:
            headers = {**HERE, **({"Dagster-Cloud-Api-Token": value} if value else {})}
            answer = scene.call(method, f"/dagster{path}", b"nonsense", headers)
            assert answer.status == status
            assert set(answer.body) == {"error", "message"}
    agent_alone = {"Dagster-Cloud-Api-Token": agent.token.value.reveal()}
    assert scene.call(method, f"/dagster{path}", b"", agent_alone).status == 400
    for address in (f"/dagster/prod{path}", f"/dagster/acme/prod{path}"):
        assert scene.call(method, address, b"", agent_alone).status in (200, 400, 411, 422)
    assert scene.call(method, f"/dagster/staging{path}", b"", {**agent_alone, **HERE}).status == 400


def test_an_answer_is_kept_once_for_work_that_was_handed_out(agent: Agent) -> None:
    waiting = agent.scene.queue(agent.prod)
    assert agent.answer(waiting).status == 200
    assert agent.item(waiting).state is ItemState.WAITING
    agent.scene.pop(agent.token, "prod")
    assert agent.answer(waiting).status == 200
    assert agent.item(waiting).succeeded
    agent.answer(waiting, {"__class__": "DagsterCloudApiErrorResponse"})
    assert agent.item(waiting).succeeded


def test_answers_come_several_at_once_too(agent: Agent) -> None:
    items = [agent.scene.queue(agent.prod) for _ in range(3)]
    agent.scene.pop(agent.token, "prod")
    batch = [{"request_id": one.id, "request_api": one.api, "response": SUCCESS} for one in items]
    sent = agent.send("PUT", "/upload_api_response", "api_response_batch.tmp", {"batch": batch})
    assert sent.status == 200
    assert all(agent.item(one).succeeded for one in items)


def test_what_is_packed_to_burst_is_refused_before_it_does(agent: Agent) -> None:
    body, kind = form("api_response.tmp", zlib.compress(b"[" * (80 * 1024 * 1024)))
    assert len(body) < 100_000
    assert agent.call("PUT", "/upload_api_response", body, kind).status == 413
    for content in (
        b"not zlib",
        zlib.compress(b"no json"),
        zlib.compress(b"[]"),
        zlib.compress(b"[" * 10**6),
    ):
        body, kind = form("api_response.tmp", content)
        assert agent.call("PUT", "/upload_api_response", body, kind).status in (400, 422)


def test_a_location_is_loaded_and_then_no_longer_outdated(agent: Agent) -> None:
    agent.scene.location(agent.prod, "loc")
    assert agent.location("loc").outdated
    agent.load()
    found = agent.location("loc")
    assert (found.outdated, found.state, found.error) == (False, "loaded", "")
    assert agent.put("/code_location_update_result", {"location_name": "x", "manifest": {}}).status == 404


def test_why_a_location_could_not_be_loaded_is_read_from_the_snapshot(agent: Agent) -> None:
    agent.scene.location(agent.prod, "loc")
    error = json.dumps(
        {"__class__": "SerializableErrorInfo", "message": "no module x\n", "stack": ["line 1"]}
    )
    stored = agent.store("error", error.encode())
    result = {"location_name": "loc", "manifest": None, "error_snapshot": stored}
    assert agent.put("/code_location_update_result", result).status == 200
    found = agent.location("loc")
    assert (found.state, found.error) == ("failed", "no module x\nline 1")


def test_agents_without_an_object_store_tell_it_in_one_piece(agent: Agent) -> None:
    agent.scene.location(agent.prod, "loc")
    data = {"upload_repository_datas": [{"repository_name": "r", "code_pointer": {}}]}
    told = {"location_name": "loc", "upload_location_data": data, "serialized_error_info": None}
    assert agent.send("PUT", "/upload_workspace_entry", "workspace_entry.tmp", told).body["updated"] is True
    assert agent.location("loc").state == "loaded"
    failed = {"location_name": "loc", "serialized_error_info": {"message": "broken"}}
    agent.send("PUT", "/upload_workspace_entry", "workspace_entry.tmp", failed)
    assert agent.location("loc").error == "broken"
    assert agent.send("PUT", "/upload_job_snapshot", "job.tmp", {}).status == 200


def test_a_snapshot_is_stored_once_and_found_again(agent: Agent) -> None:
    stored = agent.store("repository", b"{}" * 500)
    assert stored["decompressed_size"] == 1000
    again = agent.check("repository", b"{}" * 500).body
    assert (again["stored_snapshot"], again["upload_data"]) == (stored, None)
    assert agent.check("job", b"{}" * 500).body["stored_snapshot"] is None
    for wrong in ({"type": "log"}, {"sha1": "x"}, {"size": "-1"}, {"size": 10**12}):
        assert agent.check("job", b"{}", **wrong).status == 422


def test_an_address_takes_bytes_once_and_only_those_that_were_announced(agent: Agent) -> None:
    content = b"{}" * 500
    url = agent.check("repository", content).body["upload_data"]["presigned_put_url"]
    for bad in (b"{}", zlib.compress(b"[]" * 500), zlib.compress(b"{}" * 10**7), b""):
        assert agent.bytes("PUT", url, bad).status in (413, 422)
    assert agent.bytes("PUT", url.replace("signature=", "signature=x"), zlib.compress(content)).status == 403
    assert agent.bytes("GET", url).status in (404, 405)
    assert agent.bytes("PUT", url, zlib.compress(content)).status == 200
    assert agent.bytes("PUT", url, zlib.compress(content)).status == 422
    late = agent.check("job", content).body["upload_data"]["presigned_put_url"]
    agent.scene.world.clock.forward(901 * SECOND_US)
    assert agent.bytes("PUT", late, zlib.compress(content)).status == 403


def test_bytes_that_were_never_sent_are_not_confirmed_nor_those_of_another_deployment(agent: Agent) -> None:
    upload = agent.check("repository", b"{}").body["upload_data"]
    assert agent.put("/confirm_upload", upload).status == 404
    agent.bytes("PUT", upload["presigned_put_url"], zlib.compress(b"{}"))
    agent.scene.deployment("staging")
    body = json.dumps(upload).encode()
    assert agent.call("PUT", "/confirm_upload", body, {"Dagster-Cloud-Deployment": "staging"}).status == 404
    assert agent.put("/confirm_upload", upload).status == 200


def test_a_log_is_put_where_it_is_told_and_written_on(agent: Agent) -> None:
    path = "/gen_logs_url?log_key=run&log_key=compute_logs&log_key=hi&io_type=stderr&size_bytes="
    assert agent.call("GET", f"{path}0").body == {"skip_upload": True}
    for text in (b"one", b"one two"):
        url = agent.call("GET", f"{path}{len(text)}").body["url"]
        assert agent.bytes("PUT", url, text).status == 200
    uploads = agent.scene.write(
        lambda tx: tx.dagster_uploads.filled(
            agent.prod.organization_id,
            agent.prod.id,
            UploadKind.LOG,
            "run/compute_logs/hi/stderr",
        )
    )
    assert [one.stored for one in uploads] == [7]


def test_an_artifact_goes_in_by_a_form_and_out_by_an_address(agent: Agent) -> None:
    key = json.dumps({"key": "model.bin"}).encode()
    assert agent.call("POST", "/gen_artifact_get", key).status == 404
    opened = agent.call("POST", "/gen_artifact_post", key).body
    assert opened["fields"]["signature"]
    body, kind = form("file", b"\0\1\2")
    assert agent.bytes("POST", opened["url"], body, kind).status == 201
    url = agent.call("POST", "/gen_artifact_get", key).body["url"]
    given = agent.bytes("GET", url)
    assert (given.status, given.headers["content-disposition"]) == (200, "attachment")


def test_a_run_is_followed_by_its_events_and_a_repetition_counts_once(agent: Agent) -> None:
    agent.load()
    run = agent.launch()
    (work,) = [one for one in agent.scene.pop(agent.token, "prod") if one["requestApi"] == "LAUNCH_RUN"]
    sent = json.loads(work["requestBody"])["request_args"]["pipeline_run"]
    assert sent["pipeline_code_origin"]["repository_origin"]["executable_path"] == "/bin/python"
    for number, kind in enumerate(["PIPELINE_START", "STEP_START", "PIPELINE_SUCCESS", "PIPELINE_FAILURE"]):
        entry = {"run_id": run.id, "timestamp": 10.5 + number, "dagster_event": {"event_type_value": kind}}
        batch = {"event_log_entries": [entry]}
        for _ in range(2):
            key = {"Idempotency-Key": f"k{number}"}
            assert agent.send("POST", "/store_events", "store_events.tmp", batch, **key).status == 200
    found = agent.run(run)
    assert (found.status, found.started_at, found.ended_at) == ("SUCCESS", 10_500_000, 12_500_000)
    events = agent.scene.write(
        lambda tx: tx.dagster_runs.events(run.organization_id, run.deployment_id, run.id, 0, 100)
    )
    assert [one.type for one in events] == [
        "PIPELINE_START",
        "STEP_START",
        "PIPELINE_SUCCESS",
        "PIPELINE_FAILURE",
    ]
    stranger = {"event_log_entries": [{"run_id": "other", "timestamp": 1.0}]}
    assert agent.send("POST", "/store_events", "store_events.tmp", stranger).status == 404


def test_a_run_has_an_end_of_its_events(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagsterruns, "MAX_EVENTS", 3)
    monkeypatch.setattr(dagsterruns, "_COUNTED", 1)
    agent.load()
    run = agent.launch()
    batch = {"event_log_entries": [{"run_id": run.id, "timestamp": 1.0}] * 2}
    sent = [agent.send("POST", "/store_events", "store_events.tmp", batch).status for _ in range(2)]
    assert sent == [200, 422]


def test_what_a_deployment_had_goes_with_it(agent: Agent) -> None:
    scene = agent.scene
    staging = scene.deployment("staging")
    scene.location(staging, "loc")
    scene.write(lambda tx: deployments.delete_in(scene.context, tx, LOCAL, staging))
    assert not scene.write(lambda tx: codelocations.list_in(tx, staging))
    assert not scene.write(lambda tx: tx.work_items.list(staging.organization_id, staging.id, 9))
    scene.deployment("staging")
    assert scene.pop(agent.token, "staging") == []


def test_a_run_that_no_agent_could_start_has_failed(agent: Agent) -> None:
    agent.load()
    run = agent.launch()
    agent.scene.pop(agent.token, "prod")
    items = agent.scene.write(lambda tx: tx.work_items.list(run.organization_id, run.deployment_id, 10))
    (launch,) = [one for one in items if one.api == "LAUNCH_RUN"]
    agent.answer(launch, {"__class__": "DagsterCloudApiErrorResponse", "error_infos": []})
    assert agent.run(run).status == "FAILURE"


def test_what_runs_read_and_write_in_graphql(agent: Agent) -> None:
    agent.load()
    run, token = agent.launch(), agent.token
    data = agent.scene.data
    tags = json.dumps({"dagster/agent_id": "a1"})
    query = (
        "mutation($r: String!, $t: JSONString!) { runs { addRunTags(runId: $r, jsonNewTags: $t) { ok } } }"
    )
    assert data(token, query, {"r": run.id, "t": tags}, deployment="prod") == {
        "runs": {"addRunTags": {"ok": True}}
    }
    event = {
        "level": 20,
        "userMessage": "",
        "runId": run.id,
        "timestamp": 12.0,
        "stepKey": None,
        "dagsterEvent": {"eventTypeValue": "PIPELINE_START", "loggingTags": '{"a": "b"}'},
    }
    query = "mutation($e: EventLogEntryInput!) { eventLogs { StoreEvent(eventRecord: $e) { ok } } }"
    assert data(token, query, {"e": event}, deployment="prod")["eventLogs"]["StoreEvent"]["ok"]
    query = (
        "query($f: RunsFilter) { runs { getRunRecords(filters: $f)"
        " { storageId serializedPipelineRun createTimestamp startTime endTime } } }"
    )
    for filters, count in (
        ({"runIds": [run.id]}, 1),
        ({"statuses": ["STARTED"], "tags": [{"key": "a", "value": "b"}]}, 1),
        ({"statuses": ["SUCCESS"]}, 0),
        ({"tags": [{"key": "a", "values": ["c"]}]}, 0),
        ({"pipelineName": "other"}, 0),
        ({"snapshotId": "s"}, 0),
        ({"createdAfter": 1.8e9 - 1, "updatedBefore": 1.8e9 + 1}, 1),
        ({"createdBefore": 1.8e9}, 0),
    ):
        found = data(token, query, {"f": filters}, deployment="prod")["runs"]["getRunRecords"]
        assert len(found) == count, filters
    (record,) = data(token, query, {"f": {"runIds": [run.id]}}, deployment="prod")["runs"]["getRunRecords"]
    serialized = json.loads(record["serializedPipelineRun"])
    assert serialized["status"] == {"__enum__": "PipelineRunStatus.STARTED"}
    assert serialized["tags"] == {"a": "b", "dagster/agent_id": "a1"}
    assert (record["startTime"], record["endTime"]) == (12.0, None)
    assert data(token, "{ eventLogs { getPoolConfig { poolGranularity } } }", deployment="prod")
    assert data(token, "{ latestDefsStateInfo }", deployment="prod") == {"latestDefsStateInfo": None}
    secrets = '{ scopedSecrets(locationName: "loc") { secretName } }'
    assert data(token, secrets, deployment="prod") == {"scopedSecrets": []}


def test_storage_is_read_by_agents_of_the_deployment_alone(agent: Agent) -> None:
    scene = agent.scene
    scene.deployment("staging")
    query = "{ runs { getRunIds } }"
    assert scene.ask(scene.limited("staging"), query, deployment="prod").status == 403
    assert scene.ask(scene.user_token(), query, deployment="prod").status == 403
    assert set(scene.ask(agent.token, query).body) == {"errors"}
    agent.load()
    agent.launch()
    assert scene.data(agent.token, query, deployment="staging") == {"runs": {"getRunIds": []}}


def test_every_route_of_this_surface_is_tried_here_or_takes_documents(agent: Agent) -> None:
    routes = {(route.method, route.path): route for route in app.routes(agent.scene.world.authority)}
    signed = {key for key, route in routes.items() if not route.kinds}
    assert signed == {
        ("PUT", "/dagster/uploads/{organization_id}/{upload_id}"),
        ("POST", "/dagster/uploads/{organization_id}/{upload_id}"),
        ("GET", "/dagster/downloads/{organization_id}/{upload_id}"),
    }
    known = {
        (method, address) for method, path in [*PATHS, ("POST", "/graphql")] for address in variants(path)
    }
    assert set(routes) == known | signed
    assert all(route.kinds == KINDS for key, route in routes.items() if key in known)


def test_what_is_for_agents_is_bound_so_and_nothing_is_left_unbound() -> None:
    executable()
    agents = {
        name
        for of in ("Query", "Mutation")
        for name, bound in BOUND[of].items()
        if bound.audience is Audience.AGENTS
    }
    assert agents == {
        "deploymentInfo",
        "userCloudAgent",
        "scopedSecrets",
        "latestDefsStateInfo",
        "runs",
        "eventLogs",
        "defsState",
    }
    for of in ("Query", "Mutation"):
        kind = executable().type_map[of]
        assert isinstance(kind, GraphQLObjectType)
        assert set(kind.fields) == set(BOUND[of])
