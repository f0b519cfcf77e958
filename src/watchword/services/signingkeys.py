"""The installation's keys: which there are, new ones, and those that nobody is to trust any more.

The trail of every organization has each change, for relying parties of every one of them are concerned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.crypto.identitykeys import Algorithm, public_jwk
from watchword.crypto.keys import Key, Purpose
from watchword.domain.errors import Invalid
from watchword.domain.events import Action
from watchword.services.context import Caller, Context
from watchword.store.base import Transaction

MAX_HOURS = 30 * 24
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One key as people may see it.

    Attributes:
        state: coming, signing, published, withdrawn or verifying.
        kid: of job identity: as tokens name it; empty for the others.
        algorithm: of job identity; empty for the others.
    """

    key: Key
    state: str
    kid: str = ""
    algorithm: str = ""


def list_keys(context: Context) -> Sequence[KnownKey]:
    """All keys by purpose, oldest first; never a secret."""
    now = context.clock.now()
    return [_known(context, key, now) for purpose in Purpose for key in context.keys.all(purpose)]


def _known(context: Context, key: Key, now: int) -> KnownKey:
    keys = context.keys
    if key.purpose is not Purpose.IDENTITY:
        return KnownKey(key, "signing" if key.active else "verifying")
    shown = public_jwk(key.secret)
    state = "verifying"
    if key.withdrawn:
        state = "withdrawn"
    elif key is keys.signing(now):
        state = "signing"
    elif key in keys.published(now):
        state = "coming" if key.signs_from > now else "published"
    return KnownKey(key, state, shown["kid"], shown["alg"])


async def rotate_key(context: Context, caller: Caller, purpose: Purpose, hours: int) -> Key:
    """Make a new key; the former one only verifies from then on.

    Args:
        context: the ground.
        caller: who does it.
        purpose: what the key is for.
        hours: of job identity: how long it is published before it signs; the others take over at once.

    Raises:
        Invalid: the hours are not acceptable.
    """
    if not 0 <= hours <= MAX_HOURS:
        raise Invalid(f"A key is published for 0 to {MAX_HOURS} hours before it signs.", code="invalid_hours")
    signs_from = context.clock.now() + hours * _HOUR_US if purpose is Purpose.IDENTITY else 0
    algorithm = Algorithm(context.installation.job_identity_algorithm)
    ring = context.keys.rotated(purpose, signs_from=signs_from, algorithm=algorithm)
    made = ring.active(purpose)
    await _record(context, caller, Action.SIGNING_KEY_ROTATED, made)
    context.keys.become(ring)
    return made


async def withdraw_key(context: Context, caller: Caller, number: int) -> None:
    """Publish a key of job identity no more: whoever has it can make tokens that relying parties take.

    Raises:
        NotFound: there is no such key.
        Conflict: it is the one that signs.
    """
    ring = context.keys.without(number, context.clock.now())
    key = ring.find(Purpose.IDENTITY, number)
    if key is not None:
        await _record(context, caller, Action.SIGNING_KEY_WITHDRAWN, key)
    context.keys.become(ring)


async def replace_identity_keys(context: Context, caller: Caller) -> None:
    """A new key of job identity that signs at once, and all former ones withdrawn.

    An old key file may hold one that was withdrawn since, because somebody else had it.
    """
    former = context.keys.all(Purpose.IDENTITY)
    await rotate_key(context, caller, Purpose.IDENTITY, 0)
    for key in former:
        if not key.withdrawn:
            await withdraw_key(context, caller, key.number)


async def _record(context: Context, caller: Caller, action: Action, key: Key) -> None:
    data: dict[str, object] = {"purpose": key.purpose.value, "number": key.number}
    if key.purpose is Purpose.IDENTITY:
        data |= {"kid": public_jwk(key.secret)["kid"], "signs_from": key.signs_from}

    async def work(tx: Transaction) -> None:
        subject = ("signing_key", f"{key.purpose.value}-{key.number}")
        for organization in await tx.accounts.organizations():
            await context.record(tx, caller, action, organization.id, subject, data)

    await context.store.write(work)
