"""Lists of API access tokens with their owners and last uses: what people look through, filtered."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.accounts import Role
from watchword.domain.addresses import Block, parse_address
from watchword.domain.errors import Invalid
from watchword.domain.ids import UserId, is_uuid
from watchword.domain.use import Use
from watchword.services.access import Access
from watchword.services.ledger import Ledger
from watchword.store.base import Page, Transaction
from watchword.store.base_hygiene import FIRST_DIGEST, LAST_DIGEST, Reaching

# A list reads at most this many tokens; what lies beyond is not found.
MAX_SIFTED = 20_000
_SCAN = 500
_DIGEST = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Listed:
    """A token in a list; `used` is its latest use, None where it was never used."""

    reaching: Reaching
    used: Use | None


@dataclass(frozen=True, slots=True)
class Sift:
    """Which tokens are asked for; what is empty does not matter.

    Attributes:
        user: id or address of the owner.
        scope: a scope that the token has.
        network: where it was last used from: an address or a block.
        digest: the beginning of the value's SHA-256 in hex, at least 8 digits.
        admin: whether the owner administers the organization.
    """

    user: str = ""
    scope: str = ""
    network: str = ""
    digest: str = ""
    admin: bool | None = None

    def check(self) -> None:
        """Require that the filters can be read.

        Raises:
            Invalid: one cannot; a value that was given in place of its digest is not repeated.
        """
        self.block()
        self.digests()

    def block(self) -> Block | None:
        """The block of `network`."""
        try:
            return Block.parse(self.network) if self.network else None
        except ValueError:
            raise Invalid(
                "Validation failed: Ip is an address or a CIDR block", code="invalid_network"
            ) from None

    def digests(self) -> tuple[bytes, bytes]:
        """Lowest and highest digest that begins with `digest`."""
        if not self.digest:
            return FIRST_DIGEST, LAST_DIGEST
        text = self.digest.lower()
        if not _DIGEST.fullmatch(text):
            raise Invalid(
                "Validation failed: Value digest is the SHA-256 of the value in hex, or its beginning of"
                " 8 digits or more; look whole values up with POST",
                code="invalid_digest",
            )
        return bytes.fromhex(text.ljust(64, "0")), bytes.fromhex(text.ljust(64, "f"))

    def fits(self, found: Reaching, used: Use | None) -> bool:
        """Whether a token is asked for."""
        if self.user and not is_uuid(self.user):
            owner = found.owner
            if owner is None or owner.email.lower() != self.user.lower():
                return False
        if self.scope and self.scope not in found.token.scopes.split():
            return False
        if self.admin is not None and (found.role is Role.ADMIN) is not self.admin:
            return False
        return not self.network or _inside(self.block(), used)


def _inside(block: Block | None, used: Use | None) -> bool:
    address = parse_address(used.address) if used is not None and used.address else None
    return block is not None and address is not None and address in block


async def list_api_tokens(
    tx: Transaction, ledger: Ledger, access: Access, sift: Sift, page: Page
) -> list[Listed]:
    """API access tokens that reach the organization, oldest first: one's own, for administrators everybody's.

    Raises:
        Invalid: a filter cannot be read.
    """
    sift.check()
    everybody = access.may("api_token.read")
    if not everybody and is_uuid(sift.user) and sift.user.lower() != access.user.id:
        return []
    whose: UserId | None = UserId(sift.user.lower()) if is_uuid(sift.user) else None
    if not everybody:
        whose = access.user.id

    async def rows(window: Page) -> Sequence[Reaching]:
        return await tx.hygiene.reaching(access.id, window, whose, sift.digests())

    if not (sift.scope or sift.user or sift.network or sift.admin is not None):
        return await with_uses(tx, ledger, await rows(page))
    found: list[Listed] = []
    wanted = page.offset + page.limit
    for start in range(0, MAX_SIFTED, _SCAN):
        window = await with_uses(tx, ledger, await rows(Page(_SCAN, start)))
        found.extend(each for each in window if sift.fits(each.reaching, each.used))
        if len(window) < _SCAN or len(found) >= wanted:
            break
    return found[page.offset : wanted]


async def with_uses(tx: Transaction, ledger: Ledger, found: Sequence[Reaching]) -> list[Listed]:
    """Tokens with their latest uses, which one statement finds."""
    holders = [(each.token.organization_id, each.token.id) for each in found]
    uses = await ledger.last_uses_in(tx, holders)
    return [Listed(each, uses.get(holder)) for each, holder in zip(found, holders, strict=True)]
