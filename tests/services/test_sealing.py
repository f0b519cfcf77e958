"""The audit trail is chained and sealed; what is published outside shows every tampering, and truncation."""

import random
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from services.scene import Scene
from watchword.crypto.keys import Purpose
from watchword.domain.audittrail import Head, Report
from watchword.domain.errors import Unavailable
from watchword.domain.events import Action, Event
from watchword.domain.retention import Retention
from watchword.services.auditing import check_trail, events_of, heads_of, public_keys
from watchword.services.context import LOCAL
from watchword.services.house import House
from watchword.services.issuing import TokenRequest, issue_agent_token
from watchword.services.revoking import revoke
from watchword.services.sealing import Sealer
from watchword.services.trailcheck import TrailCheck
from watchword.workers.headfile import HeadFile, read_heads

TAMPERINGS = 1000


class Outside:
    """A publisher that keeps what it is given, or fails."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.broken = False

    async def publish(self, heads: Sequence[tuple[Head, bytes]]) -> None:
        if self.broken:
            raise OSError("no space left on device")
        self.heads += [head for head, _ in heads]


def sealed(scene: Scene, outside: Outside, **named: Any) -> Sealer:
    sealer = Sealer(scene.authority.context, [outside], **named)
    scene.run(sealer.seal())
    return sealer


def events(scene: Scene) -> list[Event]:
    async def read() -> list[Event]:
        return [event async for event in events_of(scene.world.store, scene.organization_id)]

    return scene.run(read())


def checked(scene: Scene, trail: Sequence[Event], stored: Sequence[Head], outside: Sequence[Head]) -> Report:
    check = TrailCheck(scene.organization_id, stored, outside, public_keys(scene.world.keys))
    for event in trail:
        check.take(event)
    return check.finish()


def busy(scene: Scene, outside: Outside, rounds: int = 6) -> Sealer:
    """A trail with some heads, each over several events."""
    sealer = sealed(scene, outside)
    for _ in range(rounds):
        scene.forward(1)
        scene.agent()
        scene.run(sealer.seal())
    return sealer


def test_a_trail_that_nobody_touched_is_intact(scene: Scene) -> None:
    outside = Outside()
    busy(scene, outside)
    scene.agent()  # not sealed yet
    report = scene.run(
        check_trail(scene.world.store, scene.organization_id, outside.heads, public_keys(scene.world.keys))
    )
    assert report.intact, report.findings
    assert report.heads == len(outside.heads) == 7
    assert 0 < report.last - report.sealed == 2


def test_sealing_again_makes_no_new_head(scene: Scene) -> None:
    outside = Outside()
    sealer = busy(scene, outside)
    count = len(outside.heads)
    scene.run(sealer.seal())
    sealed(scene, outside)  # a process that was started anew
    assert len(outside.heads) == count


def tamper(trail: list[Event], chance: random.Random) -> tuple[str, list[Event]]:
    """One change of a trail that its heads cover: a field, an order, a missing, doubled or invented event."""
    changed = list(trail)
    at = chance.randrange(len(trail))
    event = trail[at]
    kind = chance.choice(("field", "swap", "delete", "invent", "truncate", "renumber"))
    if kind == "field":
        name = chance.choice(
            [field.name for field in fields(Event) if field.name not in ("sequence", "organization_id")]
        )
        value: Any = getattr(event, name)
        if name == "action":
            value = chance.choice([action for action in Action if action is not event.action])
        else:
            value = (
                value + chance.randrange(1, 10**9)
                if isinstance(value, int)
                else value + chance.choice("ax0 é")
            )
        changed[at] = replace(event, **{name: value})
    elif kind == "swap":
        other = (at + chance.randrange(1, len(trail))) % len(trail)
        one, two = trail[at], trail[other]
        changed[at] = replace(two, sequence=one.sequence)
        changed[other] = replace(one, sequence=two.sequence)
    elif kind == "delete":
        del changed[at]
    elif kind == "invent":
        at = chance.randrange(len(trail) - 1)  # one after the end is a new event, not a tampering
        event = trail[at]
        changed = [
            *trail[: at + 1],
            replace(event, sequence=event.sequence + 1, id=type(event.id)("invented")),
            *(replace(later, sequence=later.sequence + 1) for later in trail[at + 1 :]),
        ]
    elif kind == "truncate":
        changed = trail[: -chance.randrange(1, len(trail))]
    else:
        changed = [*trail[:at], *(replace(later, sequence=later.sequence - 1) for later in trail[at + 1 :])]
    return kind, changed


def test_a_thousand_tamperings_are_all_found(scene: Scene) -> None:
    outside = Outside()
    busy(scene, outside)
    trail = events(scene)
    stored = scene.run(heads_of(scene.world.store, scene.organization_id))
    assert checked(scene, trail, stored, outside.heads).intact
    chance = random.Random(20261122)
    missed = []
    kinds: dict[str, int] = {}
    for number in range(TAMPERINGS):
        kind, changed = tamper(trail, chance)
        kinds[kind] = kinds.get(kind, 0) + 1
        # Whoever can write the database also deletes its heads, and those that no longer fit.
        last = changed[-1].sequence
        rest = [head for head in stored if head.sequence <= last] if number % 2 else []
        if checked(scene, changed, rest, outside.heads).intact:
            missed.append((number, kind))
    assert not missed
    assert len(kinds) == 6


def test_truncation_shows_against_the_published_heads_alone(scene: Scene) -> None:
    outside = Outside()
    busy(scene, outside)
    trail = events(scene)
    stored = scene.run(heads_of(scene.world.store, scene.organization_id))
    cut = trail[: stored[2].sequence]
    kept = stored[:3]
    # The control: without what was published, the same cut does not show.
    assert checked(scene, cut, kept, []).intact
    found = checked(scene, cut, kept, outside.heads)
    assert [one.code for one in found.findings] == ["trail_truncated"]
    assert found.findings[0].first == stored[2].sequence + 1


def test_a_forged_head_counts_for_nothing(scene: Scene) -> None:
    outside = Outside()
    busy(scene, outside)
    trail = events(scene)
    stored = scene.run(heads_of(scene.world.store, scene.organization_id))
    forged = replace(stored[1], link=bytes(32))
    report = checked(scene, trail, [stored[0], forged, *stored[2:]], outside.heads)
    assert {one.code for one in report.findings} == {"head_forged"}


def test_heads_of_an_earlier_key_still_hold(scene: Scene) -> None:
    outside = Outside()
    busy(scene, outside, rounds=1)
    world = scene.world
    world.keys = world.keys.rotated(Purpose.AUDIT)
    world.restart()
    scene.forward(1)
    scene.agent()
    sealed(scene, outside)
    assert {head.key for head in outside.heads} == {1, 2}
    report = scene.run(
        check_trail(world.store, scene.organization_id, outside.heads, public_keys(world.keys))
    )
    assert report.intact, report.findings


def test_what_retention_cuts_is_excused_and_nothing_else(scene: Scene) -> None:
    outside = Outside()
    sealer = busy(scene, outside)
    scene.forward(400 * 86_400)
    scene.agent()
    scene.run(sealer.seal())
    scene.configure(retention=Retention(audit=365))
    scene.run(House(scene.authority.context).keep())
    scene.run(Sealer(scene.authority.context, [outside]).seal())
    keys = public_keys(scene.world.keys)
    report = scene.run(check_trail(scene.world.store, scene.organization_id, outside.heads, keys))
    assert report.intact, report.findings
    trail = events(scene)
    assert trail[0].sequence > 1
    stored = scene.run(heads_of(scene.world.store, scene.organization_id))
    later = checked(scene, trail[1:], stored, outside.heads)
    assert "beginning_missing" in {one.code for one in later.findings}


def issue(scene: Scene) -> None:
    context = scene.authority.context
    request = TokenRequest(
        organization_id=scene.organization_id, cluster_id=scene.first.cluster.id, description="more"
    )
    scene.run(context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, None)))


def test_nothing_is_issued_while_the_trail_cannot_be_published_but_everything_is_revoked(
    scene: Scene,
) -> None:
    outside = Outside()
    sealer = sealed(scene, outside, grace=60_000_000)
    outside.broken = True
    issue(scene)
    scene.run(sealer.seal())
    issue(scene)  # within the grace
    scene.forward(61)
    scene.run(sealer.seal())
    with pytest.raises(Unavailable, match="audit trail") as refused:
        issue(scene)
    assert refused.value.code == "audit_unavailable"
    context, first = scene.authority.context, scene.first
    scene.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, first.agent_token.token, None)))
    outside.broken = False
    scene.run(sealer.seal())
    issue(scene)
    report = scene.run(
        check_trail(scene.world.store, scene.organization_id, outside.heads, public_keys(scene.world.keys))
    )
    assert report.intact


def test_a_head_is_in_the_file_before_it_is_in_the_database(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    context = scene.authority.context
    scene.run(Sealer(context, [HeadFile(path)]).seal())
    stored = scene.run(heads_of(scene.world.store, scene.organization_id))
    assert [line.head() for line in read_heads(path)] == stored
    path.write_bytes(path.read_bytes()[:-20])  # a crash in the middle of a line
    scene.agent()
    scene.run(Sealer(context, [HeadFile(path)]).seal())
    assert len(read_heads(path)) == 1
    assert path.stat().st_mode & 0o077 == 0
