"""Carries the bytes of artifacts: by form, in parts, or into a file. No token goes with them."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx

from watchword.agent.errors import ApiError
from watchword.agent.inside.artifactfiles import LocalFile
from watchword.agent.inside.artifactwire import Action, Etag, Instructions
from watchword.agent.retry import Policy, always, retry

_PIECE = 256 * 1024
_TIMEOUT = httpx.Timeout(60.0, read=None, write=None)
_PLACE = "${artifact:path}"


class Carrier:
    """Uploads and downloads.

    Args:
        http: the client; requests carry nothing but what the server's instructions say.
        policy: the clock and the attempts.
    """

    def __init__(self, http: httpx.AsyncClient, policy: Policy) -> None:
        self._http = http
        self._policy = policy

    async def upload(self, file: LocalFile, instructions: Instructions) -> list[Etag]:
        """Upload one file; gives what the storage said to its parts, if there were any.

        Raises:
            ApiError: an attempt of each of the calls failed too often.
        """
        if instructions.actions:
            return await self._parts(file, sorted(instructions.actions, key=lambda each: each.part_number))
        action = instructions.action
        if action is None:
            raise ApiError("artifact upload", "the server gave no instructions", retryable=False)
        await retry(
            lambda: self._form(file, action, instructions.data or {}),
            self._policy.artifact_bytes,
            self._policy,
            again=always,
        )
        return []

    async def download(self, url: str, target: Path) -> None:
        """Download to a file, which appears when it is whole.

        Raises:
            ApiError: every attempt failed.
            OSError: the file cannot be written.
        """
        await retry(
            lambda: self._into(url, target), self._policy.artifact_download, self._policy, again=always
        )

    async def _form(self, file: LocalFile, action: Action, data: dict[str, str]) -> None:
        place = file.described.path
        fields = {name: value.replace(_PLACE, place) for name, value in data.items()}
        url = urlunsplit(urlsplit(action.url)._replace(path=action.path)) if action.path else action.url
        with file.path.open("rb") as stream:
            files = {action.file_input: (place, stream, "application/octet-stream")}
            await self._send(action.method, url, data=fields, files=files)

    async def _parts(self, file: LocalFile, actions: list[Action]) -> list[Etag]:
        """The file in as many nearly equal parts as there are actions; the first ones have the odd bytes."""
        size, count = file.described.file_size, len(actions)
        etags, offset = [], 0
        for index, action in enumerate(actions):
            length = size // count + (1 if index < size % count else 0)
            etags.append(await self._part(file, action, offset, length))
            offset += length
        return etags

    async def _part(self, file: LocalFile, action: Action, offset: int, length: int) -> Etag:
        headers = {"Content-Type": file.described.content_type, "Content-Length": str(length)}

        async def attempt() -> Etag:
            content = _slice(file.path, offset, length)
            answer = await self._send(action.method, action.url, content=content, headers=headers)
            etag = answer.headers.get("etag")
            if not etag:
                raise ApiError("artifact upload", "the storage gave no ETag to a part", retryable=True)
            return Etag(action.part_number, etag)

        return await retry(attempt, self._policy.artifact_bytes, self._policy, again=always)

    async def _send(self, method: str, url: str, **content: object) -> httpx.Response:
        place = _shown(url)
        try:
            answer = await self._http.request(method, url, timeout=_TIMEOUT, **content)  # type: ignore[arg-type]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ApiError(f"{method} {place}", reason, retryable=True) from None
        if not answer.is_success:
            raise _refusal(f"{method} {place}", answer)
        return answer

    async def _into(self, url: str, target: Path) -> None:
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        place = f"GET {_shown(url)}"
        try:
            async with self._http.stream("GET", url, timeout=_TIMEOUT, follow_redirects=True) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise _refusal(place, answer)
                await _write(answer, part)
            await asyncio.to_thread(part.replace, target)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiError(place, str(error) or type(error).__name__, retryable=True) from None
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)


async def _write(answer: httpx.Response, path: Path) -> None:
    with path.open("wb") as file:
        async for piece in answer.aiter_bytes(_PIECE):
            await asyncio.to_thread(file.write, piece)


async def _slice(path: Path, offset: int, length: int) -> AsyncIterator[bytes]:
    """A part of a file, piece by piece."""
    with path.open("rb") as file:
        file.seek(offset)
        while length and (piece := await asyncio.to_thread(file.read, min(_PIECE, length))):
            length -= len(piece)
            yield piece


def _shown(url: str) -> str:
    """An address without its query, which may be a credential."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def _refusal(call: str, answer: httpx.Response) -> ApiError:
    return ApiError(call, answer.reason_phrase, status=answer.status_code, retryable=True)
