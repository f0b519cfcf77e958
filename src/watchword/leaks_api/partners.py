"""Partners' reports: GitHub's programme, GitLab's token revocation, and generic signed ones."""

import asyncio
from dataclasses import dataclass, field

from watchword.domain.errors import Malformed, Unavailable
from watchword.domain.events import Actor
from watchword.domain.kinds import SHAPES
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.leaks_api.wire import (
    MAX_BODY,
    github_items,
    gitlab_items,
    labels,
    signed_items,
    signed_labels,
)
from watchword.services.addresslimits import network_of
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.leakgate import Admitted
from watchword.services.leakreporters import ReporterType

# Bodies that one address may be sending at a time, and how long one may take: none is kept for ever.
_AT_ONCE = 8
_BODY_SECONDS = 30


@dataclass(slots=True)
class Partners:
    """The routes of partners."""

    authority: Authority
    _reading: dict[str, int] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """They take no token: a signature, or GitLab's secret, stands in for one."""
        return [
            Route("POST", "/leaks/partners/{reporter}", self.report, ()),
            Route("GET", "/leaks/partners/{reporter}/types", self.types, ()),
        ]

    async def report(self, request: Request, reporter: str) -> Response:
        """Take a report; the answer comes when everything in it is effective.

        Raises:
            Refused: it is not the reporter's own.
            Malformed: it is, and cannot be read.
            TooLarge: it is too large.
            Unavailable: the reporter is to send it again.
        """
        body = await self._body(request)
        admitted = await self.authority.leak_gate.admit(reporter, request.headers, body)
        read = {
            ReporterType.GITHUB: github_items,
            ReporterType.GITLAB: gitlab_items,
            ReporterType.SIGNED: signed_items,
        }[admitted.reporter.type]
        answers = await self.authority.leak_reports.take(
            _caller(request, admitted), admitted.source, read(body), body=body, key_id=admitted.key_id
        )
        if admitted.reporter.type is ReporterType.GITLAB:
            return Response(204, b"", [])
        shown = labels if admitted.reporter.type is ReporterType.GITHUB else signed_labels
        return Response.json(shown(answers))

    async def types(self, request: Request, reporter: str) -> Response:
        """The `type` words that GitLab is to send: its Token Revocation API asks for them."""
        self.authority.leak_gate.require(reporter, request.headers)
        return Response.json({"types": _words()})

    async def _body(self, request: Request) -> bytes:
        """The raw body; nobody can have many of them kept in memory before they were checked.

        Raises:
            TooLarge: it is over the limit.
            Malformed: it took too long.
            Unavailable: the address sends many at the moment.
        """
        name = network_of(request.address)
        if self._reading.get(name, 0) >= _AT_ONCE:
            raise Unavailable(
                f"At most {_AT_ONCE} reports of one address are read at a time. Send it again.",
                code="too_many_reports",
            )
        self._reading[name] = self._reading.get(name, 0) + 1
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await request.body(MAX_BODY)
        except TimeoutError:
            raise Malformed("The body did not come in time.", code="body_too_slow", status=408) from None
        finally:
            self._reading[name] -= 1
            if not self._reading[name]:
                del self._reading[name]


def _words() -> list[str]:
    """Our rules as `watchword token patterns --format gitleaks` names them, after the word that GitLab adds.

    Versions of GitLab differ in whether they keep dashes.
    """
    names = [f"watchword-{shape.name}" for shape in SHAPES]
    return [f"gitleaks_rule_id_{each}" for name in names for each in (name, name.replace("-", "_"))]


def _caller(request: Request, admitted: Admitted) -> Caller:
    actor = Actor("system", "reporter", admitted.reporter.name)
    return Caller(actor, request.address, request.id, request.agent)
