"""Bodies of the agent API (contract agent-api §2, §3). Unknown fields are ignored everywhere."""

from typing import Any

import msgspec


class Register(msgspec.Struct, kw_only=True):
    """`POST register`, §3.1. Real agents send `priority` as text and may send `null` lists."""

    name: str | None = ""
    hostname: str | None = ""
    os: str | None = ""
    arch: str | None = ""
    script_eval_enabled: bool | None = True
    ignore_in_dispatches: bool | None = False
    priority: str | int | None = None
    version: str | None = ""
    build: str | None = ""
    meta_data: list[str] | None = None
    pid: int | None = 0
    machine_id: str | None = ""
    features: list[str] | None = None


class Registered(msgspec.Struct, kw_only=True):
    """Answer to register; the three intervals are never 0 (trap 1)."""

    id: str
    name: str
    access_token: str
    ping_interval: int
    job_status_interval: int
    heartbeat_interval: int
    meta_data: list[str]


class Heartbeat(msgspec.Struct, kw_only=True):
    """`POST heartbeat`, §3.4."""

    sent_at: str = ""


class Accept(msgspec.Struct, kw_only=True):
    """`PUT jobs/{job}/accept` and `acquire`; usual agents send nothing, ours what the job's token may do."""

    token_rights: list[str] | None = None


class Start(msgspec.Struct, kw_only=True):
    """`PUT jobs/{job}/start`, §2.3."""

    started_at: str | None = None


class Finish(msgspec.Struct, kw_only=True):
    """`PUT jobs/{job}/finish`, §2.3; `exit_status` is text holding an integer."""

    exit_status: str | int
    finished_at: str | None = None
    signal: str | None = ""
    signal_reason: str | None = ""
    chunks_failed_count: int | None = 0
    ignore_agent_in_dispatches: bool | None = False


class JobAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The job object, §4.1.

    `token` is left out for agents that know no job tokens, `step` for jobs without one, and
    `matrix_permutation` where there is no matrix.
    """

    id: str
    env: dict[str, str]
    state: str
    chunks_max_size_bytes: int
    chunks_interval_seconds: int
    log_max_size_bytes: int
    priority: int
    runnable_at: str
    token: str = ""
    step: Any = None
    matrix_permutation: dict[str, str] | None = None


class Stop(msgspec.Struct, kw_only=True):
    """`POST stop`, §2.9."""

    force: bool | None = False


class Pause(msgspec.Struct, kw_only=True):
    """`POST pause`, §2.9."""

    note: str | None = ""
    timeout_in_minutes: int | None = None


class Promise(msgspec.Struct, kw_only=True):
    """`PUT jobs/{job}/promise_failure`, §2.3."""

    exit_status: int
    reason: str | None = ""


class QueuedAgents(msgspec.Struct, kw_only=True):
    """Numbers of agents, §10.1."""

    idle: int
    busy: int
    total: int


class QueuedJobs(msgspec.Struct, kw_only=True):
    """Numbers of jobs that have not ended, §10.1."""

    scheduled: int
    running: int
    waiting: int
    total: int


class AllAgents(QueuedAgents, kw_only=True):
    """The same for all queues and for each by its key."""

    queues: dict[str, QueuedAgents]


class AllJobs(QueuedJobs, kw_only=True):
    """The same for all queues and for each by its key."""

    queues: dict[str, QueuedJobs]


class Metrics(msgspec.Struct, kw_only=True):
    """`GET metrics` and `GET metrics/queue`, §10.1; the organization's slug is never empty."""

    agents: QueuedAgents
    jobs: QueuedJobs
    organization: dict[str, str]
    cluster: dict[str, str]


class Annotate(msgspec.Struct, kw_only=True):
    """`POST jobs/{job}/annotations`, §2.7."""

    body: str | None = None
    context: str | None = None
    style: str | None = None
    append: bool | None = False
    priority: int | None = None
    scope: str | None = None


class IdentityWish(msgspec.Struct, kw_only=True):
    """`POST jobs/{job}/oidc/tokens`, §2.10; the lifetime in seconds."""

    audience: str | None = ""
    lifetime: int | None = 0
    claims: list[str] | None = None
    aws_session_tags: list[str] | None = None
    subject_claim: str | None = ""


class Pair(msgspec.Struct, kw_only=True):
    """One meta-data item, §2.6."""

    key: str
    value: str


class Batch(msgspec.Struct, kw_only=True):
    """`data/set-batch`, §2.6."""

    items: list[Pair]


