"""Repository tokens: what a running job gets to clone its pipeline's repository (contract agent-api §2.10).

Which source serves a job is told by its pipeline's repository, never by what the job asks for; what it may
ask for is that repository, and those that the source names besides. Grants are written down before anybody
else is asked; a refusal says the same whatever was missing.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from watchword.crypto.sealing import unseal
from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.pipelines import Job
from watchword.domain.repositories import repository_name
from watchword.domain.repositorycredentials import RepositoryCredential, Source, best
from watchword.domain.secretpolicy import Facts, judge
from watchword.services.context import Caller, Context
from watchword.services.egress import Egress
from watchword.services.githubapps import installation_token
from watchword.services.jobsecrets import JobSecrets, require_running
from watchword.services.queries import build_of
from watchword.services.secretpolicies import facts_of, rules_of
from watchword.store.base import EVERYTHING, Transaction

REFUSED = "repository_token_refused"


@dataclass(frozen=True, slots=True)
class _Grant:
    """What a job gets: a value, or an App's key to get one by."""

    credential: RepositoryCredential
    value: Secret


@dataclass(slots=True)
class RepositoryTokens:
    """Gives jobs tokens for their repositories."""

    context: Context
    job_secrets: JobSecrets
    egress: Egress

    async def issue(self, caller: Caller, job: Job, url: str) -> Secret:
        """A token for a repository of the job's pipeline.

        Raises:
            Invalid: the address is none over HTTPS.
            NotFound: there is no source for it, or the job may not have it.
            Conflict: the job does not run, or the code host gives no token.
            TooMany: the job has asked too often.
        """
        self.job_secrets.limit.spend_as(job.id, 1)
        require_running(job)
        name = repository_name(url)
        if not name or urlsplit(url).scheme != "https":
            raise Invalid("repo_url is the address of a repository over HTTPS.", code="invalid_repository")
        grant = await self.context.store.write(lambda tx: self._grant_in(tx, caller, job, url))
        if grant is None:
            now = self.context.clock.now()
            self.job_secrets.ledger.refuse(REFUSED, caller.address, job.id, now, job.organization_id)
            raise NotFound("No credentials for this repository, or this job may not have them.", code=REFUSED)
        if grant.credential.source is Source.SECRET:
            return grant.value
        path = name.partition("/")[2]
        now = self.context.clock.now()
        return await installation_token(self.egress, grant.credential, grant.value, path, now)

    async def _grant_in(self, tx: Transaction, caller: Caller, job: Job, url: str) -> _Grant | None:
        facts = await facts_of(tx, job)
        credential = await self._source_in(tx, job)
        grant, reason = await self._judge_in(tx, caller, job, url, facts, credential)
        data = {
            "repository": repository_name(url),
            "job_id": job.id,
            "pipeline_id": facts.pipeline_id if facts is not None else "",
        }
        action, subject = Action.REPOSITORY_TOKEN_REFUSED, ("job", str(job.id))
        if grant is None:
            data["reason"] = reason
        else:
            action = Action.REPOSITORY_TOKEN_ISSUED
            subject = ("repository_credential", grant.credential.id)
            now = self.context.clock.now()
            await tx.repositories.note_use(job.organization_id, grant.credential.id, now)
        await self.context.record(tx, caller, action, job.organization_id, subject, data)
        return grant

    async def _source_in(self, tx: Transaction, job: Job) -> tuple[RepositoryCredential, str] | None:
        """The source for the job's pipeline, and the pipeline's repository."""
        pipeline, _ = await build_of(tx, job)
        if job.cluster_id is None:
            return None
        rows = await tx.repositories.list(job.organization_id, job.cluster_id, EVERYTHING)
        found = best(rows, pipeline.repository)
        return (found, pipeline.repository) if found is not None else None

    async def _judge_in(
        self,
        tx: Transaction,
        caller: Caller,
        job: Job,
        url: str,
        facts: Facts | None,
        source: tuple[RepositoryCredential, str] | None,
    ) -> tuple[_Grant | None, str]:
        """What the job gets, or why it gets nothing, for the trail alone."""
        if source is None or facts is None:
            return None, "unknown"
        credential, repository = source
        if not credential.grants(repository, url):
            return None, "other_repository"
        if not judge(rules_of(credential.policy), facts).permitted:
            return None, "policy"
        if credential.source is Source.GITHUB_APP:
            key = unseal(self.context.keys, credential.sealed, credential.bound_to)
            return (None, "sealed") if key is None else (_Grant(credential, Secret(key.decode())), "")
        reading = await self.job_secrets.open_in(tx, job, credential.secret_key, facts)
        if reading.secret is None or reading.value is None:
            return None, f"secret_{reading.reason}"
        await self.job_secrets.note_in(
            tx, caller, job, reading.secret, facts.pipeline_id, repository=repository_name(url)
        )
        value = reading.value.reveal().strip()
        if not value or not value.isprintable():
            raise Conflict(
                "The secret for this repository is no token: it has several lines.",
                code="repository_token_failed",
            )
        return _Grant(credential, Secret(value)), ""
