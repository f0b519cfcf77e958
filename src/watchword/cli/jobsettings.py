"""`settings jobs`: what the jobs of the organization or of one pipeline may do beyond themselves."""

from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter

from watchword.cli.client import AsJson, Client, CommandError, CredentialsFile
from watchword.cli.output import show_fields, show_json

_Text = Annotated[str, Parameter(show_default=False)]
_Texts = Annotated[list[str] | None, Parameter(negative=(), show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]
_Choice = Annotated[bool | None, Parameter(show_default=False)]


def jobs(
    *,
    pipeline: _Text = "",
    cross_job_writes: _Choice = None,
    identity_tokens: _Choice = None,
    identity_audience: _Texts = None,
    any_audience: _Switch = False,
    json: AsJson = False,
    credentials: CredentialsFile = None,
) -> None:
    """Show what jobs may do, after the changes that are named; running jobs are concerned at once.

    A pipeline's settings narrow those of the organization and never widen them.

    Args:
        pipeline: Slug of the pipeline whose jobs are meant; all of the organization unless set.
        cross_job_writes: Whether jobs write meta-data, annotations and artifacts of other jobs.
        identity_tokens: Whether jobs are given identity tokens.
        identity_audience: For whom these may be, * for any text without a slash; may be repeated.
        any_audience: Let them be for anybody.
        json: Print JSON.
        credentials: File with the server's address and an API access token.
    """
    if identity_audience and any_audience:
        raise CommandError("give --identity-audience or --any-audience, not both", code="two_audiences")
    changes: dict[str, Any] = {
        "cross_job_writes": cross_job_writes,
        "identity_tokens": identity_tokens,
        "identity_audiences": identity_audience,
    }
    body = {name: value for name, value in changes.items() if value is not None}
    if any_audience:
        body["identity_audiences"] = None
    place = f"pipelines/{quote(pipeline, safe='')}/job-settings" if pipeline else "job-settings"
    client = Client.connect(credentials)
    found = client.call("PATCH", place, body) if body else client.call("GET", place)
    if json:
        show_json(found)
        return
    show_fields(
        [
            ("Cross-job writes", "yes" if found["cross_job_writes"] else "no"),
            ("Identity tokens", "yes" if found["identity_tokens"] else "no"),
            ("For", " ".join(found["identity_audiences"] or ()) or "anybody"),
        ]
    )
