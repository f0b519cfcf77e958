"""What agents and their processes send beside GraphQL (contract §7): answers, code locations, events."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from watchword.dagster.answers import Barred, refuse
from watchword.dagster.call import Call
from watchword.dagster.events import read_entry
from watchword.dagster.inflating import decode, read_compressed
from watchword.dagster.paths import variants
from watchword.domain.errors import Invalid
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.codelocations import loaded_in
from watchword.services.dagsterdoor import KINDS
from watchword.services.dagsterruns import heed_answers, store_events
from watchword.services.dagsteruploads import error_message

MAX_MANIFEST = 4 * 1024 * 1024
_MARK = "__class__"
_DONE = Response(200, b"{}")
Enter = Callable[[Request, str | None, str | None], Awaitable[Call]]
Answering = Callable[[Request, Call], Awaitable[Response]]


@dataclass(slots=True)
class Rest:
    """Handlers of agents' own paths."""

    authority: Authority
    enter: Enter

    def routes(self) -> list[Route]:
        """The operations, at each of their addresses."""
        operations: list[tuple[str, str, Answering]] = [
            ("PUT", "/upload_api_response", self.answer),
            ("PUT", "/code_location_update_result", self.loaded),
            ("PUT", "/upload_workspace_entry", self.workspace_entry),
            ("PUT", "/upload_job_snapshot", self.job_snapshot),
            ("POST", "/store_events", self.events),
        ]
        return [
            Route(method, address, self.guarded(work), KINDS, refuse)
            for method, path, work in operations
            for address in variants(path)
        ]

    def guarded(self, work: Answering) -> Callable[..., Awaitable[Response]]:
        """An operation behind its rules: an agent token, and a deployment that it may serve (§9, rule 2)."""

        async def handle(request: Request, first: str | None = None, second: str | None = None) -> Response:
            call = await self.enter(request, first, second)
            if not call.guest.is_agent:
                raise Barred(
                    "This is for agents: it takes an agent token, not a user token.", code="agents_only"
                )
            _ = call.here
            return await work(request, call)

        return handle

    async def answer(self, request: Request, call: Call) -> Response:
        """Answers to work, one or several."""
        given = _object(await read_compressed(request))
        batch = given.get("batch")
        answers = []
        for each in batch if isinstance(batch, list) else [given]:
            one = _object(each)
            answers.append((_text(one, "request_id"), json.dumps(one.get("response"))))
        items = await self.authority.work_desk.answered(call.guest, call.here, answers)
        await heed_answers(call.context, call.here, items)
        return _DONE

    async def loaded(self, request: Request, call: Call) -> Response:
        """How an agent fared with a code location: what is in it, or the error that it stored before."""
        given = _object(decode(await request.body(MAX_MANIFEST)))
        error = ""
        snapshot = given.get("error_snapshot")
        if isinstance(snapshot, Mapping):
            error = await self.authority.uploads.error_text(call.here, _text(snapshot, "uri"))
        return await self._keep(call, _text(given, "location_name"), given.get("manifest"), error, _UPDATE)

    async def workspace_entry(self, request: Request, call: Call) -> Response:
        """The same in one piece, as agents send it that are told not to use the object store."""
        given = _object(await read_compressed(request))
        error = ""
        if isinstance(given.get("serialized_error_info"), Mapping):
            error = error_message(msgspec.json.encode(given["serialized_error_info"]))
        data = given.get("upload_location_data")
        manifest = {"repositories": _names(data)} if isinstance(data, Mapping) else None
        return await self._keep(call, _text(given, "location_name"), manifest, error, _ENTRY)

    async def _keep(self, call: Call, name: str, manifest: Any, error: str, word: str) -> Response:  # noqa: ANN401 - JSON
        if manifest is None and not error:
            raise Invalid("A location has been loaded, or there is an error.", code="nothing_told")
        context = call.context
        text = json.dumps(manifest or {})
        await call.write(lambda tx: loaded_in(context, tx, call.here, name, manifest=text, error=error))
        message = "The error is noted." if error else "The code location is loaded."
        return Response.json(
            {_MARK: word, "updated": True, "message": message, "missing_job_snapshots": None}
        )

    async def job_snapshot(self, request: Request, call: Call) -> Response:
        """A job's definition. None is asked for, so nothing is kept of it."""
        del call
        await read_compressed(request)
        return _DONE

    async def events(self, request: Request, call: Call) -> Response:
        """Events of runs, several at once."""
        given = _object(await read_compressed(request))
        entries = given.get("event_log_entries")
        if not isinstance(entries, list):
            raise Invalid("There are no event_log_entries.", code="invalid_events")
        said = [read_entry(_object(entry)) for entry in entries]
        await store_events(call.context, call.guest, call.here, said, call.idempotency)
        return _DONE


_UPDATE = "DagsterCloudCodeLocationUpdateResponse"
_ENTRY = "DagsterCloudUploadWorkspaceResponse"


def _object(given: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON
    if not isinstance(given, Mapping):
        raise Invalid("This is no object.", code="no_object")
    return given


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid(f"{name} is missing.", code="key_missing")
    return value


def _names(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Repositories by their names alone, as a manifest has them."""
    listed = data.get("upload_repository_datas")
    found = listed if isinstance(listed, list) else []
    return [
        {"name": one.get("repository_name"), "code_pointer": one.get("code_pointer")}
        for one in found
        if isinstance(one, Mapping)
    ]
