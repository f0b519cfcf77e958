"""The drill of a rotation: a canary gets a successor, its agent moves, and the old value is refused."""

import asyncio
from dataclasses import dataclass
from time import monotonic

from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization
from watchword.domain.ids import ClusterId, TokenId
from watchword.domain.rotations import Rotation
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.drills import CANARY_US, Course, Door, Drill, Exercise, Unproved
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.rotating import Started
from watchword.store.base import Page, Transaction

_AGENT = "watchword-drill"
_IDENTITY = "/v3/token"
_SCHEME = "Token"
_OK, _UNAUTHORIZED = 200, 401
_SUPERSEDED = "token_superseded"
# The published bound of a revocation (R2).
_BOUND_S = 1.0
_AGAIN_S = 0.01
_AFTER = ("both", "moved", "committed", "refused", "successor")


@dataclass(slots=True)
class RotationDrill:
    """One drill of a rotation. Its agent takes no job: it never asks for one."""

    course: Course
    canary: Issued | None = None
    started: Started | None = None
    session: Secret | None = None

    async def hold(self) -> None:
        """Hold every step; the agent leaves in any case."""
        course = self.course
        try:
            if not await course.prove("canary", self._canary):
                course.skip("joined", "rotation", *_AFTER)
            elif not await course.prove("joined", self._joined):
                course.skip("rotation", *_AFTER)
            elif not await course.prove("rotation", self._rotation):
                course.skip(*_AFTER)
            else:
                await self._move()
        finally:
            await self._leave()

    async def _move(self) -> None:
        course = self.course
        await course.prove("both", self._both)
        if await course.prove("moved", self._moved) and await course.prove("committed", self._committed):
            await course.prove("refused", self._refused)
            await course.prove("successor", self._successor)
        else:
            course.skip(*(name for name in _AFTER[2:] if name not in {step.name for step in course.steps}))

    async def _canary(self) -> str:
        course, context = self.course, self.course.authority.context

        async def work(tx: Transaction) -> Issued:
            request = TokenRequest(
                organization_id=course.organization_id,
                cluster_id=await _cluster(tx, course.organization),
                description=course.name,
                expires_at=context.clock.now() + CANARY_US,
            )
            return await issue_agent_token(context, tx, course.caller, request, None)

        self.canary = await course.write(work)
        course.canaries.append(self.canary.token)
        return f"{course.name} ({self.canary.token.id})"

    async def _joined(self) -> str:
        self.session = await self._join(self._old())
        return f"an agent joined with it: {_AGENT}"

    async def _join(self, value: Secret) -> Secret:
        """Register and connect an agent; its session.

        Raises:
            Unproved: it was not let in.
        """
        asked = {"name": _AGENT, "hostname": _AGENT, "version": "drill", "meta_data": []}
        status, answer = await self.course.call("POST", "/v3/register", value, asked, scheme=_SCHEME)
        if status != _OK or not isinstance(answer, dict):
            raise Unproved(f"an agent could not join: {status} {_code(answer)}")
        session = Secret(str(answer["access_token"]))
        status, answer = await self.course.call("POST", "/v3/connect", session, scheme=_SCHEME)
        if status != _OK:
            raise Unproved(f"the agent could not connect: {status} {_code(answer)}")
        return session

    async def _rotation(self) -> str:
        course = self.course
        if self.canary is None:
            raise Unproved("there is no canary")
        token, rotator = self.canary.token, course.authority.rotator
        self.started = await course.write(
            lambda tx: rotator.start_in(tx, course.caller, token, by=None, asker=f"drill:{token.id}")
        )
        course.canaries.append(self.started.successor)
        return f"a successor was made ({self.started.successor.id})"

    async def _both(self) -> str:
        for value, which in ((self._old(), "old"), (self._new(), "new")):
            status, answer = await self._identity(value)
            if status != _OK:
                raise Unproved(f"the {which} value is refused: {status} {_code(answer)}")
        return "both values work"

    async def _moved(self) -> str:
        """The agent comes again with the successor, then its old session leaves."""
        session = await self._join(self._new())
        await self._leave()
        self.session = session
        return "the agent uses the successor"

    async def _committed(self) -> str:
        old, course = self._old_id(), self.course

        async def look() -> Rotation | None:
            found = await course.read(
                lambda tx: course.authority.rotator.find_in(tx, course.organization_id, old)
            )
            return found if not found.open else None

        rotation = await course.wait(look)
        if rotation is None:
            raise Unproved("the rotation did not commit, although nobody holds the old value")
        return f"committed: {rotation.cause.value}"

    async def _refused(self) -> str:
        # A commit can be read a moment before every cache has heard of it, and is acknowledged after that.
        status, answer = await self._identity(self._old())
        ends = monotonic() + _BOUND_S
        while status == _OK and monotonic() < ends:
            await asyncio.sleep(_AGAIN_S)
            status, answer = await self._identity(self._old())
        if status != _UNAUTHORIZED or _code(answer) != _SUPERSEDED:
            raise Unproved(f"the old value is answered {status} {_code(answer)}")
        return f"{status} {_SUPERSEDED}"

    async def _successor(self) -> str:
        status, answer = await self._identity(self._new())
        if status != _OK:
            raise Unproved(f"the successor is refused: {status} {_code(answer)}")
        return "the successor works"

    async def _identity(self, value: Secret) -> tuple[int, object]:
        return await self.course.call("GET", _IDENTITY, value, scheme=_SCHEME)

    async def _leave(self) -> None:
        if self.session is not None:
            session, self.session = self.session, None
            await self.course.call("POST", "/v3/disconnect", session, scheme=_SCHEME)

    def _old(self) -> Secret:
        if self.canary is None:
            raise Unproved("there is no canary")
        return self.canary.value

    def _old_id(self) -> TokenId:
        if self.canary is None:
            raise Unproved("there is no canary")
        return self.canary.token.id

    def _new(self) -> Secret:
        if self.started is None:
            raise Unproved("there is no successor")
        return self.started.value


def _code(answer: object) -> str:
    return str(answer.get("code", "")) if isinstance(answer, dict) else ""


async def _cluster(tx: Transaction, organization: Organization) -> ClusterId:
    """The default cluster, or the first one."""
    if organization.default_cluster_id is not None:
        return organization.default_cluster_id
    for cluster in await tx.accounts.clusters(organization.id, Page(limit=1)):
        return cluster.id
    raise Unproved(f"{organization.slug} has no cluster")


async def drill_rotation(
    authority: Authority, door: Door, caller: Caller, organization: Organization
) -> Drill:
    """Hold a drill of a rotation in an organization.

    Args:
        authority: the services.
        door: where the agent comes in.
        caller: who asked for it.
        organization: whose cluster it is.
    """
    context = authority.context
    course = Course(authority, door, caller, organization, f"drill {context.new_id()[-8:]}")
    started_at = context.clock.now()
    try:
        await RotationDrill(course).hold()
    finally:
        await course.clear()
    return await course.end(Exercise.ROTATION, started_at)
