"""The command by which a job asks for an identity token (contract sections 2.10 and 7.2)."""

import os
import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from watchword.agent.inside.console import JobOption, call, fail, given

oidc_app = App(name="oidc", help="Prove to others which job this is.")

_List = Annotated[list[str] | None, Parameter(show_default=False, negative=())]


def mount(app: App) -> None:
    """Add these commands to the `agent` command."""
    app.command(oidc_app)


@oidc_app.command(name="request-token")
def request_token(
    *,
    audience: Annotated[str, Parameter(show_default=False)] = "",
    lifetime: int = 0,
    job: JobOption = None,
    claim: Annotated[_List, Parameter(env_var="BUILDKITE_OIDC_TOKEN_CLAIMS")] = None,
    aws_session_tag: Annotated[_List, Parameter(env_var="BUILDKITE_OIDC_TOKEN_AWS_SESSION_TAGS")] = None,
    subject_claim: Annotated[
        str, Parameter(env_var="BUILDKITE_OIDC_TOKEN_SUBJECT_CLAIM", show_default=False)
    ] = "",
    skip_redaction: Annotated[
        bool,
        Parameter(env_var="BUILDKITE_AGENT_OIDC_REQUEST_TOKEN_SKIP_TOKEN_REDACTION", negative=()),
    ] = False,
    format: Literal["jwt", "gcp"] = "jwt",  # noqa: A002 - the flag's name
) -> None:
    """Print an identity token of this job, which the job's log does not show.

    Args:
        audience: Who it is for; the organization's address unless set.
        lifetime: Seconds that it lives; 0 leaves it to the server.
        job: The job; no other than this one is given a token.
        claim: Claims to add, several or separated by commas.
        aws_session_tag: Claims that AWS takes as session tags, several or separated by commas.
        subject_claim: Id that stands as the subject, as pipeline_id.
        skip_redaction: Let the job's log show the token.
        format: gcp: as a JSON object for Google's workload identity federation.
    """
    from watchword.agent.inside import oidc  # noqa: PLC0415 - keeps --help quick

    if lifetime < 0:
        fail(f"the lifetime {lifetime} is no number of seconds from 0")
    wish = oidc.Wish(
        audience=audience,
        lifetime=lifetime,
        claims=_split(claim),
        aws_session_tags=_split(aws_session_tag),
        subject_claim=subject_claim,
    )
    which = given(job, "BUILDKITE_JOB_ID")
    token = call(lambda caller: oidc.request(caller, which, wish))
    if not skip_redaction:
        oidc.redact(os.environ, token, fail)
    shown = oidc.for_google(token) if format == "gcp" else token.reveal()
    sys.stdout.write(f"{shown}\n")


def _split(texts: list[str] | None) -> list[str]:
    """Names of a flag that comes several times, or once with commas."""
    return [name.strip() for text in texts or () for name in text.split(",") if name.strip()]
