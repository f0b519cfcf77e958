"""Fire drills: what they consist of, how their steps are proved and timed, and what is recorded of them.

A drill goes the way of a real leak or rotation, through the server's own HTTP surface, with a canary that was
made for it. Whatever fails, the canary is revoked in the end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Any, Protocol, TypeVar

import msgspec

from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization
from watchword.domain.errors import WatchwordError
from watchword.domain.events import Action
from watchword.domain.ids import LeakId, OrganizationId, TokenId
from watchword.domain.tokens import MIN_LIFETIME_US, MINUTE_US, Token
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.revoking import revoke
from watchword.store.base import Transaction

T = TypeVar("T")

# A canary that outlives its drill, because the server was killed, ends by itself.
CANARY_US = MIN_LIFETIME_US + 5 * MINUTE_US
# Whoever asks on the host waits for half a minute.
PATIENCE_S = 20.0
_AGAIN_S = 0.05


class Exercise(StrEnum):
    """What is exercised."""

    LEAK = "leak"
    ROTATION = "rotation"


class Verdict(StrEnum):
    """How a step went."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # there was nothing to prove, or an earlier step made it impossible


class Unproved(Exception):
    """A step does not hold; says why, without a value."""


class NothingToProve(Exception):
    """A step has nothing to look at here; says why."""


class Door(Protocol):
    """The server's own front door: requests come in by it as anybody's do."""

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Send a request and read the answer: status and body.

        Raises:
            Unproved: there was no answer.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a drill."""

    name: str
    verdict: Verdict
    detail: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill that was held.

    Attributes:
        token_id: the canary.
        leak_id: the case that it made; None of a rotation, or where none was made.
    """

    exercise: Exercise
    organization: Organization
    started_at: int
    milliseconds: int
    steps: tuple[Step, ...]
    token_id: TokenId | None
    leak_id: LeakId | None

    @property
    def passed(self) -> bool:
        """Whether everything that could be proved was."""
        return all(step.verdict is not Verdict.FAILED for step in self.steps)


@dataclass(slots=True)
class Course:
    """A drill under way.

    Attributes:
        name: the canary's description, by which messages about it are known.
        canaries: tokens that are revoked in the end.
    """

    authority: Authority
    door: Door
    caller: Caller
    organization: Organization
    name: str
    canaries: list[Token] = field(default_factory=list)
    leak_id: LeakId | None = None
    steps: list[Step] = field(default_factory=list)
    began: float = field(default_factory=monotonic)

    @property
    def organization_id(self) -> OrganizationId:
        """Whose drill it is."""
        return self.organization.id

    async def prove(self, name: str, work: Callable[[], Awaitable[str]]) -> bool:
        """Hold a step and note how it went; whether it passed."""
        began = monotonic()
        try:
            verdict, detail = Verdict.PASSED, await work()
        except NothingToProve as reason:
            verdict, detail = Verdict.SKIPPED, str(reason)
        except Unproved as reason:
            verdict, detail = Verdict.FAILED, str(reason)
        except WatchwordError as error:
            verdict, detail = Verdict.FAILED, f"{error.message} ({error.code})"
        took = round((monotonic() - began) * 1000)
        self.steps.append(Step(name, verdict, detail, took))
        return verdict is Verdict.PASSED

    def skip(self, *names: str) -> None:
        """Note steps that cannot be held because an earlier one failed."""
        self.steps += [
            Step(name, Verdict.SKIPPED, "not reached: an earlier step failed", 0) for name in names
        ]

    async def wait(self, look: Callable[[], Awaitable[T | None]]) -> T | None:
        """Look until there is something to see, for as long as the drill has patience; else None."""
        while True:
            found = await look()
            if found is not None or monotonic() - self.began >= PATIENCE_S:
                return found
            await asyncio.sleep(_AGAIN_S)

    async def read(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """A unit of work that reads."""
        return await self.authority.context.store.read(work)

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """A unit of work."""
        return await self.authority.context.store.write(work)

    async def call(
        self, method: str, path: str, credential: Secret, document: object = None, *, scheme: str = "Bearer"
    ) -> tuple[int, Any]:
        """Call the server with a credential; status and the answer's JSON, None where there is none.

        Raises:
            Unproved: there was no answer.
        """
        headers = {"Authorization": f"{scheme} {credential.reveal()}"}
        body = b""
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(document)
        status, answer = await self.door.send(method, path, headers, body)
        return status, read_json(answer)

    async def clear(self) -> None:
        """Revoke the canaries that still live."""
        context = self.authority.context
        for canary in self.canaries:

            async def work(tx: Transaction, canary: Token = canary) -> None:
                current = await tx.tokens.find(canary.organization_id, canary.id)
                if current is not None:
                    await revoke(context, tx, self.caller, current, None, "the drill is over")

            await self.write(work)

    async def end(self, exercise: Exercise, started_at: int) -> Drill:
        """Record the drill in the organization's audit trail."""
        drill = Drill(
            exercise=exercise,
            organization=self.organization,
            started_at=started_at,
            milliseconds=round((monotonic() - self.began) * 1000),
            steps=tuple(self.steps),
            token_id=self.canaries[0].id if self.canaries else None,
            leak_id=self.leak_id,
        )
        action = Action.DRILL_PASSED if drill.passed else Action.DRILL_FAILED
        details = {
            "drill": exercise.value,
            "token_id": drill.token_id or "",
            "leak_id": drill.leak_id or "",
            "milliseconds": drill.milliseconds,
            "failed": [step.name for step in drill.steps if step.verdict is Verdict.FAILED],
        }
        subject = ("drill", drill.leak_id or drill.token_id or self.organization_id)
        context = self.authority.context
        await self.write(
            lambda tx: context.record(tx, self.caller, action, self.organization_id, subject, details)
        )
        return drill


def read_json(body: bytes) -> Any:  # noqa: ANN401 - an answer of any shape
    """JSON of an answer; None where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
