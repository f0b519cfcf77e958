"""Quotas: what one organization, build or job may take; generous unless the operator narrows them."""

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Limits of an installation; 0 means none.

    Attributes:
        organization_artifact_bytes: bytes of artifacts that an organization may keep.
        build_artifact_bytes: bytes of artifacts of one build.
        build_artifacts: number of artifacts of one build.
        build_jobs: number of jobs of one build, retries included.
        job_log_bytes: bytes of a job's log; what comes after is left out, with a mark.
        package_file_bytes: bytes of one file in a package registry.
        registry_bytes: bytes that one package registry may keep.
        organization_agents: agents of an organization at the same time.
        organization_builds: builds of an organization that have not ended.
        cluster_cache_entries: caches that the jobs of a cluster have saved.
        cluster_cache_bytes: bytes of them, wherever they are.
        organization_stacks: stacks of an organization that are registered.
    """

    organization_artifact_bytes: int = 1000 * GIB
    build_artifact_bytes: int = 100 * GIB
    build_artifacts: int = 100_000
    build_jobs: int = 10_000
    job_log_bytes: int = GIB
    package_file_bytes: int = GIB
    registry_bytes: int = 100 * GIB
    organization_agents: int = 100_000
    organization_builds: int = 10_000
    cluster_cache_entries: int = 10_000
    cluster_cache_bytes: int = 1000 * GIB
    organization_stacks: int = 1_000
