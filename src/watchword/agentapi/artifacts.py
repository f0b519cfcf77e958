"""Artifacts: announced, settled, searched (contract agent-api §2.5)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from watchword.agentapi.jobs import JOB, verify_reader
from watchword.agentapi.reaching import reach_job, require_build
from watchword.agentapi.wire import (
    ANNOUNCE,
    OUTCOMES,
    Announce,
    ArtifactOutcome,
    FoundArtifact,
    Instructions,
    Taken,
    UploadAction,
)
from watchword.domain.artifacts import Artifact
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.ids import BuildId, is_uuid
from watchword.domain.jobrights import JobRight
from watchword.edge.http import EMPTY, Request, Response, decode
from watchword.edge.router import Route
from watchword.services.artifacts import (
    Announced,
    Announcement,
    File,
    Outcome,
    Search,
    announce,
    search,
    settle,
)
from watchword.services.authority import Authority
from watchword.services.links import SEARCH_SECONDS, UPLOADS, download_link
from watchword.services.logs import build_for_job

_LIMIT = 2 * 1024 * 1024
_STATES = ("finished", "error")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Artifacts:
    """Handlers of what a job says of its files."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        return [
            Route("POST", "/v3/jobs/{job_id}/artifacts", self.announce, JOB, right=JobRight.ARTIFACTS_WRITE),
            Route("PUT", "/v3/jobs/{job_id}/artifacts", self.settle, JOB, right=JobRight.ARTIFACTS_WRITE),
            Route(
                "GET",
                "/v3/builds/{build_id}/artifacts/search",
                self.search,
                JOB,
                right=JobRight.ARTIFACTS_READ,
            ),
        ]

    async def announce(self, request: Request, job_id: str) -> Response:
        """§2.5 step 1: what files come, and where to send them."""
        reached = await reach_job(self.authority, request, job_id, JobRight.CROSS_JOB_WRITE)
        asked = _announcement(decode(ANNOUNCE, await request.body(_LIMIT)))
        site = self._site(request)
        taken = await announce(self.authority.context, reached.job, asked, site, reached.writer)
        return Response.json(_taken(asked, taken, site), 201)

    async def settle(self, request: Request, job_id: str) -> Response:
        """§2.5 step 3: which of them arrived. Every refusal is tried ten times by agents."""
        reached = await reach_job(self.authority, request, job_id, JobRight.CROSS_JOB_WRITE)
        outcomes = decode(OUTCOMES, await request.body(_LIMIT)).artifacts
        found = [_outcome(one) for one in outcomes]
        await settle(self.authority.context, reached.job, found, reached.writer)
        return EMPTY

    async def search(self, request: Request, build_id: str) -> Response:
        """§2.5 step 4: never a 404, which agents would try again for 45 seconds (trap 12)."""
        job = await verify_reader(self.authority, request)
        require_build(job, build_id)
        query = request.query()
        wanted = Search(
            pattern=query.get("query", "*"),
            scope=query.get("scope", ""),
            state=query.get("state") or "finished",
            retried=query.get("include_retried_jobs") == "true",
            duplicates=query.get("include_duplicates") == "true",
        )
        context = self.authority.context
        try:
            if not is_uuid(build_id):
                return Response.json([])
            owner, build = await build_for_job(context, job, BuildId(build_id.lower()))
        except NotFound:
            return Response.json([])
        site = self._site(request)
        found = await search(context, owner, build, wanted)
        links = [download_link(context, site, artifact, SEARCH_SECONDS) for artifact in found]
        return Response.json([_shown(*pair) for pair in zip(found, links, strict=True)])

    def _site(self, request: Request) -> str:
        """The address that the agent reaches us by: ours, or where that is of this machine alone, its own."""
        site = self.authority.context.installation.url
        host = request.headers.get(b"host", b"").decode("latin-1")
        if host and urlsplit(site).hostname in _LOOPBACK:
            return f"{request.scope['scheme']}://{host}"
        return site


def _announcement(asked: Announce) -> Announcement:
    files = [
        File(
            path=one.path,
            size=one.file_size,
            absolute_path=one.absolute_path or "",
            glob_path=one.glob_path or "",
            content_type=one.content_type or "",
            sha1=one.sha1sum or "",
            sha256=one.sha256sum or "",
            url=one.url or "",
        )
        for one in asked.artifacts
    ]
    return Announcement(asked.id, files, asked.upload_destination or "", bool(asked.multipart_supported))


def _taken(asked: Announcement, taken: Announced, site: str) -> Taken:
    """The answer; its form serves every artifact that has no instructions of its own."""
    split = urlsplit(site)
    form = Instructions(
        action=UploadAction(
            # The agent puts `path` in the place of the address's own.
            url=f"{split.scheme}://{split.netloc}",
            path=f"{split.path}{UPLOADS}",
            method="POST",
            file_input="file",
        ),
        data={"path": "${artifact:path}", **taken.form},
    )
    own = {
        artifact_id: Instructions(
            actions=[
                UploadAction(url=address, method="PUT", part_number=number)
                for number, address in enumerate(addresses, 1)
            ]
        )
        for artifact_id, addresses in taken.addresses.items()
    }
    return Taken(
        id=asked.batch_id,
        artifact_ids=[artifact.id for artifact in taken.artifacts],
        upload_instructions=form,
        per_artifact_instructions={str(artifact_id): each for artifact_id, each in own.items()},
    )


def _outcome(one: ArtifactOutcome) -> Outcome:
    if one.state not in _STATES:
        raise Invalid("The state of an artifact is finished or error.", code="invalid_state")
    receipts = {tag.part_number: tag.etag for tag in one.multipart_etags or ()}
    return Outcome(one.id, one.state == "finished", receipts)


def _shown(artifact: Artifact, url: str) -> FoundArtifact:
    created = _EPOCH + timedelta(microseconds=artifact.created_at)
    return FoundArtifact(
        id=artifact.id,
        job_id=artifact.job_id,
        path=artifact.path,
        absolute_path=artifact.absolute_path,
        glob_path=artifact.glob_path,
        content_type=artifact.content_type,
        file_size=artifact.size,
        sha1sum=artifact.sha1,
        sha256sum=artifact.sha256,
        created_at=created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        url=url,
        upload_destination=artifact.upload_destination,
    )
