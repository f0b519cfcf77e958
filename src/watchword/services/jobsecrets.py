"""Job secrets: what a running job gets of its cluster's secrets (contract agent-api §2.10).

Each read is written down in the unit that allows it. A key that is unknown and one that the policy keeps from
the job take the same steps and get the same answer, so that a job learns of no secret that is not for it.
"""

from dataclasses import dataclass, field

from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ClusterId
from watchword.domain.pipelines import Job, JobState
from watchword.domain.secretpolicy import Facts, judge
from watchword.domain.secrets import ClusterSecret, has_key_form
from watchword.services.addresslimits import AddressLimit
from watchword.services.context import Caller, Context
from watchword.services.ledger import Ledger
from watchword.services.secretpolicies import facts_of, rules_of
from watchword.services.secrets import open_secret
from watchword.store.base import Transaction

REFUSED = "secret_refused"
_RUNS = (JobState.RUNNING, JobState.CANCELING, JobState.TIMING_OUT)
# What is judged where there is no such key, so that it takes as long.
_NOBODY = "- pipeline_slug: none\n  build_branch: none\n"


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a job's wish: the secret with its value, or why there is none, for the trail alone."""

    secret: ClusterSecret | None = None
    value: Secret | None = None
    reason: str = ""


def require_running(job: Job) -> None:
    """Require a job that has started and has not ended.

    Raises:
        Conflict: it has not.
    """
    if job.state not in _RUNS:
        raise Conflict("A job gets secrets while it runs; start it first.", code="job_not_running")


@dataclass(slots=True)
class JobSecrets:
    """Hands secrets to jobs.

    Attributes:
        limit: what one job may ask for in a minute; memory only.
    """

    context: Context
    ledger: Ledger
    limit: AddressLimit = field(init=False)

    def __post_init__(self) -> None:
        self.limit = AddressLimit(self.context.clock, self.context.installation.rate_limits.job_secrets)

    async def read(self, caller: Caller, job: Job, key: str) -> tuple[ClusterSecret, Secret]:
        """A secret of the job's cluster, by its key in any case.

        Raises:
            NotFound: there is none, or the job may not have it.
            Conflict: the job does not run, or the value cannot be opened.
            TooMany: the job has asked too often.
        """
        self.limit.spend_as(job.id, 1)
        require_running(job)
        reading = await self.context.store.write(lambda tx: self._read_in(tx, caller, job, key))
        if reading.secret is not None and reading.value is not None:
            return reading.secret, reading.value
        self.ledger.refuse(REFUSED, caller.address, job.id, self.context.clock.now(), job.organization_id)
        if reading.secret is not None:
            raise Conflict("The value of this secret cannot be opened.", code="secret_sealed")
        raise NotFound("No secret found with this key, or this job may not have it.", code=REFUSED)

    async def _read_in(self, tx: Transaction, caller: Caller, job: Job, key: str) -> Reading:
        facts = await facts_of(tx, job)
        reading = await self.open_in(tx, job, key, facts)
        pipeline_id = facts.pipeline_id if facts is not None else ""
        asked = key if has_key_form(key) else ""  # anything else may be what should not be written down
        if reading.secret is None or reading.value is None:
            await self.context.record(
                tx,
                caller,
                Action.SECRET_REFUSED,
                job.organization_id,
                ("job", job.id),
                {"key": asked, "pipeline_id": pipeline_id, "reason": reading.reason},
            )
            return reading
        await self.note_in(tx, caller, job, reading.secret, pipeline_id)
        return reading

    async def open_in(self, tx: Transaction, job: Job, key: str, facts: Facts | None) -> Reading:
        """Find a secret, hold its policy against the job, and open it; nothing is written."""
        cluster_id = job.cluster_id or ClusterId("")
        secret = await tx.secrets.by_key(job.organization_id, cluster_id, key)
        verdict = judge(rules_of(secret.policy if secret is not None else _NOBODY), facts or Facts())
        if secret is None:
            return Reading(reason="unknown")
        if facts is None or not verdict.permitted:
            return Reading(reason="policy")
        try:
            return Reading(secret, open_secret(self.context, secret))
        except Conflict as error:
            return Reading(secret, reason=error.code)

    async def note_in(
        self, tx: Transaction, caller: Caller, job: Job, secret: ClusterSecret, pipeline_id: str, **more: str
    ) -> None:
        """Write down that a job got a secret.

        Raises:
            Unavailable: the trail has not been published for too long.
        """
        await tx.secrets.note_read(secret.organization_id, secret.id, self.context.clock.now())
        data = {"key": secret.key, "job_id": job.id, "pipeline_id": pipeline_id, **more}
        await self.context.record(
            tx, caller, Action.SECRET_READ, secret.organization_id, ("secret", secret.id), data
        )
