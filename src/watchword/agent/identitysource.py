"""Identity tokens that a platform gives on request, by what it put into the environment."""

from collections.abc import Mapping
from urllib.parse import quote

from watchword.agent.errors import ConfigError

URL_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL"
TOKEN_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_SECONDS = 10


def ask_github(audience: str, environ: Mapping[str, str]) -> str:
    """Ask GitHub Actions for the job's identity token, as its own toolkit does.

    Raises:
        ConfigError: the job may have none, or there is no answer. The message shows no secret.
    """
    import httpx  # noqa: PLC0415 - slow to import, needed in such a job alone

    url, token = environ.get(URL_VARIABLE), environ.get(TOKEN_VARIABLE)
    if not url or not token:
        raise ConfigError(f"{URL_VARIABLE} is not set: give the job the permission id-token: write")
    try:
        answer = httpx.get(
            f"{url}&audience={quote(audience, safe='')}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=_SECONDS,
        )
        found = answer.json() if answer.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ConfigError(f"GitHub Actions gave no identity token: {type(error).__name__}") from None
    value = found.get("value") if isinstance(found, dict) else None
    if not isinstance(value, str):
        raise ConfigError(f"GitHub Actions gave no identity token: answer {answer.status_code}")
    return value
