"""Logs of jobs as JSON, text and HTML, and their deletion (contract rest-graphql §2.17)."""

import html
import re

import msgspec
from litestar import Response, delete, get, head

from watchword.domain import pipelines
from watchword.domain.errors import Malformed
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.failures import Failure
from watchword.rest.jobs import JOB, locate
from watchword.services.house import House, require_log
from watchword.services.queries import Access, Unit
from watchword.services.tailing import read_tail

_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})?")
_SUFFIX = re.compile(r"bytes=-0*([1-9][0-9]{0,14})")
_SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'"}
_TEXT, _HTML = "text/plain", "text/html"


class JobLog(msgspec.Struct, kw_only=True):
    """A job's log; `size` counts bytes."""

    url: str
    content: str
    size: int
    header_times: list[int]


@get([path + "/log" for path in JOB], opt=needs("log.read"), summary="Get a job's log")
async def get_log(request: RestRequest) -> Response[JobLog | str]:
    """A job's log as JSON; as text or HTML where `Accept` asks for that first.

    As text, `Range: bytes=-N` gives the last N bytes.
    """
    call = Call.of(request)
    place, job = await call.read(lambda tx, access: locate(call, tx, access))
    await require_log(call.context, job)
    wanted = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    if "range" in request.headers:
        # Bytes, in the shapes that the description gives for text.
        return await _last_bytes(call, job, wanted)  # type: ignore[return-value]
    log = await read_tail(call.context, job, 0)
    text = log.decode(errors="replace")
    if wanted == _TEXT:
        return Response(text, media_type=_TEXT, headers={**_SAFE, "accept-ranges": "bytes"})
    if wanted == _HTML:
        return _html(text)  # type: ignore[return-value] # text as well
    url = place.url("jobs", job.id, "log")
    shown = JobLog(url=url, content=text, size=len(log), header_times=[])
    return Response(shown, media_type="application/json")


@head([path + "/log" for path in JOB], opt=needs("log.read"), summary="Get the size of a job's log")
async def head_log(request: RestRequest) -> Response[None]:
    """The size of a job's log in bytes, as `Content-Length`."""
    call = Call.of(request)
    _, job = await call.read(lambda tx, access: locate(call, tx, access))
    await require_log(call.context, job)
    size = len(await read_tail(call.context, job, 0))
    headers = {"content-length": str(size), "accept-ranges": "bytes"}
    return Response(None, headers=headers, media_type="application/json")


@get(
    [path + "/log.html" for path in JOB],
    opt=needs("log.read"),
    media_type=_HTML,
    summary="Get a job's log as HTML",
)
async def get_html(request: RestRequest) -> Response[str]:
    """A job's log as HTML in which nothing acts."""
    call = Call.of(request)
    _, job = await call.read(lambda tx, access: locate(call, tx, access))
    await require_log(call.context, job)
    return _html((await read_tail(call.context, job, 0)).decode(errors="replace"))


def _html(text: str) -> Response[str]:
    return Response(html.escape(text), media_type=_HTML, headers=_SAFE)


@get(
    [path + "/log.txt" for path in JOB],
    opt=needs("log.read"),
    media_type=_TEXT,
    summary="Get a job's log as text",
)
async def get_text(request: RestRequest) -> Response[bytes]:
    """A job's log as text; `Range: bytes=N-` gives what came since, also while the job runs."""
    call = Call.of(request)
    _, job = await call.read(lambda tx, access: locate(call, tx, access))
    await require_log(call.context, job)
    header = request.headers.get("range", "")
    if _SUFFIX.fullmatch(header):
        return await _last_bytes(call, job, _TEXT)
    asked = _RANGE.fullmatch(header)
    if asked is None or (asked[2] is not None and int(asked[2]) < int(asked[1])):
        return _text(await read_tail(call.context, job, 0), 200, {})
    return await _part(call, job, int(asked[1]), None if asked[2] is None else int(asked[2]))


async def _last_bytes(call: Call, job: pipelines.Job, wanted: str) -> Response[bytes]:
    """The last bytes of a log.

    Raises:
        Malformed: the range has another form, or text was not asked for.
    """
    asked = _SUFFIX.fullmatch(call.request.headers.get("range", ""))
    if asked is None or wanted != _TEXT:
        raise Malformed("A range is bytes=-N, together with Accept: text/plain.", code="invalid_range")
    log = await read_tail(call.context, job, 0)
    if not log:
        return _out_of_range(0)
    part = log[-int(asked[1]) :]
    return _text(part, 206, {"content-range": f"bytes {len(log) - len(part)}-{len(log) - 1}/{len(log)}"})


async def _part(call: Call, job: pipelines.Job, first: int, last: int | None) -> Response[bytes]:
    """A range of the log (RFC 9110 §14); its whole length is not known while the job runs."""
    part = await read_tail(call.context, job, first)
    total = str(first + len(part)) if job.state.ended else "*"
    if last is not None:
        part = part[: last - first + 1]
    if not part:
        return _out_of_range(min(first, job.log_size))
    return _text(part, 206, {"content-range": f"bytes {first}-{first + len(part) - 1}/{total}"})


def _out_of_range(size: int) -> Response[bytes]:
    failure = msgspec.json.encode(Failure(message="The log does not reach so far.", code="out_of_range"))
    headers = {"content-range": f"bytes */{size}"}
    return Response(failure, status_code=416, media_type="application/json", headers=headers)


def _text(log: bytes, status: int, headers: dict[str, str]) -> Response[bytes]:
    shown = {**_SAFE, "accept-ranges": "bytes", **headers}
    return Response(log, status_code=status, media_type="text/plain; charset=utf-8", headers=shown)


@delete(
    [path + "/log" for path in JOB], opt=needs("log.delete"), status_code=204, summary="Delete a job's log"
)
async def delete_log(request: RestRequest) -> None:
    """Delete the log of a job that has ended; from then on it is gone (410)."""
    call = Call.of(request)
    house = House(call.context)

    async def work(tx: Unit, access: Access) -> pipelines.Job:
        _, job = await locate(call, tx, access)
        await house.delete_log_in(tx, access.caller, job)
        return job

    job = await call.write(work)
    await house.drop_log(job.organization_id, job.id)


HANDLERS = (get_log, head_log, get_html, get_text, delete_log)
