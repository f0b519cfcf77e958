"""What runs a portal's document: a contract that GraphQL fulfils and the composition root hands over.

Surfaces do not know each other, and services know no surface: both ask through this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from watchword.domain.portals import StoredOperation
from watchword.services.verifying import Presented


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a stored document.

    Attributes:
        presented: the portal's token, which passed.
        document: what is stored; nothing that came with the request is ever part of it.
        operation: which of its operations is meant; None where none was named.
        variables: what the request's body holds.
    """

    presented: Presented
    document: str
    operation: str | None
    variables: Mapping[str, object]
    address: str | None
    request_id: str


class Documents(Protocol):
    """Reads documents and runs them."""

    def outline(self, document: str) -> tuple[StoredOperation, ...]:
        """The operations of a document.

        Raises:
            Invalid: it does not parse, does not fit the schema or is over a limit.
        """

    async def run(self, run: Run) -> Mapping[str, object]:
        """A GraphQL answer: `data`, `errors` or both. Raises nothing."""
