"""Buckets of one's own as the place of artifacts, with the credentials of the job's environment."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from watchword.agent.errors import AgentError, ConfigError

if TYPE_CHECKING:
    import obstore
    from obstore.store import ObjectStore

_HOSTS = {"s3": "https://{}.s3.amazonaws.com", "gs": "https://{}.storage.googleapis.com"}
_ADDRESSES = {"s3": "BUILDKITE_S3_ACCESS_URL", "gs": "BUILDKITE_GCS_ACCESS_HOST"}


class Bucket:
    """A bucket, or a folder in it.

    Args:
        store: the bucket.
        prefix: what the names of all objects begin with.
        base: address of the bucket for whoever may read it.
    """

    def __init__(self, store: "ObjectStore", prefix: str, base: str) -> None:
        self._store = store
        self._prefix = prefix.strip("/")
        self._base = base.rstrip("/")

    def address(self, path: str) -> str:
        """The address of an artifact."""
        return f"{self._base}/{quote(self._name(path))}"

    async def put(self, path: str, source: Path, content_type: str) -> None:
        """Upload a file.

        Raises:
            AgentError: the bucket refused.
        """
        import obstore  # noqa: PLC0415 - only those who use buckets wait for it

        try:
            await obstore.put_async(
                self._store, self._name(path), source, attributes={"Content-Type": content_type}
            )
        except (obstore.exceptions.BaseError, OSError) as error:
            raise AgentError(f"the bucket refused: {_first_line(error)}") from None

    async def get(self, path: str, target: Path) -> None:
        """Download to a file.

        Raises:
            AgentError: the bucket refused.
            OSError: the file cannot be written.
        """
        import obstore  # noqa: PLC0415 - only those who use buckets wait for it

        try:
            answer = await self._found(path)
            with target.open("wb") as file:
                async for piece in answer.stream():
                    await asyncio.to_thread(file.write, piece)
        except obstore.exceptions.BaseError as error:
            raise AgentError(f"the bucket refused: {_first_line(error)}") from None

    async def _found(self, path: str) -> "obstore.GetResult":
        import obstore  # noqa: PLC0415 - only those who use buckets wait for it

        try:
            return await obstore.get_async(self._store, self._name(path))
        except OSError as error:
            raise AgentError(f"the bucket refused: {_first_line(error)}") from None

    def _name(self, path: str) -> str:
        return f"{self._prefix}/{path}".lstrip("/")


def open_bucket(destination: str, environ: Mapping[str, str]) -> Bucket:
    """The bucket that a destination names.

    Raises:
        ConfigError: it is none that this agent knows.
    """
    parts = urlsplit(destination)
    if parts.scheme not in _HOSTS or not parts.netloc:
        raise ConfigError(
            f"the destination {destination!r} is not s3://bucket/folder or gs://bucket/folder:"
            " this agent uploads to no other place than these and the server's own"
        )
    base = environ.get(_ADDRESSES[parts.scheme]) or _HOSTS[parts.scheme].format(parts.netloc)
    store = _s3(parts.netloc, environ) if parts.scheme == "s3" else _gs(parts.netloc, environ)
    return Bucket(store, parts.path, base if "://" in base else f"https://{base}/{parts.netloc}")


def _s3(bucket: str, environ: Mapping[str, str]) -> "ObjectStore":
    from obstore.store import S3Store  # noqa: PLC0415 - only those who use buckets wait for it

    names = {
        "access_key_id": ("BUILDKITE_S3_ACCESS_KEY_ID", "BUILDKITE_S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        "secret_access_key": (
            "BUILDKITE_S3_SECRET_ACCESS_KEY",
            "BUILDKITE_S3_SECRET_KEY",
            "AWS_SECRET_ACCESS_KEY",
        ),
        "session_token": ("BUILDKITE_S3_SESSION_TOKEN", "AWS_SESSION_TOKEN"),
        "region": ("BUILDKITE_S3_DEFAULT_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        "endpoint": ("BUILDKITE_S3_ENDPOINT", "AWS_ENDPOINT_URL"),
    }
    found: dict[str, str] = {
        key: value for key, variables in names.items() if (value := _first(environ, variables))
    }
    plain = found.get("endpoint", "").startswith("http://")
    return S3Store(bucket, client_options={"allow_http": plain}, **found)  # type: ignore[arg-type]


def _gs(bucket: str, environ: Mapping[str, str]) -> "ObjectStore":
    from obstore.store import GCSStore  # noqa: PLC0415 - only those who use buckets wait for it

    names = {
        "service_account_path": (
            "BUILDKITE_GS_APPLICATION_CREDENTIALS",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        "service_account_key": ("BUILDKITE_GS_APPLICATION_CREDENTIALS_JSON",),
    }
    found: dict[str, str] = {
        key: value for key, variables in names.items() if (value := _first(environ, variables))
    }
    return GCSStore(bucket, **found)  # type: ignore[arg-type]


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