class Key(msgspec.Struct, kw_only=True):
    """`data/get` and `data/exists`, §2.6."""

    key: str


class AnnouncedFile(msgspec.Struct, kw_only=True):
    """One artifact of `POST jobs/{job}/artifacts`, §2.5. Go sends `null` for an empty value at times."""

    path: str
    file_size: int
    absolute_path: str | None = None
    glob_path: str | None = None
    content_type: str | None = None
    sha1sum: str | None = None
    sha256sum: str | None = None
    url: str | None = None


class Announce(msgspec.Struct, kw_only=True):
    """`POST jobs/{job}/artifacts`, §2.5."""

    id: str
    artifacts: list[AnnouncedFile]
    upload_destination: str | None = None
    multipart_supported: bool | None = False


class UploadAction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where bytes go: by form (`path`, `file_input`) or as one part (`part_number`)."""

    url: str
    method: str
    path: str = ""
    file_input: str = ""
    part_number: int = 0


class Instructions(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How an agent sends bytes: one form, or parts."""

    action: UploadAction | None = None
    actions: list[UploadAction] = []
    data: dict[str, str] = {}


class Taken(msgspec.Struct, kw_only=True):
    """Answer to an announcement; ids as many and in the order as asked (else the agent crashes)."""

    id: str
    artifact_ids: list[str]
    upload_instructions: Instructions
    per_artifact_instructions: dict[str, Instructions]


class PartETag(msgspec.Struct, kw_only=True):
    """What we answered to one part."""

    part_number: int
    etag: str


class ArtifactOutcome(msgspec.Struct, kw_only=True):
    """One artifact of `PUT jobs/{job}/artifacts`, §2.5."""

    id: str
    state: str
    multipart_etags: list[PartETag] | None = None


class Outcomes(msgspec.Struct, kw_only=True):
    """`PUT jobs/{job}/artifacts`, §2.5."""

    artifacts: list[ArtifactOutcome]


class FoundArtifact(msgspec.Struct, kw_only=True):
    """One artifact in the answer to a search, §2.5."""

    id: str
    job_id: str
    path: str
    absolute_path: str
    glob_path: str
    content_type: str
    file_size: int
    sha1sum: str
    sha256sum: str
    created_at: str
    url: str
    upload_destination: str


class UploadPipeline(msgspec.Struct, kw_only=True):
    """`POST jobs/{job}/pipelines`, §2.8; the pipeline is read by the domain."""

    uuid: str
    pipeline: Any
    replace: bool | None = False


class ExportStep(msgspec.Struct, kw_only=True):
    """`POST steps/{step}/export`, §2.9."""

    attribute: str | None = None
    build_id: str | None = None
    format: str | None = None


class UpdateStep(msgspec.Struct, kw_only=True):
    """`PUT steps/{step}`, §2.9."""

    attribute: str
    value: str = ""
    build_id: str | None = None
    idempotency_uuid: str | None = None
    append: bool | None = False


class CancelStep(msgspec.Struct, kw_only=True):
    """`POST steps/{step}/cancel`, §2.9; the grace is in seconds."""

    build_id: str | None = None
    force: bool | None = False
    force_grace_period: int | None = 0


REGISTER = msgspec.json.Decoder(Register)
HEARTBEAT = msgspec.json.Decoder(Heartbeat)
ACCEPT = msgspec.json.Decoder(Accept)
START = msgspec.json.Decoder(Start)
FINISH = msgspec.json.Decoder(Finish)
STOP = msgspec.json.Decoder(Stop)
PAUSE = msgspec.json.Decoder(Pause)
UPDATE = msgspec.json.Decoder(dict[str, str | int])
PROMISE = msgspec.json.Decoder(Promise)
ANNOTATE = msgspec.json.Decoder(Annotate)
IDENTITY_WISH = msgspec.json.Decoder(IdentityWish)
PAIR = msgspec.json.Decoder(Pair)
BATCH = msgspec.json.Decoder(Batch)
KEY = msgspec.json.Decoder(Key)
ANNOUNCE = msgspec.json.Decoder(Announce)
OUTCOMES = msgspec.json.Decoder(Outcomes)
UPLOAD = msgspec.json.Decoder(UploadPipeline)
EXPORT_STEP = msgspec.json.Decoder(ExportStep)
UPDATE_STEP = msgspec.json.Decoder(UpdateStep)
CANCEL_STEP = msgspec.json.Decoder(CancelStep)
