"""The store's contract for runs of Dagster jobs, their events, and what agents put into the object store."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.dagsterruns import DagsterEvent, DagsterRun, RunStatus
from watchword.domain.dagsteruploads import DagsterUpload, UploadKind
from watchword.domain.ids import DagsterUploadId, DeploymentId, OrganizationId
from watchword.store.page import Page


class DagsterRuns(Protocol):
    """Runs and their events."""

    async def next_number(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, noun: str
    ) -> int:
        """The next number of a deployment's runs or events, part of the unit."""

    async def add(self, run: DagsterRun) -> bool:
        """Insert; False if there is a run of this id."""

    async def save(self, run: DagsterRun) -> None:
        """Write status, tags and times."""

    async def find(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, run_id: str
    ) -> DagsterRun | None:
        """By id."""

    async def list(
        self,
        organization_id: OrganizationId,
        deployment_id: DeploymentId,
        statuses: Sequence[RunStatus],
        page: Page,
    ) -> Sequence[DagsterRun]:
        """Those of a deployment in some states, or in any where none is named, the latest first."""

    async def add_events(self, events: Sequence[DagsterEvent]) -> None:
        """Insert."""

    async def events(
        self,
        organization_id: OrganizationId,
        deployment_id: DeploymentId,
        run_id: str,
        after: int,
        limit: int,
    ) -> Sequence[DagsterEvent]:
        """Events of a run with a higher number, in order."""

    async def count_events(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, run_id: str
    ) -> int:
        """How many events a run has."""

    async def forget(self, before: int) -> int:
        """Delete runs that were made, and events that happened, before a time; how many."""


class DagsterUploads(Protocol):
    """What agents and runs put into the object store."""

    async def add(self, upload: DagsterUpload) -> None:
        """Insert."""

    async def find(self, organization_id: OrganizationId, upload_id: DagsterUploadId) -> DagsterUpload | None:
        """By id."""

    async def filled(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, kind: UploadKind, name: str
    ) -> Sequence[DagsterUpload]:
        """Those of a name whose bytes are there, the latest first."""

    async def fill(
        self, organization_id: OrganizationId, upload_id: DagsterUploadId, stored: int, at: int
    ) -> bool:
        """Note that the bytes have come; False if they had before."""

    async def delete(self, organization_id: OrganizationId, upload_id: DagsterUploadId) -> bool:
        """Delete the record; False if there was none."""

    async def due(self, before: int, logs_before: int, limit: int) -> Sequence[DagsterUpload]:
        """Those that were announced before a time and never came, and logs from before another."""
