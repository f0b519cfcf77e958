"""Bodies of the stacks API (contract agent-api §10.3). Unknown fields are ignored everywhere."""

import msgspec


class RegisterStack(msgspec.Struct, kw_only=True):
    """`POST stacks/register`."""

    key: str
    type: str
    queue_key: str
    metadata: dict[str, str] | None = None


class StackAnswer(msgspec.Struct, kw_only=True):
    """What a stack is; `key` and `cluster_queue_key` are used in all later calls."""

    id: str
    organization_uuid: str
    key: str
    type: str
    cluster_queue_key: str
    metadata: dict[str, str]
    last_connected_on: str | None
    state: str


class PipelineAnswer(msgspec.Struct, kw_only=True):
    """The pipeline of a scheduled job."""

    slug: str
    uuid: str


class BuildAnswer(msgspec.Struct, kw_only=True):
    """The build of a scheduled job."""

    number: int
    branch: str
    uuid: str


class StepAnswer(msgspec.Struct, kw_only=True):
    """The step of a scheduled job."""

    key: str


class ScheduledJob(msgspec.Struct, kw_only=True):
    """One scheduled job."""

    id: str
    priority: int
    agent_query_rules: list[str]
    scheduled_at: str
    pipeline: PipelineAnswer
    build: BuildAnswer
    step: StepAnswer


class PageInfo(msgspec.Struct, kw_only=True):
    """Whether a list goes on, and from where."""

    has_next_page: bool
    end_cursor: str | None


class QueueAnswer(msgspec.Struct, kw_only=True):
    """The queue of a list; clients read `paused`, the documentation says `dispatch_paused` (trap 27)."""

    id: str
    dispatch_paused: bool
    paused: bool


class ScheduledJobs(msgspec.Struct, kw_only=True):
    """`GET stacks/{key}/scheduled-jobs`."""

    jobs: list[ScheduledJob]
    page_info: PageInfo
    cluster_queue: QueueAnswer


class Reserve(msgspec.Struct, kw_only=True):
    """`PUT stacks/{key}/scheduled-jobs/batch-reserve`."""

    job_uuids: list[str] | None = None
    reservation_expiry_seconds: int | None = None


class JobUuids(msgspec.Struct, kw_only=True):
    """`POST stacks/{key}/jobs/get-states`."""

    job_uuids: list[str] | None = None


class StackFinish(msgspec.Struct, kw_only=True):
    """`POST stacks/{key}/jobs/{uuid}/finish`; the Go client leaves out an `exit_status` of 0."""

    detail: str | None = ""
    exit_status: int | None = None


class Notification(msgspec.Struct, kw_only=True):
    """One of `POST stacks/{key}/notifications`; what is wrong with it is told by its place."""

    job_uuid: str | None = ""
    detail: str | None = ""
    timestamp: str | None = None


class Notifications(msgspec.Struct, kw_only=True):
    """`POST stacks/{key}/notifications`."""

    notifications: list[Notification] | None = None


REGISTER_STACK = msgspec.json.Decoder(RegisterStack)
RESERVE = msgspec.json.Decoder(Reserve)
JOB_UUIDS = msgspec.json.Decoder(JobUuids)
STACK_FINISH = msgspec.json.Decoder(StackFinish)
NOTIFICATIONS = msgspec.json.Decoder(Notifications)
