"""Finding what a report names: the token behind a value, a digest or an id, of any organization and state."""

from dataclasses import dataclass

from watchword.crypto.jwt import read_claims, signature_holds
from watchword.crypto.keys import Purpose
from watchword.crypto.values import MAX_VALUE, Secret, digest
from watchword.domain.ids import JobId, OrganizationId, TokenId, is_uuid
from watchword.domain.kinds import Body, Kind
from watchword.domain.leaks import Evidence, Visibility
from watchword.domain.people import SECOND_US
from watchword.domain.pipelines import Job
from watchword.domain.tokens import State, Token
from watchword.services.context import Context
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a report: a value, or its digest, or the id of a token; and where it was seen.

    Attributes:
        value: the whole value.
        digest: SHA-256 of the value, where the reporter keeps the value to itself.
        organization: slug; with `token_id`.
        token_id: id of the token.
        type: what the reporter calls it; given back as it came.
        url: where it was seen.
        place: what part of that, in the reporter's words.
        visibility: who could see it; None for what the reporter's settings say.
        exposed_at: since when, in microseconds; 0 for not known.
    """

    value: Secret | None = None
    digest: bytes = b""
    organization: str = ""
    token_id: str = ""
    type: str = ""
    url: str = ""
    place: str = ""
    visibility: Visibility | None = None
    exposed_at: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """What an item names.

    Attributes:
        token: its record; None for a job token, whose record is `job`.
        live: whether the value would pass now, networks and quarantines aside.
    """

    organization_id: OrganizationId
    token_id: TokenId
    kind: Kind
    token: Token | None
    job: Job | None
    live: bool
    evidence: Evidence


def digest_of(item: Item) -> bytes:
    """SHA-256 of an item's value; empty where neither was given."""
    return digest(item.value.reveal()) if item.value is not None else item.digest


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks items up. A digest is never deleted: a token that ended years ago is found like a live one."""

    context: Context

    async def named_in(self, tx: Transaction, item: Item) -> Named | None:
        """What an item names; None where it is nothing of ours."""
        if item.value is not None and len(item.value.reveal()) > MAX_VALUE:
            return None
        sought = digest_of(item)
        if sought:
            token = await tx.tokens.by_digest(sought)
            if token is not None:
                evidence = Evidence.VALUE if item.value is not None else Evidence.DIGEST
                return self._of_token(token, evidence)
            return await self._job_in(tx, item.value) if item.value is not None else None
        return await self._by_id_in(tx, item)

    def _of_token(self, token: Token, evidence: Evidence) -> Named:
        live = token.state_at(self.context.clock.now()) is State.ACTIVE
        return Named(token.organization_id, token.id, token.kind, token, None, live, evidence)

    async def _by_id_in(self, tx: Transaction, item: Item) -> Named | None:
        if not item.organization or not is_uuid(item.token_id):
            return None
        organization = await tx.accounts.organization_by_slug(item.organization)
        if organization is None:
            return None
        token = await tx.tokens.find(organization.id, TokenId(item.token_id.lower()))
        return self._of_token(token, Evidence.ID) if token is not None else None

    async def _job_in(self, tx: Transaction, value: Secret) -> Named | None:
        """The job of a job token that we signed; its row is the token's record."""
        text = value.reveal()
        recognised = self.context.recogniser().recognise(text)
        if recognised is None or recognised.shape.body is not Body.JWT:
            return None
        prefix = text[: text.index("_") + 1]
        claims = read_claims(text, prefix)
        if claims is None:
            return None
        job = await tx.builds.job(OrganizationId(claims.organization_id), JobId(claims.sub))
        key = self.context.keys.find(Purpose.JOB_TOKEN, job.token_key) if job is not None else None
        if job is None or key is None or not signature_holds(text, prefix, key):
            return None
        current = job.agent_id == claims.aud and job.token_issued_at // SECOND_US == claims.iat
        live = current and job.state.held and self.context.clock.now() < claims.exp * SECOND_US
        return Named(job.organization_id, TokenId(job.id), Kind.JOB, None, job, live, Evidence.VALUE)
