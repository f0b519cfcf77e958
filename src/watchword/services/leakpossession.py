"""Revocation by possession: whoever shows the whole value of a token may end it, and needs no account.

A value that is nothing of ours is answered in the same form and writes nothing. What cannot be revoked gets
its case, and is said to be what it is.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from watchword.crypto.values import Secret, digest
from watchword.domain.errors import Forbidden
from watchword.domain.leakdoors import Possession
from watchword.domain.leakpolicy import REVOKE, responses_for
from watchword.domain.leaks import Label, Response
from watchword.domain.tokens import MINUTE_US, State
from watchword.services.attention import Attention
from watchword.services.context import Caller, Context
from watchword.services.leakfinding import Finder, Item
from watchword.services.leakreports import Answer, Reports, Source
from watchword.store.base import Transaction

NAME = "possession"
UNKNOWN, QUARANTINED = "unknown", "quarantined"
_WORDS = {
    UNKNOWN: "This is no token of this installation.",
    QUARANTINED: "The token is refused until its people decide.",
    State.ACTIVE: "The token works on. Its people were told.",
    State.REVOKED: "The token is revoked.",
    State.EXPIRED: "The token has expired.",
    State.SUPERSEDED: "The token was replaced and works no more.",
}
_JOB = "A job token ends with its job and cannot be revoked before. Its people were told."


@dataclass(frozen=True, slots=True)
class Shown:
    """What is said of one value.

    Attributes:
        digest: SHA-256 of the value.
        state: of the token, or `unknown`, or `quarantined`.
        message: the same in a sentence, with what follows.
    """

    digest: bytes
    label: Label
    state: str
    message: str


@dataclass(slots=True)
class Possessions:
    """Takes values that anybody shows."""

    context: Context
    finder: Finder
    reports: Reports
    attention: Attention

    async def show(self, caller: Caller, values: Sequence[Secret]) -> list[Shown]:
        """Revoke the tokens of some values, or do what the operator wants done instead.

        Showing them again changes nothing and gets the same answer.

        Raises:
            Forbidden: the operator does not let anybody do this.
            Unavailable: the database cannot take it now.
        """
        how = self.context.installation.leak_possession
        if how is Possession.OFF:
            raise Forbidden(
                "This installation takes no values from people without an account.",
                code="leak_possession_off",
            )
        # The word is the place, so that what was only reported once is revoked when the setting changes.
        items = [Item(value=value, place=how.value) for value in values]
        answers = await self.reports.label(items)
        news = [answer.item for answer in answers if _is_news(answer, how)]
        if news:
            source = Source(name=NAME, rule=REVOKE if how is Possession.REVOKE else None)
            await self.reports.take(caller, source, news, body=self._body(how, news))
        return await self.context.store.read(lambda tx: self._shown_in(tx, items))

    def _body(self, how: Possession, items: Sequence[Item]) -> bytes:
        """What stands for the report: its values and the minute, so that a later one is another one."""
        minute = self.context.clock.now() // MINUTE_US
        digests = b"".join(digest(item.value.reveal()) for item in items if item.value is not None)
        return hashlib.sha256(f"{how.value}\0{minute}\0".encode() + digests).digest()

    async def _shown_in(self, tx: Transaction, items: Sequence[Item]) -> list[Shown]:
        return [await self._one_in(tx, item) for item in items]

    async def _one_in(self, tx: Transaction, item: Item) -> Shown:
        sought = digest(item.value.reveal()) if item.value is not None else b""
        named = await self.finder.named_in(tx, item)
        if named is None:
            return Shown(sought, Label.FALSE_POSITIVE, UNKNOWN, _WORDS[UNKNOWN])
        if named.token is None:
            state = State.ACTIVE if named.live else State.EXPIRED
            return Shown(sought, Label.TRUE_POSITIVE, state, _JOB if named.live else _WORDS[state])
        state = named.token.state_at(self.context.clock.now())
        held = state is State.ACTIVE and self.attention.holds_back(named.token_id, None)
        word = QUARANTINED if held else state.value
        return Shown(sought, Label.TRUE_POSITIVE, word, _WORDS[word])


def _is_news(answer: Answer, how: Possession) -> bool:
    """Whether a value is to be reported: it is ours, and has no case yet or is still to be ended."""
    if answer.label is Label.FALSE_POSITIVE or answer.leak is None:
        return answer.label is Label.TRUE_POSITIVE
    if how is Possession.REPORT:
        return answer.live
    return answer.live and Response.REVOKE in responses_for(answer.leak.kind)
