"""The command that adds steps to the running build."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from watchword.agent.errors import AgentError
from watchword.agent.inside.console import JobOption, call, given, guarded, note

if TYPE_CHECKING:
    from watchword.agent.inside.caller import Caller
    from watchword.agent.inside.pipelines import Source

PLACES = tuple(
    f"{folder}{name}"
    for folder, name in (
        *(("", f"buildkite.{end}") for end in ("yml", "yaml", "json")),
        *((".buildkite/", f"pipeline.{end}") for end in ("yml", "yaml", "json")),
        *(("buildkite/", f"pipeline.{end}") for end in ("yml", "yaml", "json")),
    )
)
"""Where a pipeline is looked for if none is given; there must be one only."""

pipeline_app = App(name="pipeline", help="Change the steps of the build.")


def mount(app: App) -> None:
    """Add this command to the `agent` command."""
    app.command(pipeline_app)


@pipeline_app.command(name="upload")
def upload(
    *files: Path,
    replace: Annotated[bool, Parameter(env_var="BUILDKITE_PIPELINE_REPLACE", negative=())] = False,
    job: JobOption = None,
    dry_run: Annotated[bool, Parameter(env_var="BUILDKITE_PIPELINE_UPLOAD_DRY_RUN", negative=())] = False,
    format: Annotated[  # noqa: A002 - the flag's name
        Literal["json", "yaml"], Parameter(env_var="BUILDKITE_PIPELINE_UPLOAD_DRY_RUN_FORMAT")
    ] = "json",
    no_interpolation: Annotated[
        bool, Parameter(env_var="BUILDKITE_PIPELINE_NO_INTERPOLATION", negative=())
    ] = False,
    allow_secrets: Annotated[
        bool, Parameter(env_var="BUILDKITE_AGENT_PIPELINE_UPLOAD_ALLOW_SECRETS", negative=())
    ] = False,
    reject_secrets: Annotated[bool, Parameter(negative=(), show=False)] = True,
    apply_if_changed: Annotated[bool, Parameter(env_var="BUILDKITE_AGENT_APPLY_IF_CHANGED")] = True,
    git_diff_base: Annotated[str, Parameter(env_var="BUILDKITE_GIT_DIFF_BASE")] = "",
    fetch_diff_base: Annotated[bool, Parameter(env_var="BUILDKITE_FETCH_DIFF_BASE", negative=())] = False,
    changed_files_path: Annotated[
        Path | None, Parameter(env_var="BUILDKITE_CHANGED_FILES_PATH", show_default=False)
    ] = None,
) -> None:
    """Add steps to the running build, after the step of this job.

    Args:
        files: YAML or JSON; without any, standard input, else .buildkite/pipeline.yml and its like.
        replace: Drop the steps of the build that have not begun.
        job: The job's id.
        dry_run: Print what would be uploaded, and upload nothing.
        format: How to print it.
        no_interpolation: Leave $NAME as it is.
        allow_secrets: Upload even if the values of secrets are in it.
        reject_secrets: The default.
        apply_if_changed: Skip steps whose if_changed matches no changed file.
        git_diff_base: What to compare with; origin/ and the base or default branch unless given.
        fetch_diff_base: Fetch that first.
        changed_files_path: File with the names of the changed files; git is not asked then.
    """
    from watchword.agent.inside import changedfiles, pipelines  # noqa: PLC0415 - keeps --help quick

    del reject_secrets
    variables = dict(os.environ)
    if not no_interpolation:
        _resolve_commit(variables)
    changed = _once(
        lambda: (
            changedfiles.changed_in(changed_files_path)
            if changed_files_path
            else changedfiles.changed_since(git_diff_base or _base(), fetch=fetch_diff_base)
        ),
        on=apply_if_changed,
    )

    documents = guarded(
        lambda: [
            document
            for source in _sources(files)
            for document in pipelines.read_documents(source, variables, interpolation=not no_interpolation)
        ]
    )
    for document in documents:
        guarded(lambda: _prepare(document, changed, allow_secrets=allow_secrets))  # noqa: B023 - called at once
    if dry_run:
        for document in documents:
            _print(document, format)
        return
    which = given(job, "BUILDKITE_JOB_ID")

    async def send(caller: "Caller") -> None:
        for document in documents:
            await pipelines.upload(caller, which, document, replace=replace)
            note("The pipeline is uploaded")

    call(send)


def _prepare(
    document: dict[str, Any], changed: Callable[[], list[str] | None], *, allow_secrets: bool
) -> None:
    """Look for secrets, and resolve `if_changed`."""
    from watchword.agent.inside import changedfiles, pipelines  # noqa: PLC0415 - keeps --help quick

    if not allow_secrets:
        pipelines.check_secrets(document, os.environ)
    if isinstance(document["steps"], list):
        changedfiles.apply_if_changed(document["steps"], changed)


def _sources(files: tuple[Path, ...]) -> list["Source"]:
    """The texts to upload.

    Raises:
        AgentError: there is none, there are too many, or one cannot be read.
    """
    from watchword.agent.inside.pipelines import Source  # noqa: PLC0415 - keeps --help quick

    if not files and _has_input():
        return [Source("standard input", sys.stdin.read())]
    places = list(files) or [Path(place) for place in PLACES if Path(place).is_file()]
    if not places:
        raise AgentError("there is no pipeline: name a file, or put one at .buildkite/pipeline.yml")
    if not files and len(places) > 1:
        raise AgentError(f"there are several pipelines, keep one: {', '.join(map(str, places))}")
    try:
        return [Source(path.name, path.read_text(encoding="utf-8")) for path in places]
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(f"a pipeline cannot be read: {error}") from None


def _has_input() -> bool:
    """Whether somebody gives something on standard input: a pipe or a file, not a terminal."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return not sys.stdin.isatty()
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _resolve_commit(variables: dict[str, str]) -> None:
    """Let BUILDKITE_COMMIT be a whole hash, if this is its repository."""
    commit = variables.get("BUILDKITE_COMMIT")
    if not commit or commit.startswith("-"):
        return
    try:
        words = ("git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
        done = subprocess.run(words, capture_output=True, check=False, text=True)  # noqa: S603 - git
    except OSError:
        return
    if done.returncode == 0:
        variables["BUILDKITE_COMMIT"] = done.stdout.strip()


def _base() -> str:
    """The branch that changes are measured against."""
    for name in ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "BUILDKITE_PIPELINE_DEFAULT_BRANCH"):
        if os.environ.get(name):
            return f"origin/{os.environ[name]}"
    return "origin/main"


def _once(gather: Callable[[], list[str]], *, on: bool) -> Callable[[], list[str] | None]:
    """Gather the changed files when first asked; None if that is off or fails, which is said."""
    known: list[list[str] | None] = []

    def changed() -> list[str] | None:
        if not known:
            try:
                known.append(gather() if on else None)
            except AgentError as error:
                note(f"No step is skipped: {error}")
                known.append(None)
        return known[0]

    return changed


def _print(document: dict[str, Any], form: str) -> None:
    if form == "json":
        sys.stdout.write(f"{json.dumps(document, indent=2, ensure_ascii=False)}\n")
        return
    from ruamel.yaml import YAML  # noqa: PLC0415 - only here

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.explicit_start = True
    yaml.dump(document, sys.stdout)
