"""Lookup by digest prefix: whether a value that somebody found is live, without their sending it.

The caller sends the first digits of SHA-256 of the value and gets the tokens whose digests begin so, each
with a hash of its digest: who has the value knows which one it is, and nobody learns the rest of a digest.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchword.domain.errors import Forbidden, Invalid, NotFound
from watchword.domain.formats import Site
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.operations import OPERATIONS
from watchword.domain.tokens import State, Token
from watchword.services.access import Access, enter_by_id
from watchword.services.attention import Attention
from watchword.services.context import Caller, Context
from watchword.services.leakpossession import QUARANTINED
from watchword.services.verifying import Presented
from watchword.store.base import Transaction

SHORTEST, LONGEST = 10, 64
MAX_PREFIXES = 1000
_PREFIX = re.compile(f"[0-9a-f]{{{SHORTEST},{LONGEST}}}")
# Tokens whose digests begin alike; more are no accident.
_MOST = 16
# Prefixes of one reading: other requests get their turn in between.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Whose:
    """A token as somebody may know it who may see it.

    Attributes:
        organization: slug.
        name: its description.
        url: its page on the console.
    """

    id: TokenId
    organization: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Match:
    """A token whose digest begins with a prefix.

    Attributes:
        suffix_hash: hex SHA-256 of the 32 bytes of the digest.
        state: `active`, `superseded`, `revoked`, `expired` or `quarantined`.
        checked_at: when that was so, in microseconds.
        token: whose it is; None unless the caller may see it.
    """

    suffix_hash: str
    kind: Kind
    state: str
    checked_at: int
    token: Whose | None = None


@dataclass(slots=True)
class LeakLookup:
    """Answers by prefix."""

    context: Context
    attention: Attention

    async def find(
        self, prefixes: Sequence[str], caller: Caller, presented: Presented | None
    ) -> dict[str, list[Match]]:
        """What is known of prefixes, each under the text with which it was asked for.

        Args:
            prefixes: hex digits of digests; they may be capital.
            caller: who asks.
            presented: their API access token; None where they have none.

        Raises:
            Invalid: one is no prefix, or there are too many.
        """
        asked = {text: _checked(text) for text in prefixes}
        if len(asked) > MAX_PREFIXES:
            raise Invalid(f"At most {MAX_PREFIXES} prefixes are answered.", code="too_many_prefixes")
        found: dict[str, list[Match]] = {}
        texts = list(asked)
        for start in range(0, len(texts), _AT_ONCE):
            some = {text: asked[text] for text in texts[start : start + _AT_ONCE]}
            found |= await self.context.store.read(
                lambda tx, some=some: self._some_in(tx, some, caller, presented)  # type: ignore[misc]
            )
            await asyncio.sleep(0)
        return found

    async def _some_in(
        self, tx: Transaction, asked: Mapping[str, str], caller: Caller, presented: Presented | None
    ) -> dict[str, list[Match]]:
        viewer = _Viewer(tx, presented, caller, Site(self.context.installation.url)) if presented else None
        found = {}
        for text, prefix in asked.items():
            low = bytes.fromhex(prefix.ljust(LONGEST, "0"))
            high = bytes.fromhex(prefix.ljust(LONGEST, "f"))
            tokens = await tx.leaks.by_prefix(low, high, _MOST)
            found[text] = [
                self._match(token, await viewer.whose(token) if viewer else None) for token in tokens
            ]
        return found

    def _match(self, token: Token, whose: Whose | None) -> Match:
        now = self.context.clock.now()
        state = token.state_at(now)
        held = state is State.ACTIVE and self.attention.holds_back(token.id, None)
        suffix = hashlib.sha256(token.digest).hexdigest()
        return Match(suffix, token.kind, QUARANTINED if held else state.value, now, whose)


@dataclass(slots=True)
class _Viewer:
    """Somebody with an API access token, and what they may see."""

    tx: Transaction
    presented: Presented
    caller: Caller
    site: Site

    async def whose(self, token: Token) -> Whose | None:
        """The token as the viewer may know it; None where they may not."""
        if token.kind is Kind.API_ACCESS and token.user_id == self.presented.holder.user_id:
            organization = await self.tx.accounts.organization(token.organization_id)
            slug = organization.slug if organization is not None else ""
            url = self.site.web("user", "api-access-tokens", token.id)
            return Whose(token.id, slug, token.description, url)
        for organization_id in await self._homes(token):
            access = await self._enter(organization_id)
            if access is not None and self._may(access, token):
                return Whose(token.id, access.organization.slug, token.description, self._url(access, token))
        return None

    async def _homes(self, token: Token) -> list[OrganizationId]:
        """Organizations that an API access token reaches; of any other the one that it belongs to."""
        if token.kind is not Kind.API_ACCESS:
            return [token.organization_id]
        grants = await self.tx.policies.grants_of(token.id)
        return [grant.organization_id for grant in grants if not grant.ended_at]

    async def _enter(self, organization_id: OrganizationId) -> Access | None:
        caller = self.caller
        try:
            return await enter_by_id(
                self.tx, self.presented, organization_id, caller.address, caller.request_id, caller.user_agent
            )
        except (NotFound, Forbidden):
            return None

    def _may(self, access: Access, token: Token) -> bool:
        operation = _operation(token)
        if not operation or OPERATIONS[operation].scope not in self.presented.scopes:
            return False
        return access.may(operation, cluster=token.cluster_id)

    def _url(self, access: Access, token: Token) -> str:
        at = ("organizations", access.organization.slug)
        if token.kind is Kind.API_ACCESS:
            return self.site.web(*at, "tokens", "api", token.id)
        if token.kind is Kind.AGENT_SESSION:
            return self.site.web(*at, "agents", token.agent_id or "")
        if token.cluster_id is not None:
            return self.site.web(*at, "clusters", token.cluster_id, "tokens", token.id)
        return self.site.web(*at, "unclustered", "tokens", token.id)


def _operation(token: Token) -> str:
    """The operation whose right somebody needs to see a token; empty where nobody is shown its kind."""
    if token.kind is Kind.API_ACCESS:
        return "api_token.read"
    if token.kind is Kind.UNCLUSTERED_AGENT or (token.kind is Kind.AGENT_SESSION and not token.cluster_id):
        return "unclustered_agent_token.read"
    return "agent_token.read" if token.kind in (Kind.AGENT, Kind.AGENT_SESSION) else ""


def _checked(text: str) -> str:
    prefix = text.lower()
    if not _PREFIX.fullmatch(prefix):
        raise Invalid(
            f"A prefix is {SHORTEST} to {LONGEST} hex digits of the SHA-256 of a value.",
            code="invalid_prefix",
        )
    return prefix
