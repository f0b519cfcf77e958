"""`pipeline upload`: documents read, interpolated, searched for secrets, sent (contract section 2.8)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx
import msgspec

from watchword.agent.errors import ApiError, ConfigError
from watchword.agent.inside.caller import Caller
from watchword.agent.inside.environment import PATTERNS_VARIABLE, secrets_of
from watchword.agent.inside.masking import Masker
from watchword.agent.redaction import MIN_BYTES, PATTERNS, secret_values
from watchword.agent.retry import always, retry
from watchword.agent.transport import segment
from watchword.domain.errors import Invalid
from watchword.domain.interpolation import interpolate_document
from watchword.yamltext import read_all_yaml

_FIRST_WAIT = 1.0
_WAIT = 5.0
_POLLS = 720
_MOST_WAIT = 60.0


class _Status(msgspec.Struct):
    state: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A text with pipeline documents, and what to call it in messages."""

    name: str
    text: str


def read_documents(
    source: Source, variables: Mapping[str, str], *, interpolation: bool
) -> list[dict[str, Any]]:
    """The pipeline documents of a text.

    Args:
        source: the text.
        variables: for interpolation.
        interpolation: whether `$NAME` is replaced.

    Raises:
        ConfigError: it is empty, cannot be read, or is no pipeline.
    """
    try:
        documents = [each for each in read_all_yaml(source.text) if each is not None]
        if interpolation:
            documents = [interpolate_document(each, variables) for each in documents]
    except Invalid as error:
        raise ConfigError(f"{source.name}: {error.message}") from None
    if not documents:
        raise ConfigError(f"{source.name} is empty")
    return [_pipeline(source, each) for each in documents]


def check_secrets(document: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Refuse a document that holds the value of a secret: it would be shown to whoever sees the build.

    Raises:
        ConfigError: it does; the message names variables and no values.
    """
    text = json.dumps(document, ensure_ascii=False)
    found = {
        name
        for name, value in _secrets(environ)
        if value in text or json.dumps(value, ensure_ascii=False)[1:-1] in text
    }
    patterns = (environ.get(PATTERNS_VARIABLE) or ",".join(PATTERNS)).split(",")
    for own in _environments(document):
        named = {name: str(value) for name, value in own.items() if not str(value).startswith("$")}
        found |= {name for name in named if any(map(_long, secret_values({name: named[name]}, patterns)))}
    if found:
        raise ConfigError(
            f"the pipeline holds the values of secrets: {', '.join(sorted(found))}. Write $$NAME to have"
            " it replaced when the job runs, or give --allow-secrets"
        )
    if Masker(environ, set()).text(text) != text:
        raise ConfigError("the pipeline holds what this job hides from its log: see --allow-secrets")


async def upload(caller: Caller, job: str, document: dict[str, Any], *, replace: bool) -> None:
    """Send one document, and wait until the server has taken it.

    Args:
        caller: makes the calls.
        job: the job that uploads.
        document: the pipeline.
        replace: drop the build's steps that have not begun.

    Raises:
        ApiError: the server refused it, or every attempt failed.
    """
    identity = str(uuid4())
    body = {"uuid": identity, "pipeline": document} | ({"replace": True} if replace else {})
    path = f"jobs/{segment(job)}/pipelines"
    answer = await retry(
        lambda: caller.connection.ask("POST", path, body=body, params={"async": "true"}),
        caller.policy.pipeline,
        caller.policy,
    )
    if answer.status_code == HTTPStatus.ACCEPTED:
        await _applied(caller, f"{path}/{segment(identity)}", _wait(answer, _FIRST_WAIT))


async def _applied(caller: Caller, path: str, wait: float) -> None:
    """Ask until the document is applied.

    Raises:
        ApiError: it is rejected, or nothing happens for an hour.
    """
    for _ in range(_POLLS):
        await caller.policy.sleep(wait)
        answer = await retry(
            lambda: caller.connection.ask("GET", path),
            caller.policy.pipeline,
            caller.policy,
            again=lambda error: error.status != HTTPStatus.UNPROCESSABLE_ENTITY and always(error),
        )
        status = msgspec.json.decode(answer.content, type=_Status)
        if status.state == "applied":
            return
        if status.state not in ("pending", "processing"):
            raise ApiError(f"GET {path}", status.message or status.state, retryable=False)
        wait = _wait(answer, _WAIT)
    raise ApiError(f"GET {path}", "the pipeline is still not applied", retryable=False)


def _wait(answer: httpx.Response, default: float) -> float:
    """What `Retry-After` says, in seconds and within reason."""
    try:
        return min(max(float(answer.headers.get("retry-after", default)), 0.0), _MOST_WAIT)
    except ValueError:
        return default


def _pipeline(source: Source, document: object) -> dict[str, Any]:
    if isinstance(document, list):
        return {"steps": document}
    if isinstance(document, dict):
        return {"steps": [], **document} if "steps" not in document else document
    raise ConfigError(f"{source.name} is neither a list of steps nor an object with steps")


def _secrets(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names and values of the environment's secrets."""
    secrets = {value for value in secrets_of(environ) if _long(value)}
    return ((name, value.strip()) for name, value in environ.items() if {value, value.strip()} & secrets)


def _environments(part: object) -> Iterator[dict[str, Any]]:
    """Every `env` of a document."""
    if isinstance(part, dict):
        if isinstance(part.get("env"), dict):
            yield part["env"]
        for value in part.values():
            yield from _environments(value)
    elif isinstance(part, list):
        for value in part:
            yield from _environments(value)


def _long(value: str) -> bool:
    return len(value.encode(errors="surrogateescape")) >= MIN_BYTES
