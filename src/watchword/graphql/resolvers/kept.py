"""What is kept beside builds and clusters: artifacts and secrets, never a secret's value."""

from watchword.domain.artifacts import Artifact
from watchword.domain.ids import ArtifactId, ClusterId, SecretId, is_uuid
from watchword.domain.pipelines import Job
from watchword.domain.secrets import ClusterSecret
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, query
from watchword.graphql.call import Call
from watchword.graphql.connections import listed
from watchword.graphql.finding import maybe, node, thing_of
from watchword.graphql.resolvers.clusters import cluster_of
from watchword.graphql.resolvers.jobs import show_job
from watchword.graphql.resolvers.organizations import owned
from watchword.services.lookups import artifact_by_id, build_by_id, job_by_id, secret_by_id
from watchword.services.queries import Access, Unit, artifacts_of, build_of


def _cluster(secret: ClusterSecret) -> ClusterId:
    return secret.cluster_id


def show_secret(secret: ClusterSecret) -> Thing:
    """A secret as an object."""
    values = {
        "id": ids.encode("Secret", secret.id),
        "uuid": secret.id,
        "key": secret.key,
        "description": secret.description or None,
        "createdAt": secret.created_at,
        "updatedAt": secret.updated_at or None,
        "destroyedAt": None,
    }
    return Thing("Secret", secret.organization_id, secret, values)


owned("Secret")
cluster_of("Secret")


@node("Secret", "secret.read", _cluster)
async def find_secret(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A secret of one of the organization's clusters."""
    secret = await secret_by_id(tx, access.id, SecretId(uuid))
    return show_secret(secret) if secret is not None else None


@query("secret", "secret.read")
async def secret_at(call: Call, arguments: Arguments) -> Thing | None:
    """By UUID."""
    uuid = str(arguments["uuid"])
    return await thing_of(call, "Secret", uuid.lower() if is_uuid(uuid) else "")


def show_artifact(artifact: Artifact) -> Thing:
    """An artifact as an object."""
    values = {
        "id": ids.encode("Artifact", artifact.id),
        "uuid": artifact.id,
        "path": artifact.path,
        "mimeType": artifact.content_type,
        "size": artifact.size,
        "sha1sum": artifact.sha1,
        "sha256sum": artifact.sha256 or None,
        "state": artifact.state.value,
        "expiresAt": None,
    }
    return Thing("Artifact", artifact.organization_id, artifact, values)


@node("Artifact", "artifact.read")
async def find_artifact(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """An artifact of one of the organization's builds."""
    artifact = await artifact_by_id(tx, access.id, ArtifactId(uuid))
    return show_artifact(artifact) if artifact is not None else None


@query("artifact", "artifact.read")
async def artifact_at(call: Call, arguments: Arguments) -> Thing | None:
    """By UUID."""
    uuid = str(arguments["uuid"])
    return await thing_of(call, "Artifact", uuid.lower() if is_uuid(uuid) else "")


@field("JobTypeCommand", "artifacts", "artifact.read")
async def artifacts_of_job(call: Call, job: Job, arguments: Arguments) -> object:
    """Files that it left, oldest first."""

    async def read(tx: Unit) -> list[Artifact]:
        build = await build_by_id(tx, job.organization_id, job.build_id)
        return await artifacts_of(tx, build) if build is not None else []

    rows = [artifact for artifact in await call.read(read) if artifact.job_id == job.id]
    return listed(rows, arguments, show_artifact, lambda artifact: artifact.id)


@field("Artifact", "job", "build.read")
async def job_of_artifact(call: Call, artifact: Artifact, _arguments: Arguments) -> Thing | None:
    """The job that left it."""
    job = await call.read(lambda tx: job_by_id(tx, artifact.organization_id, artifact.job_id))
    return show_job(job) if job is not None else None


@field("Artifact", "downloadURL", "artifact.read")
async def download_url(call: Call, artifact: Artifact, _arguments: Arguments) -> str:
    """Where REST hands it out."""

    async def read(tx: Unit) -> str:
        job = await job_by_id(tx, artifact.organization_id, artifact.job_id)
        found = await maybe(build_of(tx, job)) if job is not None else None
        if job is None or found is None:
            return ""
        pipeline, build = found
        at = ("pipelines", pipeline.slug, "builds", build.number, "jobs", job.id, "artifacts", artifact.id)
        return "/".join(str(part) for part in at)

    slug = (await call.access(artifact.organization_id)).organization.slug
    return call.site.rest("organizations", slug) + f"/{await call.read(read)}/download"
