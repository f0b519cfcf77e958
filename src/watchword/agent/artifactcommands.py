"""The commands about artifacts."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from watchword.agent.inside.console import BuildOption, JobOption, call, fail, given, note

if TYPE_CHECKING:
    from watchword.agent.inside.artifactwire import Found

_Step = Annotated[str, Parameter(show_default=False)]
_Retried = Annotated[bool, Parameter(env_var="BUILDKITE_AGENT_INCLUDE_RETRIED_JOBS", negative=())]
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"'}

artifact_app = App(name="artifact", help="Upload, find and download artifacts.")


def mount(app: App) -> None:
    """Add these commands to the `agent` command."""
    app.command(artifact_app)


@artifact_app.command(name="upload")
def upload(
    *places: str,
    job: JobOption = None,
    content_type: Annotated[str, Parameter(env_var="BUILDKITE_ARTIFACT_CONTENT_TYPE")] = "",
    literal: Annotated[bool, Parameter(env_var="BUILDKITE_AGENT_ARTIFACT_LITERAL", negative=())] = False,
    delimiter: Annotated[str, Parameter(env_var="BUILDKITE_AGENT_ARTIFACT_DELIMITER")] = ";",
    glob_resolve_follow_symlinks: Annotated[
        bool, Parameter(env_var="BUILDKITE_AGENT_ARTIFACT_GLOB_RESOLVE_FOLLOW_SYMLINKS", negative=())
    ] = False,
    upload_skip_symlinks: Annotated[
        bool, Parameter(env_var="BUILDKITE_ARTIFACT_UPLOAD_SKIP_SYMLINKS", negative=())
    ] = False,
) -> None:
    """Upload files as artifacts of the job.

    Args:
        places: The patterns, with ; between them, and a destination such as s3://bucket/folder if the
            server is not to keep them.
        job: The job's id.
        content_type: Of all files; unless given, by their names.
        literal: Take the patterns as the names of files.
        delimiter: What stands between patterns; empty: there is one.
        glob_resolve_follow_symlinks: Let ** go into folders that are links.
        upload_skip_symlinks: Leave out files that are links.
    """
    from watchword.agent.inside.artifactfiles import Choice  # noqa: PLC0415 - keeps --help quick
    from watchword.agent.inside.artifacts import Artifacts  # noqa: PLC0415 - the same

    if not places or len(places) > 2:  # noqa: PLR2004 - patterns and destination
        fail("give the patterns, in quotes, and a destination or none")
    destination = places[1] if places[1:] else os.environ.get("BUILDKITE_ARTIFACT_UPLOAD_DESTINATION", "")
    patterns = places[0].split(delimiter) if delimiter else [places[0]]
    choice = Choice(
        [pattern.strip() for pattern in patterns if pattern.strip()],
        literal=literal,
        follow=glob_resolve_follow_symlinks,
        skip_links=upload_skip_symlinks,
        content_type=content_type,
    )
    which = given(job, "BUILDKITE_JOB_ID")
    call(lambda caller: Artifacts(caller, note).upload(which, choice, Path.cwd(), destination))


@artifact_app.command(name="search")
def search(
    pattern: str,
    /,
    *,
    step: _Step = "",
    build: BuildOption = None,
    include_retried_jobs: _Retried = False,
    allow_empty_results: Annotated[bool, Parameter(negative=())] = False,
    format: str = "%j %p %c\\n",  # noqa: A002 - the flag's name
) -> None:
    """Print what is found. Status 1 if that is nothing.

    Args:
        pattern: What to look for; * stands for any characters.
        step: Key or label of a step, or id of a job.
        build: The build's id.
        include_retried_jobs: Those of jobs that were retried too.
        allow_empty_results: Status 0 if nothing is found.
        format: One artifact: %i id, %p path, %c time, %j job, %s bytes, %S SHA-1, %T SHA-256, %u address.
    """
    from watchword.agent.inside.artifacts import Artifacts, Query  # noqa: PLC0415 - keeps --help quick

    query = Query(pattern, given(build, "BUILDKITE_BUILD_ID"), step, include_retried_jobs)
    found = call(lambda caller: Artifacts(caller, note).search(query, duplicates=True))
    if not found and not allow_empty_results:
        fail(f"no artifacts match {pattern!r}")
    form = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), format)
    sys.stdout.writelines(_filled(form, artifact) for artifact in found)


@artifact_app.command(name="download")
def download(
    pattern: str,
    folder: Path,
    /,
    *,
    step: _Step = "",
    build: BuildOption = None,
    include_retried_jobs: _Retried = False,
) -> None:
    """Download what is found.

    Args:
        pattern: What to look for; * stands for any characters.
        folder: Where to; the artifacts' folders are made below it.
        step: Key or label of a step, or id of a job.
        build: The build's id.
        include_retried_jobs: Those of jobs that were retried too.
    """
    from watchword.agent.inside.artifacts import Artifacts, Query  # noqa: PLC0415 - keeps --help quick

    if not folder.is_dir():
        fail(f"{folder} is not a folder")
    query = Query(pattern, given(build, "BUILDKITE_BUILD_ID"), step, include_retried_jobs)
    call(lambda caller: Artifacts(caller, note).download(query, folder))


@artifact_app.command(name="shasum")
def shasum(
    pattern: str,
    /,
    *,
    sha256: Annotated[bool, Parameter(negative=())] = False,
    step: _Step = "",
    build: BuildOption = None,
    include_retried_jobs: _Retried = False,
) -> None:
    """Print the checksum of the one artifact that is found.

    Args:
        pattern: What to look for.
        sha256: SHA-256 instead of SHA-1.
        step: Key or label of a step, or id of a job.
        build: The build's id.
        include_retried_jobs: Those of jobs that were retried too.
    """
    from watchword.agent.inside.artifacts import Artifacts, Query  # noqa: PLC0415 - keeps --help quick

    query = Query(pattern, given(build, "BUILDKITE_BUILD_ID"), step, include_retried_jobs)
    value = call(lambda caller: Artifacts(caller, note).checksum(query, sha256=sha256))
    sys.stdout.write(f"{value}\n")


def _filled(form: str, artifact: "Found") -> str:
    values = {
        "%i": artifact.id,
        "%p": artifact.path,
        "%c": artifact.created_at,
        "%j": artifact.job_id,
        "%s": str(artifact.file_size),
        "%S": artifact.sha1sum,
        "%T": artifact.sha256sum or "",
        "%u": artifact.url or "",
    }
    return re.sub("%[ipcjsSTu]", lambda match: values[match[0]], form)
