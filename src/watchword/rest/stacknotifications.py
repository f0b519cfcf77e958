"""What stacks say of a job (contract agent-api §10.3), for people's tools; ours alone."""

import msgspec
from litestar import get

from watchword.domain.pipelines import JobState
from watchword.domain.stacks import StackNotification
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.rest.jobs import JOB, locate
from watchword.services.queries import Access, Unit


class ShownNotification(msgspec.Struct, kw_only=True):
    """One thing that a stack said."""

    stack_id: str
    detail: str
    timestamp: str
    received_at: str


def _show(one: StackNotification) -> ShownNotification:
    return ShownNotification(
        stack_id=one.stack_id,
        detail=one.detail,
        timestamp=instant(one.at),
        received_at=instant(one.received_at),
    )


class StackReport(msgspec.Struct, kw_only=True):
    """What became of a job before an agent had it.

    Attributes:
        stack_id: the stack that reserved it last.
        reserved_until: while it is reserved.
        error: why its stack gave it up.
    """

    stack_id: str | None
    reserved_until: str | None
    error: str | None
    notifications: list[ShownNotification]


@get([path + "/stack" for path in JOB], opt=needs("build.read"), summary="Get what stacks say of a job")
async def get_stack_report(request: RestRequest) -> StackReport:
    """The job's reservation, what its stack said of it, and why it was given up."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> StackReport:
        _, job = await locate(call, tx, access)
        reserved = job.state is JobState.RESERVED
        return StackReport(
            stack_id=job.reserved_by,
            reserved_until=instant(job.reserved_until) if reserved else None,
            error=job.stack_error or None,
            notifications=[_show(one) for one in await tx.stacks.notifications(access.id, job.id)],
        )

    return await call.read(work)


HANDLERS = (get_stack_report,)
