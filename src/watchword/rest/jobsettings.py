"""What the jobs of an organization or of a pipeline may do beyond themselves; Watchword's own."""

from collections.abc import Mapping

import msgspec
from litestar import get, route
from msgspec import UNSET, UnsetType

from watchword.domain.jobpolicies import JobPolicy
from watchword.domain.pipelines import Pipeline
from watchword.rest.bodies import Body
from watchword.rest.call import Call, RestRequest, needs
from watchword.services.jobpolicies import change_job_policy
from watchword.services.queries import Access, Unit, find_pipeline

ORGANIZATION = "/v2/organizations/{org:str}/job-settings"
PIPELINE = "/v2/organizations/{org:str}/pipelines/{pipeline:str}/job-settings"
_READ, _UPDATE = "job_policy.read", "job_policy.update"


class JobSettings(msgspec.Struct, kw_only=True):
    """What jobs may do. A pipeline's settings narrow those of its organization and never widen them.

    `identity_audiences` is null where identity tokens may be for anybody.
    """

    url: str
    cross_job_writes: bool
    identity_tokens: bool
    identity_audiences: list[str] | None


class JobSettingsChange(Body):
    """What changes: an absent key changes nothing, null sets the default."""

    cross_job_writes: bool | UnsetType | None = UNSET
    identity_tokens: bool | UnsetType | None = UNSET
    identity_audiences: list[str] | UnsetType | None = UNSET

    def changes(self) -> Mapping[str, object]:
        """Fields of the policy that were given, with what null means of each."""
        found: dict[str, object] = {}
        if self.cross_job_writes is not UNSET:
            found["cross_job_writes"] = self.cross_job_writes is not False
        if self.identity_tokens is not UNSET:
            found["identity"] = self.identity_tokens is not False
        if self.identity_audiences is not UNSET:
            found["audiences"] = tuple(dict.fromkeys(self.identity_audiences or ()))
        return found


def _show(call: Call, access: Access, pipeline: Pipeline | None, policy: JobPolicy) -> JobSettings:
    within = () if pipeline is None else ("pipelines", pipeline.slug)
    return JobSettings(
        url=call.site.rest("organizations", access.organization.slug, *within, "job-settings"),
        cross_job_writes=policy.cross_job_writes,
        identity_tokens=policy.identity,
        identity_audiences=list(policy.audiences) or None,
    )


async def _pipeline(call: Call, tx: Unit, access: Access) -> Pipeline | None:
    """The pipeline of the path, where it names one."""
    if "pipeline" not in call.request.path_params:
        return None
    return await find_pipeline(tx, access.id, call.path("pipeline"))


async def _get(request: RestRequest) -> JobSettings:
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> JobSettings:
        pipeline = await _pipeline(call, tx, access)
        policy = await tx.job_policies.find(access.id, pipeline.id if pipeline is not None else "")
        return _show(call, access, pipeline, policy)

    return await call.read(work)


async def _change(request: RestRequest) -> JobSettings:
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> JobSettings:
        pipeline = await _pipeline(call, tx, access)
        changes = call.decode(JobSettingsChange).changes()
        return _show(
            call, access, pipeline, await change_job_policy(call.context, tx, access, pipeline, changes)
        )

    return await call.write(work)


@get(ORGANIZATION, opt=needs(_READ), summary="Get what jobs may do")
async def get_job_settings(request: RestRequest) -> JobSettings:
    """Whether jobs write what other jobs have, and for whom they get identity tokens."""
    return await _get(request)


@route(
    ORGANIZATION,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs(_UPDATE, body=JobSettingsChange),
    summary="Update what jobs may do",
)
async def update_job_settings(request: RestRequest) -> JobSettings:
    """Holds for the very next call of a job, running ones included."""
    return await _change(request)


@get(PIPELINE, opt=needs(_READ), summary="Get what a pipeline's jobs may do")
async def get_pipeline_job_settings(request: RestRequest) -> JobSettings:
    """The pipeline's own settings; those of the organization hold besides."""
    return await _get(request)


@route(
    PIPELINE,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs(_UPDATE, body=JobSettingsChange),
    summary="Update what a pipeline's jobs may do",
)
async def update_pipeline_job_settings(request: RestRequest) -> JobSettings:
    """Holds for the very next call of a job, running ones included."""
    return await _change(request)


HANDLERS = (
    get_job_settings,
    update_job_settings,
    get_pipeline_job_settings,
    update_pipeline_job_settings,
)
