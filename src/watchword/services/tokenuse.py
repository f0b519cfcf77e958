"""Use of one token over a while: by whom, from where, how often; what the ledger has, written or not."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from watchword.domain.tokens import Token
from watchword.domain.use import HOUR_US, Use
from watchword.services.ledger import Ledger
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True)
class Usage:
    """One client at one address. Times are microseconds.

    Attributes:
        client: the user agent, or the agent's version; "" where it said nothing.
        hours: in how many hours it was used at all.
    """

    address: str
    client: str
    first_at: int
    last_at: int
    count: int
    hours: int


async def usage_of(tx: Transaction, ledger: Ledger, token: Token, since: int) -> list[Usage]:
    """Who used a token since a moment, latest first; hours are counted whole."""
    written = await tx.revocations.uses_since(token.organization_id, token.id, since // HOUR_US)
    return gather([*written, *ledger.pending(token.organization_id, token.id)])


def gather(uses: Iterable[Use]) -> list[Usage]:
    """Rows of the ledger put together by address and client, latest first."""
    found: dict[tuple[str, str], Usage] = {}
    hours: dict[tuple[str, str], set[int]] = {}
    for use in uses:
        key = (use.address, use.version)
        known = found.get(key, Usage(*key, use.first_at, use.last_at, 0, 0))
        hours.setdefault(key, set()).add(use.hour)
        found[key] = replace(
            known,
            first_at=min(known.first_at, use.first_at),
            last_at=max(known.last_at, use.last_at),
            count=known.count + use.count,
            hours=len(hours[key]),
        )
    return sorted(found.values(), key=lambda one: (-one.last_at, one.address, one.client))
