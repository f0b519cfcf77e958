"""What a page asks of whoever opens it, kept with its handler; one that says nothing opens for nobody."""

from typing import Any

from watchword.domain.operations import OPERATIONS

# Operations that every signed-in person performs on themselves; they have no row of a token's.
PERSONAL = "personal"


def page(operation: str | None, *, fresh: bool = False) -> dict[str, Any]:
    """Options of a handler.

    Args:
        operation: what it performs, a row of `domain.operations`; `PERSONAL` for what signed-in people do
            with what is their own; None where nobody needs to be signed in.
        fresh: whether it needs a proof of the last five minutes: minting, revealing, revoking.

    Raises:
        KeyError: there is no such operation.
    """
    if operation not in (None, PERSONAL):
        _ = OPERATIONS[operation or ""]
    return {"console": True, "operation": operation, "fresh": fresh}
