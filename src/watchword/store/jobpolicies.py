"""What jobs of organizations and pipelines may do, in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select

from watchword.domain.ids import OrganizationId
from watchword.domain.jobpolicies import JobPolicy
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.tables_jobpolicies import job_policies

POLICIES = Mapper(job_policies, JobPolicy)

_p = job_policies.c
_ONE = (_p.organization_id == bindparam("organization_id_"), _p.pipeline_id == bindparam("pipeline_id_"))

_FIND = Statement(select(*POLICIES.columns).where(*_ONE))
_DROP = Statement(delete(job_policies).where(*_ONE))
_ADD = Statement(insert(job_policies))


class JobPolicyRows:
    """`store.base_jobpolicies.JobPolicies` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def find(self, organization_id: OrganizationId, pipeline_id: str) -> JobPolicy:
        found = await self._read(organization_id, pipeline_id)
        return found or JobPolicy(organization_id, pipeline_id)

    async def over(self, organization_id: OrganizationId, pipeline_id: str) -> Sequence[JobPolicy]:
        found = [await self._read(organization_id, each) for each in ("", pipeline_id)]
        return [policy for policy in found if policy is not None]

    async def save(self, policy: JobPolicy) -> None:
        one = {"organization_id_": policy.organization_id, "pipeline_id_": policy.pipeline_id}
        await self._cx.run(_DROP, one)
        await self._cx.run(_ADD, POLICIES.encode(policy))

    async def _read(self, organization_id: OrganizationId, pipeline_id: str) -> JobPolicy | None:
        parameters = {"organization_id_": organization_id, "pipeline_id_": pipeline_id}
        row = await self._cx.one(_FIND, parameters)
        return POLICIES.decode(row) if row else None
