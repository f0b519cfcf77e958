"""Revealing: only where the policy says so, only with a record before, never after the copy is destroyed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from services.people_scene import CALLER, Door
from services.scene import Scene
from watchword.crypto.sealing import unseal
from watchword.crypto.values import Secret
from watchword.domain.accounts import Member, Role, User
from watchword.domain.errors import Forbidden, Invalid, NotFound, Unavailable, WatchwordError
from watchword.domain.events import Action, Actor
from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.people import SealedValue
from watchword.domain.tokens import Token
from watchword.services import revealing
from watchword.services.context import LOCAL, Caller
from watchword.services.ending import end_token
from watchword.services.issuing import Issued
from watchword.services.revealing import PolicyChange, reveal, reveal_on_host, set_revealable
from watchword.services.sealedvalues import open_copy
from watchword.store.audit import AuditRows
from watchword.store.base import EVERYTHING

HOST = Caller(Actor("system", "host", "root"))
HOUR = 3600


@pytest.fixture
def make_of_database() -> str:
    return "sqlite"  # the store's part is held by its contract on both


def switch(scene: Scene, kind: Kind = Kind.AGENT, *, on: bool = True) -> PolicyChange:
    context = scene.authority.context
    return scene.run(set_revealable(context, LOCAL, scene.organization_id, kind, revealable=on))


def show(scene: Scene, token: Token, reason: str = "lost it", caller: Caller = HOST) -> str:
    found, value = scene.run(reveal_on_host(scene.authority.context, caller, token.id, reason))
    assert found.id == token.id
    return value.reveal()


def refused(scene: Scene, token: Token, **named: Any) -> str:
    try:
        show(scene, token, **named)
    except WatchwordError as error:
        return error.code
    return ""


def copies(scene: Scene, issued: list[Issued]) -> list[SealedValue]:
    async def work(tx: Any) -> list[Any]:
        return [await tx.sealed.find(scene.organization_id, one.token.id) for one in issued]

    return [found for found in scene.run(scene.world.store.read(work)) if found is not None]


def test_nothing_is_kept_unless_the_policy_says_so(scene: Scene) -> None:
    issued = [scene.token(), scene.token(unclustered=True)]
    assert copies(scene, issued) == []
    assert refused(scene, issued[0].token) == "not_revealable"


@pytest.mark.parametrize("unclustered", [False, True])
def test_a_value_is_shown_again_where_the_policy_says_so(scene: Scene, *, unclustered: bool) -> None:
    before = scene.token(unclustered=unclustered)
    switch(scene, Kind.UNCLUSTERED_AGENT if unclustered else Kind.AGENT)
    issued = scene.token(unclustered=unclustered)
    other = scene.token(unclustered=not unclustered)
    assert show(scene, issued.token) == issued.value.reveal()
    assert refused(scene, before.token) == "not_revealable"  # new tokens only
    assert refused(scene, other.token) == "not_revealable"  # this kind only
    assert issued.value.reveal().encode() not in scene.world.database.content()
    (event,) = scene.events(Action.TOKEN_REVEALED)
    assert (event.subject_id, event.actor_name) == (issued.token.id, "root")
    assert event.data == f'{{"kind":"{issued.token.kind.value}","reason":"lost it"}}'


def test_another_organization_and_another_kind_keep_nothing(scene: Scene) -> None:
    switch(scene)
    api = scene.first.api_token
    assert copies(scene, [api]) == []


@pytest.mark.parametrize("kind", [kind for kind, spec in KINDS.items() if not spec.revealable])
def test_some_kinds_are_never_shown_again(scene: Scene, kind: Kind) -> None:
    with pytest.raises(Invalid, match="never"):
        switch(scene, kind)
    assert Kind.API_ACCESS in [kind for kind, spec in KINDS.items() if not spec.revealable]


def test_the_record_is_committed_before_the_value_is_returned(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch(scene)
    issued = scene.token()
    committed: list[list[tuple[object, ...]]] = []

    def looked_at(*given: Any) -> Secret | None:
        sql = "SELECT subject_id FROM audit_events WHERE action = 'token.revealed'"
        committed.append(scene.world.database.query(sql))  # on a connection of its own
        return open_copy(*given)

    monkeypatch.setattr(revealing, "open_copy", looked_at)
    assert show(scene, issued.token) == issued.value.reveal()
    assert committed == [[(issued.token.id,)]]


def test_without_a_record_there_is_no_value(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    switch(scene)
    issued = scene.token()
    scene.authority.context.gate.closed = True
    assert refused(scene, issued.token) == "audit_unavailable"
    scene.authority.context.gate.closed = False

    async def fail(*_given: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(AuditRows, "add", fail)
        assert refused(scene, issued.token) == "unavailable"
    assert not scene.events(Action.TOKEN_REVEALED)
    assert show(scene, issued.token) == issued.value.reveal()


def test_a_reveal_that_cannot_be_opened_is_in_the_trail_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch(scene)
    issued = scene.token()
    monkeypatch.setattr(revealing, "open_copy", lambda *_: None)
    assert refused(scene, issued.token) == "copy_unreadable"
    assert len(scene.events(Action.TOKEN_REVEALED)) == 1


def test_the_copy_goes_with_the_token(scene: Scene) -> None:
    switch(scene)
    revoked, expired, kept = scene.token(), scene.token(expires_in=HOUR), scene.token()
    context = scene.authority.context
    assert len(copies(scene, [revoked, expired, kept])) == 3
    scene.run(context.store.write(lambda tx: end_token(context, tx, revoked.token, None, "over")))
    assert [one.token_id for one in copies(scene, [revoked, expired, kept])] == [
        expired.token.id,
        kept.token.id,
    ]
    assert refused(scene, revoked.token) == "token_ended"
    scene.forward(HOUR)
    assert refused(scene, expired.token) == "token_ended"  # before any sweep
    scene.sweep()
    assert [one.token_id for one in copies(scene, [revoked, expired, kept])] == [kept.token.id]


def test_switching_back_destroys_every_copy_at_once(scene: Scene) -> None:
    """The flip test: no copy is left that any key still held would open."""
    switch(scene)
    switch(scene, Kind.UNCLUSTERED_AGENT)
    issued = [scene.token() for _ in range(20)]
    others = [scene.token(unclustered=True) for _ in range(2)]
    sealed = copies(scene, issued)
    assert len(sealed) == 20
    assert switch(scene, on=False).destroyed == 20
    assert copies(scene, issued) == []
    assert len(copies(scene, others)) == 2
    assert {refused(scene, one.token) for one in issued[:3]} == {"not_revealable"}
    # In the database's files too, once its log is written back.
    scene.world.database.query("PRAGMA wal_checkpoint(TRUNCATE)")
    content = scene.world.database.content()
    assert not [one for one in sealed if one.sealed in content]
    assert switch(scene, on=False).destroyed == 0
    assert copies(scene, [scene.token()]) == []
    changes = scene.events(Action.REVEAL_POLICY_CHANGED)
    assert changes[-1].data == '{"kind":"agent","revealable":false,"destroyed":20}'
    assert len(changes) == 3


def test_a_copy_opens_for_its_own_token_alone(scene: Scene) -> None:
    switch(scene)
    first, second = scene.token(), scene.token()
    context = scene.authority.context
    one, other = copies(scene, [first, second])
    assert open_copy(context, first.token, one) == first.value
    assert open_copy(context, first.token, other) is None
    moved = replace(first.token, organization_id=OrganizationId("other"))
    assert open_copy(context, moved, one) is None
    renamed = replace(first.token, id=TokenId("other"))
    assert open_copy(context, renamed, one) is None
    assert open_copy(context, replace(first.token, digest=b"x" * 32), one) is None
    # The number of the key is bound in: another number opens nothing, though the key is there.
    turned = b"\0\0\0\2" + one.sealed[4:]
    assert unseal(context.keys, turned, f"value:{first.token.organization_id}:{first.token.id}") is None


def test_five_values_an_hour_and_not_one_more_among_many(scene: Scene) -> None:
    switch(scene)
    issued = [scene.token() for _ in range(8)]

    async def scenario() -> list[str]:
        async def one(token: Token) -> str:
            try:
                await reveal_on_host(scene.authority.context, HOST, token.id, "drill")
            except WatchwordError as error:
                return error.code
            return "shown"

        return list(await asyncio.gather(*(one(each.token) for each in issued)))

    assert sorted(scene.run(scenario())) == ["shown"] * 5 + ["too_many_attempts"] * 3
    assert len(scene.events(Action.TOKEN_REVEALED)) == 5
    other = Caller(Actor("system", "host", "ada"))
    assert refused(scene, issued[7].token, caller=other) == ""  # a person's own budget
    scene.forward(HOUR)
    assert refused(scene, issued[0].token) == ""


@pytest.mark.parametrize("reason", ["", "  ", "x" * 256])
def test_a_reason_is_asked_for(scene: Scene, reason: str) -> None:
    switch(scene)
    assert refused(scene, scene.token().token, reason=reason) == "reason_missing"


def test_the_owner_is_told(scene: Scene) -> None:
    switch(scene)
    issued = scene.token()
    show(scene, issued.token)
    (mail,) = scene.run(scene.world.store.read(lambda tx: tx.mails.list(EVERYTHING)))
    assert mail.recipient == "admin@example.com"
    text = unseal(scene.world.keys, mail.body, f"mail:{mail.id}")
    assert text is not None
    assert issued.token.id.encode() in text
    assert issued.value.reveal().encode() not in text


# -- by a person -------------------------------------------------------------------------------------


def test_a_person_needs_the_role_and_a_fresh_proof(scene: Scene) -> None:
    door = Door(scene)
    switch(scene)
    issued = scene.token()
    context, owner = scene.authority.context, scene.organization_id

    def ask(token_id: TokenId = issued.token.id) -> Secret:
        visitor = door.visit(signed)
        return scene.run(reveal(context, CALLER, visitor, owner, token_id, "lost it"))[1]

    signed = door.sign_in()
    assert ask() == issued.value
    with pytest.raises(NotFound):
        ask(TokenId("another"))
    scene.forward(300)
    with pytest.raises(WatchwordError) as error:
        ask()
    assert error.value.code == "step_up_required"


@pytest.mark.parametrize(("role", "error"), [(Role.MEMBER, Forbidden), (None, NotFound)])
def test_others_are_shown_nothing(scene: Scene, role: Role | None, error: type[WatchwordError]) -> None:
    door = Door(scene)
    switch(scene)
    issued = scene.token()
    user = User(UserId("bob"), "bob@example.com", "Bob", door.row().password_hash, 1)

    async def work(tx: Any) -> None:
        await tx.accounts.add_user(user)
        if role is not None:
            await tx.accounts.add_member(Member(scene.organization_id, user.id, role, 1))

    scene.run(scene.world.store.write(work))
    visitor = door.visit(door.sign_in(email=user.email))
    asked = reveal(
        scene.authority.context, CALLER, visitor, scene.organization_id, issued.token.id, "curious"
    )
    with pytest.raises(error):
        scene.run(asked)
    assert not scene.events(Action.TOKEN_REVEALED)


def test_a_successors_value_is_kept_and_goes_when_the_rotation_is_taken_back(scene: Scene) -> None:
    switch(scene)
    issued = scene.token()
    rotator = scene.authority.rotator
    write = scene.world.store.write
    started = scene.run(
        write(lambda tx: rotator.start_in(tx, LOCAL, issued.token, by=scene.first.admin.id, asker="a"))
    )
    assert show(scene, started.successor) == started.value.reveal()
    assert show(scene, issued.token) == issued.value.reveal()  # both are active
    scene.run(write(lambda tx: rotator.abort_in(tx, LOCAL, started.rotation, by=scene.first.admin.id)))
    assert refused(scene, started.successor) == "token_ended"
    assert [one.token_id for one in copies(scene, [issued])] == [issued.token.id]
