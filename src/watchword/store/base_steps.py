"""The store's contract for steps of builds and pipeline uploads."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.buildsteps import BuildStep, Outcome, StepState, Upload, UploadState
from watchword.domain.ids import BuildId, JobId, OrganizationId, StepId


class Steps(Protocol):
    """Steps of builds, and the uploads that brought some of them."""

    async def add(self, step: BuildStep) -> None:
        """Insert."""

    async def find(self, organization_id: OrganizationId, step_id: StepId) -> BuildStep | None:
        """By id."""

    async def of_build(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[BuildStep]:
        """Steps of a build, in order."""

    async def make_room(
        self, organization_id: OrganizationId, build_id: BuildId, after: int, count: int
    ) -> None:
        """Move the steps of a build that stand after a position on by a number."""

    async def set_state(
        self, organization_id: OrganizationId, step_id: StepId, state: StepState, outcome: Outcome
    ) -> None:
        """Write where a step stands."""

    async def unblock(self, step: BuildStep) -> bool:
        """Write who unblocked it, when and with what; False if it was unblocked before."""

    async def edit(self, step: BuildStep) -> None:
        """Write the changed step and the keys of its changes."""

    async def drop(self, organization_id: OrganizationId, step_id: StepId) -> None:
        """Delete."""

    async def add_upload(self, upload: Upload) -> bool:
        """Insert; False if the job has one of this id."""

    async def upload(self, organization_id: OrganizationId, job_id: JobId, upload_id: str) -> Upload | None:
        """By job and id."""

    async def set_upload(self, upload: Upload, state: UploadState, message: str) -> bool:
        """Pending → another state; its document is not kept. False if it was not pending."""

    async def pending_uploads(self) -> Sequence[Upload]:
        """Uploads of all organizations that wait, oldest first."""
