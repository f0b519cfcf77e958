"""The client commands' way to the server: where it is, with which token, and what it answers."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from watchword.cli.output import clean
from watchword.crypto.values import Secret
from watchword.domain.errors import WatchwordError

if TYPE_CHECKING:
    import httpx

DEFAULT_FILE = Path("watchword-data") / "credentials.json"
MAX_FILE = 64 * 1024
TIMEOUT_S = 30.0
_PAGE = 100
_BAD = 400
_NO_CONTENT = 204
_TOO_MANY = 429
# Longer than a window of the server's budgets.
_MOST_SECONDS = 60
_TRIES = 3

CredentialsFile = Annotated[Path | None, Parameter(show_default=False)]
AsJson = Annotated[bool, Parameter(name="--json", negative=())]

_HOW = """no credentials. Give them in one of these ways:
  --credentials FILE, or WATCHWORD_CREDENTIALS=FILE   the file that `watchword up --credentials FILE` writes
  WATCHWORD_URL and WATCHWORD_TOKEN                   address of the server, and an API access token
  watchword-data/credentials.json                     found in the current folder"""


class CommandError(WatchwordError):
    """A client command cannot do what it was asked."""

    code = "command_failed"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the server is and what opens it; what is not given there is empty."""

    url: str
    token: Secret
    organization: str = ""
    cluster_id: str = ""


def pause(seconds: float) -> None:
    """Wait before a request is repeated, because a budget is used up."""
    time.sleep(seconds)


def find_credentials(file: Path | None, environment: Mapping[str, str]) -> Credentials:
    """Find credentials: named file, environment, file in the current folder.

    Args:
        file: what `--credentials` names.
        environment: environment variables.

    Raises:
        CommandError: there are none, or the file is not one of ours.
    """
    named = file or (Path(text) if (text := environment.get("WATCHWORD_CREDENTIALS")) else None)
    url, token = environment.get("WATCHWORD_URL", ""), environment.get("WATCHWORD_TOKEN", "")
    if named is None and not (url and token) and DEFAULT_FILE.exists():
        named = DEFAULT_FILE
    if named is not None:
        known = _read(named)
    elif url and token:
        known = {"rest_url": url, "api_access_token": token}
    else:
        raise CommandError(_HOW, code="no_credentials")
    value = known.get("api_access_token", "").strip()
    address = (known.get("rest_url") or known.get("url") or "").rstrip("/")
    if not value.isascii() or not value.isprintable() or not value or not address:
        raise CommandError("the credentials name no server or no usable token", code="bad_credentials")
    return Credentials(
        url=address,
        token=Secret(value),
        organization=environment.get("WATCHWORD_ORGANIZATION") or known.get("organization", ""),
        cluster_id=environment.get("WATCHWORD_CLUSTER") or known.get("cluster_id", ""),
    )


