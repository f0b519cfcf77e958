"""A call: who asks, and reading and changing on their behalf, each in a unit of work.

Every field reads for itself; what several fields of one request ask for is read once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from watchword.domain.accounts import Organization
from watchword.domain.errors import Forbidden, NotFound
from watchword.domain.formats import Site
from watchword.domain.ids import ClusterId, OrganizationId, TeamId
from watchword.domain.operations import OPERATIONS
from watchword.domain.policy import Verdict, verdict
from watchword.services.access import enter, enter_by_id
from watchword.services.authority import Authority
from watchword.services.context import Context
from watchword.services.queries import Access, Unit, reachable
from watchword.services.verifying import Presented

T = TypeVar("T")
F = TypeVar("F")
NOT_ALLOWED = "You're not allowed to do that"
Find = Callable[[Unit, Access], Awaitable[F | None]]


@dataclass(slots=True)
class Call:
    """One request of a token that passed.

    Attributes:
        address: the client's address; None where it is ambiguous.
    """

    authority: Authority
    presented: Presented
    address: str | None
    request_id: str
    _known: dict[Hashable, "asyncio.Future[Any]"] = field(default_factory=dict)

    @property
    def context(self) -> Context:
        """The ground under the services."""
        return self.authority.context

    @property
    def site(self) -> Site:
        """Public addresses."""
        return Site(self.context.installation.url)

    async def once(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """What `read` gives, asked for once for all fields of this request that want it."""
        made = self._known.get(key)
        if made is None:
            made = self._known[key] = asyncio.ensure_future(read())
        # One field that is given up must not take the answer from the others.
        return cast("T", await asyncio.shield(made))

    def forget(self) -> None:
        """Forget what was read: it may have changed."""
        self._known.clear()

    async def access(self, organization_id: OrganizationId) -> Access:
        """The person inside an organization, by its id.

        Raises:
            NotFound: the token does not reach it.
            Forbidden: the organization's allowlist does not hold the caller's address.
        """
        return await self.once(
            ("access", organization_id),
            lambda: self.context.store.read(
                lambda tx: enter_by_id(tx, self.presented, organization_id, self.address, self.request_id)
            ),
        )

    async def access_of(self, slug: str) -> Access:
        """The person inside an organization, by its slug; raises as `access` does."""
        return await self.once(
            ("slug", slug),
            lambda: self.context.store.read(
                lambda tx: enter(tx, self.presented, slug, self.address, self.request_id)
            ),
        )

    async def reached(self) -> list[Organization]:
        """Organizations that the token reaches, oldest first."""
        return await self.once(
            ("reached",), lambda: self.context.store.read(lambda tx: reachable(tx, self.presented))
        )

    async def accesses(self) -> list[Access]:
        """The person inside every organization that may be called from here; raises nothing."""
        found = []
        for organization in await self.reached():
            try:
                found.append(await self.access(organization.id))
            except (NotFound, Forbidden):
                continue
        return found

    async def read(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Answer from the newest committed state."""
        return await self.context.store.read(work)

    async def find(self, find: Find[F]) -> tuple[Access, F] | None:
        """A thing of whichever organization the token reaches; None where none has it."""
        for access in await self.accesses():
            found = await self.context.store.read(partial(_swap, find, access))
            if found is not None:
                return access, found
        return None


async def _swap(find: Find[F], access: Access, tx: Unit) -> F | None:
    return await find(tx, access)


@dataclass(slots=True)
class Order:
    """One mutation: its operation, its input, and the unit of work that carries it out.

    A unit that did not ask for the operation's right is not committed.
    """

    call: Call
    operation: str
    input: Mapping[str, Any]
    _required: bool = False

    @property
    def context(self) -> Context:
        """The ground under the services."""
        return self.call.context

    def text(self, name: str) -> str:
        """A text of the input; empty where it is absent or null."""
        return str(self.input.get(name) or "")

    def require(
        self, access: Access, *, cluster: ClusterId | None = None, team: TeamId | None = None
    ) -> None:
        """Require the operation's right.

        Raises:
            Forbidden: the person does not have it.
        """
        access.require(self.operation, cluster=cluster, team=team)
        self._required = True

    def found(
        self, access: Access, thing: F | None, missing: str, cluster: Callable[[F], ClusterId | None]
    ) -> F:
        """A thing that was looked for, and the right to it; who can have that of nothing learns nothing.

        Raises:
            Forbidden: the person does not have the right.
            NotFound: there is no such thing.
        """
        if verdict(access.standing, OPERATIONS[self.operation].right) is Verdict.REFUSED:
            raise Forbidden(NOT_ALLOWED)
        if thing is None:
            raise NotFound(missing)
        self.require(access, cluster=cluster(thing))
        return thing

    async def write(
        self, organization_id: str, work: Callable[[Unit, Access], Awaitable[T]], *, defer: bool = False
    ) -> T:
        """Change something of an organization.

        Args:
            organization_id: its UUID; empty where the input's global id names none.
            work: what changes it.
            defer: whether `work` itself requires the right, of the thing that it finds.

        Raises:
            NotFound: the token does not reach the organization.
            Forbidden: the person does not have the right.
        """

        async def unit(tx: Unit) -> T:
            self._required = False
            access = await self._enter(tx, OrganizationId(organization_id))
            if not defer:
                self.require(access)
            return self._done(await work(tx, access))

        return await self._commit(unit)

    async def write_found(
        self,
        find: Find[F],
        missing: str,
        work: Callable[[Unit, Access, F], Awaitable[T]],
        *,
        cluster: Callable[[F], ClusterId | None] | None = None,
        team: Callable[[F], TeamId | None] | None = None,
    ) -> T:
        """Change a thing of whichever organization the token reaches.

        Args:
            find: finds it in an organization.
            missing: what is said where none has it.
            work: what changes it.
            cluster: the cluster that its right depends on.
            team: the team that its right depends on.

        Raises:
            NotFound: none has it.
            Forbidden: the person does not have the right; where they could have it of nothing in any
                organization, before the thing is looked for.
        """

        async def unit(tx: Unit) -> T:
            self._required = False
            refused = False
            for organization in await reachable(tx, self.call.presented):
                try:
                    access = await self._enter(tx, organization.id)
                except Forbidden:
                    continue
                if verdict(access.standing, OPERATIONS[self.operation].right) is Verdict.REFUSED:
                    refused = True
                    continue
                found = await find(tx, access)
                if found is not None:
                    self.require(
                        access,
                        cluster=cluster(found) if cluster else None,
                        team=team(found) if team else None,
                    )
                    return self._done(await work(tx, access, found))
            if refused:
                raise Forbidden(NOT_ALLOWED)
            raise NotFound(missing)

        return await self._commit(unit)

    async def _enter(self, tx: Unit, organization_id: OrganizationId) -> Access:
        call = self.call
        return await enter_by_id(tx, call.presented, organization_id, call.address, call.request_id)

    def _done(self, made: T) -> T:
        if not self._required:
            raise RuntimeError(f"{self.operation} was carried out without asking for its right")
        return made

    async def _commit(self, unit: Callable[[Unit], Awaitable[T]]) -> T:
        try:
            return await self.context.store.write(unit)
        finally:
            self.call.forget()
