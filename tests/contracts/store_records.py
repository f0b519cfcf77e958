"""Records for the store's contract: whole ones, of which a test changes what it is about."""

import itertools
from dataclasses import replace
from typing import Any

from watchword.domain.accounts import Cluster, Member, Organization, Queue, Role, User
from watchword.domain.artifacts import Artifact, ArtifactState
from watchword.domain.events import Action, Event
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import (
    AgentId,
    AnnotationId,
    ArtifactId,
    BuildId,
    ClusterId,
    EventId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
    TokenId,
    UserId,
)
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Annotation, Build, BuildState, Chunk, Job, JobState, Pipeline
from watchword.domain.tokens import State, Token
from watchword.domain.use import Refusals, Use
from watchword.store.base import Replay

ORGANIZATION, OTHER = OrganizationId("organization-1"), OrganizationId("organization-2")
CLUSTER, QUEUE = ClusterId("cluster-1"), QueueId("queue-1")
USER, TOKEN, AGENT = UserId("user-1"), TokenId("token-1"), AgentId("agent-1")
PIPELINE, BUILD, JOB = PipelineId("pipeline-1"), BuildId("build-1"), JobId("job-1")
TEXT = 'naïve "text" — 漢字\n\0%_\'; --'

_numbers = itertools.count(1)


def number() -> int:
    """A number that no other record has."""
    return next(_numbers)


def organization(**changes: Any) -> Organization:
    return replace(Organization(ORGANIZATION, "acme", TEXT, None, 5, 60, 7), **changes)


def user(**changes: Any) -> User:
    return replace(User(USER, "ada@example.com", TEXT, "", 7), **changes)


def member(**changes: Any) -> Member:
    return replace(Member(ORGANIZATION, USER, Role.MEMBER, 7), **changes)


def cluster(**changes: Any) -> Cluster:
    made = Cluster(ORGANIZATION, CLUSTER, TEXT, "for tests", ":rocket:", "#A0B1C2", None, 7, None)
    return replace(made, **changes)


def queue(**changes: Any) -> Queue:
    made = Queue(
        ORGANIZATION, QUEUE, CLUSTER, "default", TEXT, dispatch_paused=True, created_at=7, created_by=USER
    )
    return replace(made, **changes)


def token(**changes: Any) -> Token:
    made = Token(
        organization_id=ORGANIZATION,
        id=TOKEN,
        kind=Kind.AGENT,
        digest=number().to_bytes(32, "big"),
        state=State.ACTIVE,
        description=TEXT,
        cluster_id=CLUSTER,
        user_id=None,
        agent_id=None,
        parent_id=None,
        scopes="",
        restrictions="",
        not_before=0,
        expires_at=0,
        max_uses=0,
        uses=0,
        created_at=7,
        created_by=USER,
        ended_at=0,
        ended_by=None,
        ended_reason="",
    )
    return replace(made, **changes)


def agent(**changes: Any) -> Agent:
    made = Agent(
        organization_id=ORGANIZATION,
        id=AGENT,
        cluster_id=CLUSTER,
        queue_id=QUEUE,
        token_id=TOKEN,
        session_id=TokenId("session-1"),
        name="agent one",
        requested_name="agent %n",
        hostname="host",
        os=TEXT,
        arch="x86_64",
        version="3.100.0",
        build="1",
        pid=4711,
        machine_id="machine",
        features=("one", "two"),
        tags=("queue=default", "os=linux", 'odd="x",y'),
        priority=-3,
        address="192.0.2.1",
        script_eval=True,
        ignore_in_dispatches=False,
        counted=True,
        state=AgentState.REGISTERED,
        job_id=None,
        registered_at=7,
        connected_at=0,
        seen_at=7,
        ended_at=0,
    )
    return replace(made, **changes)


def pipeline(**changes: Any) -> Pipeline:
    made = Pipeline(ORGANIZATION, PIPELINE, CLUSTER, "app", TEXT, "none", "main", '{"steps":[]}', 7, USER)
    return replace(made, **changes)


def build(**changes: Any) -> Build:
    made = Build(
        organization_id=ORGANIZATION,
        id=BUILD,
        pipeline_id=PIPELINE,
        number=1,
        state=BuildState.SCHEDULED,
        branch="main",
        commit="HEAD",
        message=TEXT,
        env={"A": "1", "B": TEXT},
        source="api",
        created_at=7,
        created_by=None,
        started_at=0,
        finished_at=0,
    )
    return replace(made, **changes)


def job(**changes: Any) -> Job:
    made = Job(
        organization_id=ORGANIZATION,
        id=JOB,
        build_id=BUILD,
        cluster_id=CLUSTER,
        queue_id=QUEUE,
        label="label",
        step_key="key",
        command=TEXT,
        env={"C": ""},
        rules=("queue=default", "os=*"),
        state=JobState.SCHEDULED,
        priority=2,
        timeout_minutes=0,
        created_at=7,
        runnable_at=7,
    )
    return replace(made, **changes)


def chunk(**changes: Any) -> Chunk:
    return replace(Chunk(ORGANIZATION, JOB, 1, 0, 4, b"\0log"), **changes)


def annotation(**changes: Any) -> Annotation:
    made = Annotation(
        organization_id=ORGANIZATION,
        id=AnnotationId("annotation-1"),
        build_id=BUILD,
        job_id=JOB,
        scope="build",
        scope_id=BUILD,
        context="default",
        style="info",
        body=TEXT,
        priority=3,
        created_at=7,
        updated_at=8,
    )
    return replace(made, **changes)


def artifact(**changes: Any) -> Artifact:
    made = Artifact(
        organization_id=ORGANIZATION,
        id=ArtifactId("artifact-1"),
        build_id=BUILD,
        job_id=JOB,
        batch_id="batch-1",
        place=0,
        path=TEXT,
        absolute_path="/builds/" + TEXT,
        glob_path="*",
        content_type="text/plain",
        size=7,
        sha1="a" * 40,
        sha256="b" * 64,
        upload_destination="",
        url="",
        parts=1,
        state=ArtifactState.NEW,
        created_at=7,
        ended_at=0,
    )
    return replace(made, **changes)


def event(sequence: int, **changes: Any) -> Event:
    made = Event(
        organization_id=ORGANIZATION,
        sequence=sequence,
        id=EventId(f"event-{sequence}"),
        at=7,
        action=Action.TOKEN_CREATED,
        actor_kind="user",
        actor_id=USER,
        actor_name=TEXT,
        subject_kind="token",
        subject_id=TOKEN,
        address="192.0.2.1",
        request_id="request",
        data="{}",
    )
    return replace(made, **changes)


def replay(**changes: Any) -> Replay:
    made = Replay(ORGANIZATION, "caller", "key", "token.create", b"\0request", b"\0answer", 10, 20)
    return replace(made, **changes)


def use(**changes: Any) -> Use:
    return replace(Use(ORGANIZATION, TOKEN, "192.0.2.1", "agent", "3.1", 100, 1, 2, 3), **changes)


def refused(**changes: Any) -> Refusals:
    return replace(Refusals("token_unknown", "192.0.2.1", 100, "", 1, 2, 3), **changes)