def _read(path: Path) -> dict[str, str]:
    """Read a credentials file; what is in it never appears in a message."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MAX_FILE))
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", code="bad_credentials") from None
    except (ValueError, RecursionError):
        raise CommandError(f"{path} is not JSON", code="bad_credentials") from None
    if not isinstance(document, dict):
        raise CommandError(f"{path} holds no JSON object", code="bad_credentials")
    return {str(key): value for key, value in document.items() if isinstance(value, str)}


def open_http(credentials: Credentials) -> "httpx.Client":
    """The HTTP client of a command; it follows no redirect, so that the token stays where it belongs.

    Without a token it names none: some addresses answer everybody.

    Raises:
        CommandError: the address is none.
    """
    import httpx  # noqa: PLC0415 - keeps --help quick

    headers = {"User-Agent": "watchword-cli"}
    if credentials.token.reveal():
        headers["Authorization"] = f"Bearer {credentials.token.reveal()}"
    try:
        return httpx.Client(base_url=credentials.url, headers=headers, timeout=TIMEOUT_S)
    except (httpx.InvalidURL, ValueError):
        raise CommandError(f"{credentials.url} is no address", code="bad_credentials") from None


class Client:
    """A small REST client.

    Args:
        credentials: where to, and with what.
        http: sends the requests.
    """

    def __init__(self, credentials: Credentials, http: "httpx.Client") -> None:
        self.credentials = credentials
        self._http = http
        self._organization = credentials.organization

    @classmethod
    def connect(cls, file: Path | None) -> "Client":
        """A client with the credentials that are found.

        Raises:
            CommandError: there are none.
        """
        credentials = find_credentials(file, os.environ)
        return cls(credentials, open_http(credentials))

    @property
    def organization(self) -> str:
        """Slug of the organization: as given, or the first one that the token reaches.

        Raises:
            CommandError: it reaches none.
        """
        if not self._organization:
            found = self.call("GET", "/v2/organizations")
            if not found:
                raise CommandError("the token reaches no organization", code="no_organization")
            self._organization = str(found[0]["slug"])
        return self._organization

    def cluster(self, given: str | None = None) -> str:
        """Id of the cluster: as given, else that of the credentials, else `Default`, else the only one.

        Raises:
            CommandError: none can be told.
        """
        known = given or self.credentials.cluster_id
        if known:
            return known
        found = list(self.every("clusters"))
        named = [one for one in found if one["name"] == "Default"] or found
        if len(named) != 1:
            raise CommandError("name the cluster with --cluster ID or WATCHWORD_CLUSTER", code="no_cluster")
        return str(named[0]["id"])

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:  # noqa: ANN401 - JSON
        """Ask the server and return the decoded answer.

        Args:
            method: HTTP method.
            path: below the organization, or from the root where it begins with a slash.
            body: sent as JSON.
            query: query parameters.

        Raises:
            CommandError: it refuses or cannot be reached.
        """
        response = self.raw(method, path, body, query)
        if response.status_code == _NO_CONTENT:
            return None
        try:
            return response.json()
        except ValueError:
            raise CommandError("the server's answer is no JSON", code="bad_answer") from None

    def raw(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        passing: tuple[int, ...] = (),
    ) -> "httpx.Response":
        """Ask the server; an error's message and code become a `CommandError`.

        Args:
            method: HTTP method.
            path: as in `call`.
            body: sent as JSON.
            query: query parameters.
            headers: further headers.
            passing: error statuses that are no error here.

        Raises:
            CommandError: it refuses or cannot be reached.
        """
        import httpx  # noqa: PLC0415 - keeps --help quick

        target = path if path.startswith("/") else f"/v2/organizations/{self.organization}/{path}"
        for left in reversed(range(_TRIES)):
            try:
                response = self._http.request(
                    method, target, json=body, params=query or None, headers=headers
                )
            except httpx.HTTPError as error:
                raise CommandError(
                    f"cannot reach {self.credentials.url} ({type(error).__name__}); is the server running?",
                    code="unreachable",
                ) from None
            if response.status_code != _TOO_MANY or not left:
                break
            wait = response.headers.get("retry-after", "1")
            pause(min(int(wait), _MOST_SECONDS) if wait.isdecimal() else 1)
        if response.status_code < _BAD or response.status_code in passing:
            return response
        raise _refusal(response)

    def every(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """Everything that a page-style list holds."""
        number = 1
        while True:
            items: list[dict[str, Any]] = self.call("GET", path, page=number, per_page=_PAGE, **query)
            yield from items
            if len(items) < _PAGE:
                return
            number += 1


def _reason(document: dict[str, Any]) -> str:
    """What a refusal says: its sentence, or the list of what is wrong with a pipeline or build."""
    errors = document.get("errors") or []
    return "; ".join(str(one["code"]) for one in errors) or str(document["message"])


def _refusal(response: "httpx.Response") -> CommandError:
    try:
        document = response.json()
        message, code = _reason(document), str(document.get("code", response.status_code))
    except (ValueError, KeyError, TypeError, AttributeError):
        message, code = f"the server answers {response.status_code}", "bad_answer"
    return CommandError(clean(message), code=clean(code), status=response.status_code)
