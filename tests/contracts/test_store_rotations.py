"""The store's contract: rotations and incidents."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import AGENT, CLUSTER, ORGANIZATION, OTHER, TEXT, TOKEN, USER
from watchword.domain.fleet import AgentState
from watchword.domain.ids import AgentId, IncidentId, OrganizationId, TokenId
from watchword.domain.incidents import Incident, IncidentKind, IncidentState
from watchword.domain.kinds import Kind
from watchword.domain.rotations import Cause, Rotation, RotationState
from watchword.domain.securitypolicy import ReuseResponse
from watchword.store.base import Duplicate, Page, Transaction

NEXT = TokenId("token-2")


def rotation(successor: str = NEXT, predecessor: str = TOKEN, **changes: object) -> Rotation:
    made = Rotation(
        ORGANIZATION,
        TokenId(successor),
        TokenId(predecessor),
        Kind.AGENT,
        RotationState.OPEN,
        Cause.NONE,
        7,
        USER,
        "asker",
        2**60,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def incident(name: str = "incident-1", **changes: object) -> Incident:
    made = Incident(
        ORGANIZATION,
        IncidentId(name),
        IncidentKind.REUSE,
        IncidentState.OPEN,
        TOKEN,
        AGENT,
        ReuseResponse.QUARANTINE,
        True,
        ("token-2", "token-3"),
        ("192.0.2.1", "2001:db8::1"),
        1,
        5,
        2**60,
        note=TEXT,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def of(shelf: Shelf, successor: str = NEXT) -> Rotation | None:
    return shelf.read(lambda tx: tx.rotations.of_successor(ORGANIZATION, TokenId(successor)))


def test_a_rotation_is_kept_whole_and_found_from_both_sides(shelf: Shelf) -> None:
    kept = rotation(first_used_at=9)
    shelf.write(lambda tx: tx.rotations.add(kept))
    shelf.restart()
    assert of(shelf) == kept
    for token in (TOKEN, NEXT):
        assert shelf.read(lambda tx, one=token: tx.rotations.open_with(ORGANIZATION, one)) == kept  # type: ignore[misc]
        assert shelf.read(lambda tx, one=token: tx.rotations.open_with(OTHER, one)) is None  # type: ignore[misc]
    assert shelf.read(lambda tx: tx.rotations.of_predecessor(ORGANIZATION, TOKEN)) == kept
    assert shelf.read(lambda tx: tx.rotations.of_predecessor(ORGANIZATION, NEXT)) is None
    assert shelf.read(lambda tx: tx.rotations.of_successor(OTHER, NEXT)) is None
    assert shelf.read(lambda tx: tx.rotations.all_open()) == [kept]


def test_a_token_is_in_one_open_rotation_and_in_any_number_of_ended_ones(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.rotations.add(rotation()))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.rotations.add(rotation("token-3")))
    shelf.write(lambda tx: tx.rotations.add(replace(rotation(), organization_id=OTHER)))
    end = (RotationState.ABORTED, Cause.ABORTED, 9, USER)
    assert shelf.write(lambda tx: tx.rotations.end(ORGANIZATION, NEXT, *end))
    assert not shelf.write(lambda tx: tx.rotations.end(ORGANIZATION, NEXT, *end))
    assert not shelf.write(lambda tx: tx.rotations.end(ORGANIZATION, TokenId("nobody"), *end))
    ended = of(shelf)
    assert ended is not None
    assert (ended.state, ended.cause, ended.ended_at, ended.ended_by) == end
    assert shelf.read(lambda tx: tx.rotations.open_with(ORGANIZATION, TOKEN)) is None
    shelf.write(lambda tx: tx.rotations.add(rotation("token-3")))
    latest = shelf.read(lambda tx: tx.rotations.of_predecessor(ORGANIZATION, TOKEN))
    assert latest is not None
    assert latest.successor_id == "token-3"
    assert [one.organization_id for one in shelf.read(lambda tx: tx.rotations.all_open())] == [
        OTHER,
        ORGANIZATION,
    ]


def test_an_open_rotation_is_used_once_and_extended_and_an_ended_one_is_not(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.rotations.add(rotation()))
    assert shelf.write(lambda tx: tx.rotations.note_use(ORGANIZATION, NEXT, 11))
    assert not shelf.write(lambda tx: tx.rotations.note_use(ORGANIZATION, NEXT, 12))
    assert not shelf.write(lambda tx: tx.rotations.note_use(OTHER, NEXT, 12))
    assert shelf.write(lambda tx: tx.rotations.extend(ORGANIZATION, NEXT, 99))
    assert not shelf.write(lambda tx: tx.rotations.extend(OTHER, NEXT, 100))
    found = of(shelf)
    assert found is not None
    assert (found.first_used_at, found.deadline) == (11, 99)
    shelf.write(
        lambda tx: tx.rotations.end(ORGANIZATION, NEXT, RotationState.COMMITTED, Cause.MOVED, 20, None)
    )
    assert not shelf.write(lambda tx: tx.rotations.extend(ORGANIZATION, NEXT, 200))
    assert not shelf.write(lambda tx: tx.rotations.note_use(ORGANIZATION, NEXT, 21))


def test_holders_are_live_agents_that_joined_with_the_token(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        agents: dict[str, dict[str, Any]] = {
            "a": {"state": AgentState.CONNECTED},
            "b": {"state": AgentState.REGISTERED},
            "c": {"state": AgentState.LOST, "ended_at": 9},
            "d": {"state": AgentState.CONNECTED, "token_id": NEXT},
            "e": {"state": AgentState.CONNECTED, "organization_id": OTHER},
        }
        for name, changes in agents.items():
            await tx.fleet.add(make.agent(**({"id": AgentId(name), "ended_at": 0} | changes)))

    shelf.write(work)

    def holders(organization: OrganizationId, token: TokenId, page: Page) -> list[str]:
        return [one.id for one in shelf.read(lambda tx: tx.rotations.holders(organization, token, page))]

    assert holders(ORGANIZATION, TOKEN, Page()) == ["a", "b"]
    assert holders(ORGANIZATION, TOKEN, Page(1, 1)) == ["b"]
    assert holders(ORGANIZATION, NEXT, Page()) == ["d"]
    assert holders(OTHER, TOKEN, Page()) == ["e"]
    counts = [
        shelf.read(lambda tx, one=token: tx.rotations.count_holders(ORGANIZATION, one))  # type: ignore[misc]
        for token in (TOKEN, NEXT, TokenId(CLUSTER))
    ]
    assert counts == [2, 1, 0]


def test_an_incident_is_kept_whole(shelf: Shelf) -> None:
    kept = incident(closed_at=3, closed_by=USER, state=IncidentState.CLOSED)
    shelf.write(lambda tx: tx.incidents.add(kept))
    shelf.restart()
    assert shelf.read(lambda tx: tx.incidents.find(ORGANIZATION, kept.id)) == kept
    assert shelf.read(lambda tx: tx.incidents.find(OTHER, kept.id)) is None
    assert shelf.read(lambda tx: tx.incidents.latest(ORGANIZATION, TOKEN)) == kept
    assert shelf.read(lambda tx: tx.incidents.latest(OTHER, TOKEN)) is None
    assert shelf.read(lambda tx: tx.incidents.all_open()) == []


def test_a_token_has_one_open_incident_and_its_use_is_counted_on(shelf: Shelf) -> None:
    first = incident()
    shelf.write(lambda tx: tx.incidents.add(first))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.incidents.add(incident("incident-2")))
    shelf.write(lambda tx: tx.incidents.note(ORGANIZATION, first.id, ["a", "b", "c"], 4, 77))
    shelf.write(lambda tx: tx.incidents.note(OTHER, first.id, ["x"], 4, 78))
    found = shelf.read(lambda tx: tx.incidents.find(ORGANIZATION, first.id))
    assert found == replace(first, addresses=("a", "b", "c"), count=5, last_at=77)
    assert shelf.read(lambda tx: tx.incidents.all_open()) == [found]
    assert not shelf.write(lambda tx: tx.incidents.close(OTHER, first.id, 80, USER, "seen"))
    assert shelf.write(lambda tx: tx.incidents.close(ORGANIZATION, first.id, 80, USER, "seen"))
    assert not shelf.write(lambda tx: tx.incidents.close(ORGANIZATION, first.id, 81, None, "again"))
    closed = shelf.read(lambda tx: tx.incidents.find(ORGANIZATION, first.id))
    assert closed is not None
    assert (closed.state, closed.closed_at, closed.closed_by, closed.note) == ("closed", 80, USER, "seen")
    shelf.write(lambda tx: tx.incidents.add(incident("incident-2")))
    listed = shelf.read(lambda tx: tx.incidents.list(ORGANIZATION, Page()))
    assert [one.id for one in listed] == ["incident-2", "incident-1"]
    assert [one.id for one in shelf.read(lambda tx: tx.incidents.list(ORGANIZATION, Page(1, 1)))] == [
        "incident-1"
    ]
    latest = shelf.read(lambda tx: tx.incidents.latest(ORGANIZATION, TOKEN))
    assert latest is not None
    assert latest.id == "incident-2"
