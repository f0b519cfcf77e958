"""A call: who came in, and which deployment it is about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from watchword.domain.dagsterroles import Act
from watchword.domain.deployments import Deployment
from watchword.domain.errors import Malformed, NotFound
from watchword.services.authority import Authority
from watchword.services.context import Caller, Context
from watchword.services.dagsterdoor import Guest
from watchword.services.queries import Unit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a token that passed.

    Attributes:
        deployment: which it is about; None where it names none.
        named: the name of it as it came, of one that does not exist too.
        idempotency: the key by which a repeated write is known; empty if none came.
    """

    authority: Authority
    guest: Guest
    deployment: Deployment | None
    named: str | None = None
    idempotency: str = ""

    @property
    def context(self) -> Context:
        """The ground under the services."""
        return self.authority.context

    @property
    def caller(self) -> Caller:
        """Who asks, for the audit trail."""
        return self.guest.caller

    @property
    def here(self) -> Deployment:
        """The deployment that the call is about.

        Raises:
            Malformed: it names none.
            NotFound: there is none of that name.
        """
        if self.deployment is None:
            if self.named is not None:
                raise NotFound(f"There is no deployment {self.named[:100]!r}.", code="no_such_deployment")
            raise Malformed(
                "This needs a deployment: name it in the address or the header Dagster-Cloud-Deployment.",
                code="deployment_missing",
            )
        return self.deployment

    def require(self, act: Act, deployment: Deployment | None = None) -> None:
        """Require that the person may do something; agent tokens may nothing of it.

        Raises:
            Forbidden: they may not.
        """
        self.guest.require(act, deployment)

    async def read(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Answer from the newest committed state."""
        return await self.context.store.read(work)

    async def write(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Change something in one unit of work."""
        return await self.context.store.write(work)
