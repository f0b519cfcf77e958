"""Logs of jobs as JSON, text and HTML (contract rest-graphql §2.17)."""

import html
import re

import msgspec
from litestar import Response, get

from watchword.domain import pipelines
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.failures import Failure
from watchword.rest.jobs import JOB, locate
from watchword.services.house import require_log
from watchword.services.tailing import read_tail

_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})?")
_SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'"}


class JobLog(msgspec.Struct, kw_only=True):
    """A job's log; `size` counts bytes."""

    url: str
    content: str
    size: int
    header_times: list[int]


@get([path + "/log" for path in JOB], opt=needs("log.read"), summary="Get a job's log")
async def get_log(request: RestRequest) -> Response[JobLog | str]:
    """A job's log as JSON; as text or HTML where `Accept` asks for that first."""
    call = Call.of(request)
    place, job = await call.read(lambda tx, access: locate(call, tx, access))
    await require_log(call.context, job)
    log = await read_tail(call.context, job, 0)
    text = log.decode(errors="replace")
    wanted = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    if wanted == "text/plain":
        return Response(text, media_type="text/plain", headers=_SAFE)
    if wanted == "text/html":
        return Response(html.escape(text), media_type="text/html", headers=_SAFE)
    url = place.url("jobs", job.id, "log")
    shown = JobLog(url=url, content=text, size=len(log), header_times=[])
    return Response(shown, media_type="application/json")


@get(
    [path + "/log.txt" for path in JOB],
    opt=needs("log.read"),
    media_type="text/plain",
    summary="Get a job's log as text",
)
async def get_text(request: RestRequest) -> Response[bytes]:
    """A job's log as text; `Range: bytes=N-` gives what came since, also while the job runs."""
    call = Call.of(request)
    _, job = await call.read(lambda tx, access: locate(call, tx, access))
    await require_log(call.context, job)
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or (asked[2] is not None and int(asked[2]) < int(asked[1])):
        return _text(await read_tail(call.context, job, 0), 200, {})
    return await _part(call, job, int(asked[1]), None if asked[2] is None else int(asked[2]))


async def _part(call: Call, job: pipelines.Job, first: int, last: int | None) -> Response[bytes]:
    """A range of the log (RFC 9110 §14); its whole length is not known while the job runs."""
    part = await read_tail(call.context, job, first)
    total = str(first + len(part)) if job.state.ended else "*"
    if last is not None:
        part = part[: last - first + 1]
    if not part:
        failure = msgspec.json.encode(Failure(message="The log does not reach so far.", code="out_of_range"))
        headers = {"content-range": f"bytes */{min(first, job.log_size)}"}
        return Response(failure, status_code=416, media_type="application/json", headers=headers)
    return _text(part, 206, {"content-range": f"bytes {first}-{first + len(part) - 1}/{total}"})


def _text(log: bytes, status: int, headers: dict[str, str]) -> Response[bytes]:
    shown = {**_SAFE, "accept-ranges": "bytes", **headers}
    return Response(log, status_code=status, media_type="text/plain; charset=utf-8", headers=shown)


HANDLERS = (get_log, get_text)
