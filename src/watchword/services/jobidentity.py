"""Job identity: short tokens by which a running job proves which one it is (contract agent-api §2.10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchword.crypto.identitykeys import public_jwk, sign
from watchword.crypto.keys import Key
from watchword.crypto.values import Secret
from watchword.domain.errors import NotFound
from watchword.domain.events import Action
from watchword.domain.jobidentity import Facts, Wish, check_wish, claims_of
from watchword.domain.jobpolicies import require_identity
from watchword.domain.pipelines import Job
from watchword.services.context import Caller, Context
from watchword.services.crossjobs import require_held
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """Gives identity tokens to running jobs, and says by which keys they are known."""

    context: Context

    async def mint(self, caller: Caller, job: Job, wish: Wish) -> Secret:
        """A token for a running job; its value is kept nowhere, the audit trail has what it says.

        Raises:
            Invalid: the wish is not acceptable.
            Forbidden: the organization or the pipeline does not let its jobs have this.
            NotFound: the job ended or changed hands meanwhile.
        """
        wish = check_wish(wish, self.context.installation.job_identity_seconds)
        now = self.context.clock.now()
        token_id = self.context.new_id()
        key = self.context.keys.signing(now)

        async def work(tx: Transaction) -> Mapping[str, object]:
            await require_held(tx, job)
            facts = await _facts(tx, job)
            claims = claims_of(facts, wish, issuer=self.context.installation.url, now=now, token_id=token_id)
            policies = await tx.job_policies.over(job.organization_id, facts.pipeline.id)
            require_identity(policies, str(claims["aud"]))
            said = {name: claims[name] for name in ("jti", "aud", "sub", "exp")}
            data = {**said, "key": key.number, "claims": sorted({*wish.claims, *wish.aws_session_tags})}
            await self.context.record(
                tx, caller, Action.JOB_IDENTITY_ISSUED, job.organization_id, ("job", job.id), data
            )
            return claims

        return sign(key.secret, await self.context.store.write(work))

    def published(self) -> Sequence[Mapping[str, str]]:
        """Public keys that relying parties are told of, the one that signs now first."""
        now = self.context.clock.now()
        signing = self.context.keys.signing(now)
        published: Sequence[Key] = self.context.keys.published(now)
        return [public_jwk(key.secret) for key in sorted(published, key=lambda key: key is not signing)]


async def _facts(tx: Transaction, job: Job) -> Facts:
    """What is known of a job.

    Raises:
        NotFound: something that it belongs to was deleted meanwhile.
    """
    owner = job.organization_id
    organization = await tx.accounts.organization(owner)
    build = await tx.builds.build(owner, job.build_id)
    pipeline = await tx.builds.pipeline(owner, build.pipeline_id) if build is not None else None
    agent = await tx.fleet.find(owner, job.agent_id) if job.agent_id is not None else None
    if organization is None or build is None or pipeline is None or agent is None:
        raise NotFound("This job has ended or was given to another agent.", code="job_ended")
    cluster = await tx.accounts.cluster(owner, job.cluster_id) if job.cluster_id is not None else None
    queue = await tx.accounts.queue(owner, job.queue_id) if job.queue_id is not None else None
    return Facts(organization, pipeline, build, job, agent, cluster, queue)
