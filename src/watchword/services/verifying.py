"""The verifier: one function decides for every surface whether a presented value passes.

Order: shape and checksum or MAC, kind, digest, cache, store, state, expiry, network, scope. Each refusal
has a stable reason. Unknown and foreign values get one answer at one cost; whoever presents the whole
value of a dead token has proved possession and is told why it is dead.
"""

import sys
from collections.abc import Collection, Sized
from dataclasses import dataclass

from watchword.crypto.jwt import JobClaims, read_claims, signature_holds
from watchword.crypto.keys import Purpose
from watchword.crypto.packagevalues import package_value_holds
from watchword.crypto.values import MAX_VALUE, Recogniser, digest
from watchword.domain.errors import Refused
from watchword.domain.events import TOPIC_TOKEN_CHANGED, TOPIC_TOKEN_ENDED, TOPIC_TOKEN_IMPORTED, Notice
from watchword.domain.ids import JobId, OrganizationId, TokenId
from watchword.domain.kinds import KINDS, Body, Kind, Shape, kinds_of
from watchword.domain.pipelines import Job
from watchword.domain.restrictions import Restrictions, load
from watchword.domain.tokens import Reason, State, Token
from watchword.domain.use import HOUR_US
from watchword.services.blocking import Blocks
from watchword.services.context import Context
from watchword.services.ledger import Ledger
from watchword.services.refusing import MESSAGES, ended_message, ended_reason, wrong_kind
from watchword.services.refusing import refusal as refusal  # noqa: PLC0414 - handed on to the surfaces
from watchword.services.watching import Watch
from watchword.store.base import Transaction

CACHE_SIZE = 200_000
JOB_KINDS = (Kind.JOB, Kind.AGENT_SESSION)
_SECOND_US = 1_000_000
_ACTIVE = State.ACTIVE  # Python 3.11 takes 0.2 µs to find a member by its name


class JobEnded(Refused):
    """A job token whose job has ended; the caller of a repeated finish may look at the outcome."""

    code = Reason.JOB_FINISHED.value

    def __init__(self, job: Job) -> None:
        super().__init__(MESSAGES[Reason.JOB_FINISHED])
        self.job = job


@dataclass(slots=True, eq=False)
class Presented:
    """A live token and what it may do.

    Attributes:
        token: its record; None for a job token, whose record is `job`.
        job: the job a job token stands for, as its row was when the token was checked.
        scopes: canonical scope words.
        restrictions: what narrows it.
    """

    kind: Kind
    organization_id: OrganizationId
    token: Token | None
    job: Job | None
    scopes: frozenset[str]
    restrictions: Restrictions
    # The ledger's counter of this hour and address: a use is then two list writes.
    counter: list[int] | None = None
    counter_key: tuple[str | None, int, str] | None = None
    # What a surface made of the record; it lives as long as this does, which a change of the token ends.
    rendered: object = None

    @property
    def id(self) -> str:
        """Id of the token; of the job for a job token."""
        if self.token is not None:
            return self.token.id
        return self.job.id if self.job is not None else ""

    @property
    def holder(self) -> Token:
        """The record.

        Raises:
            TypeError: it is a job token.
        """
        if self.token is None:
            raise TypeError("a job token has no record of its own")
        return self.token


def look_at(token: Token) -> Presented:
    """A stored token as it would be if it were presented; nothing is checked or counted."""
    return Presented(
        kind=token.kind,
        organization_id=token.organization_id,
        token=token,
        job=None,
        scopes=frozenset(token.scopes.split()),
        restrictions=load(token.restrictions),
    )


