"""Short words for tests that revoke, narrow and import tokens in a scene."""

from dataclasses import replace
from typing import Any

from services.scene import ADDRESS, AGENT_TOKENS, SESSIONS, Scene
from watchword.domain.fleet import Order
from watchword.domain.lifecycle import (
    BlastRadius,
    Mode,
    Receipt,
    Withdrawal,
    check_withdrawal,
)
from watchword.domain.restrictions import parse_networks
from watchword.domain.tokens import Token
from watchword.services.context import LOCAL
from watchword.services.editing import Edited
from watchword.services.exchanging import Joined, Registration, register
from watchword.services.issuing import Issued
from watchword.services.withdrawing import Withdrawn
from watchword.store.base import Transaction

STOP_JOINING, DRAIN, CUT = Mode.STOP_JOINING, Mode.DRAIN, Mode.CUT


def asked(mode: Mode = STOP_JOINING, minutes: int | None = None, reason: str = "leaked") -> Withdrawal:
    return check_withdrawal(mode, minutes, reason)


def revoke(scene: Scene, token: Token, mode: Mode = STOP_JOINING, **named: Any) -> Receipt:
    """Revoke, settle and confirm, as a surface does."""
    revoker, admin = scene.authority.revoker, scene.first.admin.id

    async def work(tx: Transaction) -> Withdrawn:
        return await revoker.revoke_in(tx, LOCAL, token, admin, asked(mode, **named))

    done = scene.run(scene.authority.context.store.write(work))
    revoker.settle(done)
    confirmed = scene.run(revoker.confirm(token.organization_id, done.revocation.id))
    return confirmed or Receipt(done.revocation, 0)


def narrow(
    scene: Scene, token: Token, networks: str | None, mode: Mode = STOP_JOINING, **named: Any
) -> Edited:
    """Edit the networks and settle, as a surface does."""
    editor, admin = scene.authority.editor, scene.first.admin.id

    async def work(tx: Transaction) -> Edited:
        current = await tx.tokens.find(token.organization_id, token.id)
        assert current is not None
        return await editor.edit_in(tx, LOCAL, current, admin, None, networks, asked(mode, **named))

    edited = scene.run(scene.authority.context.store.write(work))
    editor.settle(edited)
    return edited


def latest(scene: Scene, token: Token) -> Receipt:
    """The receipt as it is read later."""
    current = scene.record(token)
    return scene.run(
        scene.authority.context.store.read(lambda tx: scene.authority.revoker.latest_in(tx, current))
    )


def radius(scene: Scene, token: Token, networks: str | None = None) -> BlastRadius:
    blocks = parse_networks(networks) if networks is not None else None
    blast = scene.authority.blast
    return scene.run(scene.authority.context.store.read(lambda tx: blast.radius_in(tx, token, blocks)))


def order(scene: Scene, joined: Joined) -> Order | None:
    """What the agent's next ping is answered, jobs aside."""
    assert scene.ping(joined) is None
    return scene.authority.fleet.order(joined.agent.id)


def alive(scene: Scene, joined: Joined) -> bool:
    """Whether the agent's session token passes."""
    return not scene.reason(joined.value.reveal(), SESSIONS)


def join(scene: Scene, issued: Issued, address: str = ADDRESS) -> Joined:
    """An agent that joins from an address and is connected."""
    authority, value = scene.authority, issued.value.reveal()
    presented = scene.run(authority.verifier.verify(value, AGENT_TOKENS, address=address))
    caller, asked_for = replace(LOCAL, address=address), Registration(name="a", version="3.100.0")
    joined = scene.run(register(authority.context, authority.fleet, caller, presented, asked_for))
    scene.connect(joined)
    return joined