class Verifier:
    """Decides about presented values; caches live tokens, and dead ones that are shown for ever."""

    def __init__(self, context: Context, ledger: Ledger) -> None:
        self._context = context
        self._now = context.clock.now
        self._ledger = ledger
        self.blocks = Blocks(context)
        self._recogniser: Recogniser = context.recogniser()
        self._cache: dict[bytes, Presented] = {}
        self._signed: dict[bytes, JobClaims] = {}
        self._watch: Watch | None = None
        self._special: Collection[TokenId] = ()
        self._waiting: Sized = ()
        # Values that are being looked up; a notice that comes meanwhile takes its value out.
        self._loading: dict[bytes, object] = {}
        # Digests of values that were issued elsewhere: these alone may have any shape.
        self.imported: set[bytes] = set()
        context.feed.follow(TOPIC_TOKEN_ENDED, self._forget)
        context.feed.follow(TOPIC_TOKEN_CHANGED, self._forget)
        context.feed.follow(TOPIC_TOKEN_IMPORTED, self._take_over)

    async def load(self) -> None:
        """Read at a start which values were issued elsewhere."""
        self.imported.update(await self._context.store.read(lambda tx: tx.tokens.imported()))

    def heed(self, watch: Watch) -> None:
        """Have a watch look at the uses of its special tokens."""
        self._watch, self._special, self._waiting = watch, watch.special, watch.waiting

    async def verify(
        self,
        value: str | None,
        kinds: Collection[Kind],
        *,
        address: str | None,
        scope: str = "",
        agent: str = "",
        check_address: bool = True,
    ) -> Presented:
        """Check a presented value.

        Args:
            value: what stood in the request; None if nothing did.
            kinds: kinds that the route takes.
            address: the client's address; None where it is ambiguous.
            scope: the scope that the route asks of an API access token.
            agent: the client's user agent, for the ledger.
            check_address: False where the value is shown by a third party (introspection).

        Raises:
            Refused: it does not pass; `code` is a `Reason`.
        """
        now = self._now()
        known: Presented | None = None
        try:
            if not value:
                raise refusal(Reason.MISSING)
            key = digest(value) if len(value) <= MAX_VALUE else b""
            presented = self._cache.get(key)
            if presented is None or presented.kind not in kinds:
                presented = await self._look_up(value, key, presented, kinds, now)
            known = presented
            if presented.token is not None:
                self._check(presented, presented.token, kinds, now, address, check_address)
                if presented.token.id in self._special and self._watch is not None:
                    await self._watch.used(presented.token, address)
            if scope and scope not in presented.scopes:
                raise refusal(Reason.SCOPE_MISSING, f"Your access token doesn't have the {scope} scope")
        except Refused as error:
            await self._note_refusal(error, known, address, now)
            raise
        self._count(presented, address, agent, now)
        if self._waiting and self._watch is not None:
            await self._watch.alarm()
        return presented

    async def _note_refusal(
        self, error: Refused, known: Presented | None, address: str | None, now: int
    ) -> None:
        if known is None:
            self._ledger.refuse(error.code, address, "", now)
        else:
            self._ledger.refuse(error.code, address, known.id, now, known.organization_id)
        if error.code == Reason.SUPERSEDED and known is not None and self._watch is not None:
            await self._watch.reused(known.holder, address)
        if error.code == Reason.NETWORK_BLOCKED and known is not None:
            self.blocks.note(known.holder, address)

    async def verify_job(
        self,
        value: str | None,
        job_id: JobId,
        *,
        address: str | None,
        agent: str = "",
        kinds: Collection[Kind] = JOB_KINDS,
    ) -> Job:
        """Check the token of a call about one job.

        A session token passes for the one job that its agent runs, if that agent is older than 3.39
        and the installation allows it (contract agent-api §1.2).

        Returns:
            The job's row, read after the token was presented.

        Raises:
            Refused: the token does not pass, or belongs to another job.
        """
        presented = await self.verify(value, kinds, address=address, agent=agent)
        job = presented.job
        if job is None:
            job = await self._job_of_session(presented, job_id)
        if job.id != job_id:
            now = self._context.clock.now()
            self._ledger.refuse(Reason.OTHER_JOB, address, presented.id, now, job.organization_id)
            raise refusal(Reason.OTHER_JOB)
        return job

    def refusal_of(self, presented: Presented) -> str:
        """Why a token would be refused right now, networks aside; empty where it would pass."""
        try:
            self._check(presented, presented.holder, (presented.kind,), self._now(), None, False)
        except Refused as error:
            return error.code
        return ""

    @property
    def cached(self) -> int:
        """How many tokens the cache holds."""
        return len(self._cache)

    def clear(self) -> None:
        """Empty the cache."""
        self._cache.clear()
        self._signed.clear()

    async def _look_up(
        self, value: str, key: bytes, cached: Presented | None, kinds: Collection[Kind], now: int
    ) -> Presented:
        """What stands for a value that the cache does not have for one of these kinds.

        Whatever is in the cache passed shape and checksum on its way in, and stands under the SHA-256 of
        its value: what is found there need not be taken apart again. A value that was issued elsewhere
        may have any shape.
        """
        if key not in self.imported and self._recognise(value, kinds).body is Body.JWT:
            return await self._job(value, key, now)
        return cached or await self._load(key)

    def _recognise(self, value: str, kinds: Collection[Kind]) -> Shape:
        shape = self._recogniser.shape_of(value)
        if shape is None:
            raise refusal(Reason.MALFORMED)
        if all(KINDS[kind].shape is not shape for kind in kinds):
            raise wrong_kind(KINDS[kinds_of(shape)[0]].title, kinds)
        if shape.body is Body.SIGNED and not package_value_holds(self._context.keys, value):
            raise refusal(Reason.UNKNOWN)  # it was never issued: the store need not be asked
        return shape

    async def _load(self, key: bytes) -> Presented:
        async def work(tx: Transaction) -> Token | None:
            return await tx.tokens.by_digest(key)

        mark = self._loading[key] = object()
        try:
            token = await self._context.store.read(work)
        finally:
            fresh = self._loading.get(key) is mark
            if fresh:
                del self._loading[key]
        if token is None:
            raise refusal(Reason.UNKNOWN)
        presented = look_at(token)
        if fresh and (token.state is State.ACTIVE or _asks_for_ever(token)):
            if len(self._cache) >= CACHE_SIZE:
                for old in list(self._cache)[: CACHE_SIZE // 8]:
                    del self._cache[old]
            self._cache[key] = presented
        return presented

    def _check(
        self,
        presented: Presented,
        token: Token,
        kinds: Collection[Kind],
        now: int,
        address: str | None,
        check_address: bool,  # noqa: FBT001 - passed on from the public keyword
    ) -> None:
        if presented.kind not in kinds:
            raise wrong_kind(KINDS[presented.kind].title, kinds)
        if token.state is not _ACTIVE:
            raise refusal(ended_reason(token), ended_message(token))
        if token.expires_at and now >= token.expires_at:
            raise refusal(Reason.EXPIRED)
        if now < token.not_before:
            raise refusal(Reason.NOT_YET_VALID)
        restrictions = presented.restrictions
        if restrictions.unknown:
            raise refusal(Reason.RESTRICTION_UNKNOWN)
        if check_address and restrictions.networks and restrictions.refuse_address(address):
            raise refusal(Reason.NETWORK_BLOCKED)

    async def _job(self, value: str, key: bytes, now: int) -> Presented:
        prefix = value[: value.index("_") + 1]
        claims = self._signed.get(key) or read_claims(value, prefix)
        if claims is None:
            raise refusal(Reason.MALFORMED)
        job = await self._find_job(OrganizationId(claims.organization_id), JobId(claims.sub))
        if job is None:
            raise refusal(Reason.UNKNOWN)
        if key not in self._signed:
            self._check_signature(value, prefix, key, claims, job)
        current = job.agent_id == claims.aud and job.token_issued_at // _SECOND_US == claims.iat
        if job.state.ended and current:
            raise JobEnded(job)
        if not job.state.held or not current:
            raise refusal(Reason.REVOKED)
        if now >= claims.exp * _SECOND_US:
            raise refusal(Reason.EXPIRED)
        return Presented(Kind.JOB, job.organization_id, None, job, frozenset(), Restrictions())

    def _check_signature(self, value: str, prefix: str, key: bytes, claims: JobClaims, job: Job) -> None:
        signing_key = self._context.keys.find(Purpose.JOB_TOKEN, job.token_key)
        if signing_key is None or not signature_holds(value, prefix, signing_key):
            raise refusal(Reason.UNKNOWN)
        if len(self._signed) >= CACHE_SIZE:
            self._signed.clear()
        self._signed[key] = claims

    async def _find_job(self, organization_id: OrganizationId, job_id: JobId) -> Job | None:
        async def work(tx: Transaction) -> Job | None:
            return await tx.builds.job(organization_id, job_id)

        return await self._context.store.read(work)

    async def _job_of_session(self, presented: Presented, job_id: JobId) -> Job:
        """The job that an old agent runs on its session token."""
        token = presented.holder

        async def work(tx: Transaction) -> Job | None:
            if token.agent_id is None:
                return None
            agent = await tx.fleet.find(token.organization_id, token.agent_id)
            if agent is None or agent.knows_job_tokens:
                return None
            if agent.job_id != job_id:
                raise refusal(Reason.OTHER_JOB)
            return await tx.builds.job(token.organization_id, job_id)

        job = None
        if self._context.installation.session_on_job_routes:
            job = await self._context.store.read(work)
        if job is None or job.agent_id != token.agent_id or not job.state.held:
            raise wrong_kind(KINDS[Kind.AGENT_SESSION].title, (Kind.JOB,))
        return job

    def _count(self, presented: Presented, address: str | None, agent: str, now: int) -> None:
        key = (address, now // HOUR_US, agent)
        counter = presented.counter
        if counter is not None and presented.counter_key == key:
            counter[1] = now
            counter[2] += 1
            return
        former = presented.counter_key
        if former is not None and former[0] != address and presented.kind is Kind.AGENT_SESSION:
            self._note_move(presented, former[0], address)
        agent = sys.intern(agent)  # few clients, many tokens
        key = (address, key[1], agent)
        token = presented.token
        holder = token.agent_id or "" if token is not None else presented.id
        presented.counter = self._ledger.note(
            presented.organization_id, presented.id, address, holder, agent, now
        )
        presented.counter_key = key

    def _note_move(self, presented: Presented, former: str | None, address: str | None) -> None:
        if self._watch is not None:
            self._watch.moved(presented.holder, former, address)

    def _forget(self, notice: Notice) -> None:
        key = bytes.fromhex(notice.payload)
        self._cache.pop(key, None)
        self._loading.pop(key, None)

    def _take_over(self, notice: Notice) -> None:
        self.imported.add(bytes.fromhex(notice.payload))


def _asks_for_ever(token: Token) -> bool:
    """Whether a dead token goes on being shown: Dagster's agents never give up (contract dagster §8).

    A revocation is final, so that what is kept of it stays true.
    """
    return token.kind is Kind.DAGSTER_AGENT and token.state is State.REVOKED
