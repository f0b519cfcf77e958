"""The store's contract: cases of leaks, their places, reports and rules."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import CLUSTER, ORGANIZATION, OTHER, TEXT, TOKEN, USER
from watchword.domain.ids import AgentId, ClusterId, LeakId, OrganizationId, TokenId, UserId, uuid7
from watchword.domain.kinds import Kind
from watchword.domain.leakpolicy import LeakPolicy
from watchword.domain.leaks import (
    Evidence,
    Leak,
    LeakState,
    Outcome,
    Report,
    Response,
    Sighting,
    Visibility,
)
from watchword.domain.tokens import State
from watchword.domain.use import HOUR_US
from watchword.store.base import Duplicate, Page, Transaction
from watchword.store.base_leaks import LeakQuery

EVERYTHING = Page()
OPEN, HELD, CLOSED = LeakState.OPEN, LeakState.HELD, LeakState.CLOSED


def leak(name: str = "leak-1", token: str = TOKEN, **changes: object) -> Leak:
    made = Leak(
        organization_id=ORGANIZATION,
        id=LeakId(name),
        token_id=TokenId(token),
        kind=Kind.AGENT,
        state=OPEN,
        visibility=Visibility.PUBLIC,
        evidence=Evidence.VALUE,
        response=Response.ROTATE,
        outcome=Outcome.ROTATING,
        reporter="github",
        exposed_at=3,
        first_at=5,
        last_at=2**60,
        count=7,
        failure="rotation_open",
        acted_by=USER,
        note=TEXT,
        telling=False,
        drill=True,
        handover=b"\0sealed\xff",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def sighting(key: str = "key-1", **changes: object) -> Sighting:
    made = Sighting(
        organization_id=ORGANIZATION,
        leak_id=LeakId("leak-1"),
        key=key,
        reporter="github",
        url=TEXT.replace("\0", ""),
        place="commit",
        visibility=Visibility.PRIVATE,
        evidence=Evidence.DIGEST,
        report="ab",
        exposed_at=1,
        first_at=5,
        last_at=6,
        count=1,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def report(number: int = 1, **changes: object) -> Report:
    made = Report(bytes([number]) * 32, "github", "key", number, 10, 3, "192.0.2.1")
    return replace(made, **changes)  # type: ignore[arg-type]


def put(shelf: Shelf, *leaks: Leak) -> None:
    for each in leaks:
        shelf.write(lambda tx, one=each: tx.leaks.add(one))  # type: ignore[misc]


def kept(shelf: Shelf, name: str = "leak-1") -> Leak | None:
    return shelf.read(lambda tx: tx.leaks.find(ORGANIZATION, LeakId(name)))


def test_a_case_is_kept_whole_and_is_its_organizations(shelf: Shelf) -> None:
    put(shelf, leak())
    shelf.restart()
    assert kept(shelf) == leak()
    assert shelf.read(lambda tx: tx.leaks.of_token(ORGANIZATION, TOKEN)) == leak()
    assert shelf.read(lambda tx: tx.leaks.find(OTHER, LeakId("leak-1"))) is None
    assert shelf.read(lambda tx: tx.leaks.of_token(OTHER, TOKEN)) is None


def test_a_token_has_one_case(shelf: Shelf) -> None:
    put(shelf, leak())
    with pytest.raises(Duplicate):
        put(shelf, leak("leak-2"))
    put(shelf, leak("leak-2", organization_id=OTHER))


def test_a_case_is_saved_by_whoever_knows_its_latest_revision(shelf: Shelf) -> None:
    put(shelf, leak())
    changed = leak(state=CLOSED, closed_at=9, closed_by=USER, handover=b"", acted_by=None)
    assert shelf.write(lambda tx: tx.leaks.save(leak(), changed))
    assert kept(shelf) == replace(changed, revision=2)
    assert not shelf.write(lambda tx: tx.leaks.save(leak(), leak(note="late")))
    assert kept(shelf) == replace(changed, revision=2)


def test_a_value_that_waits_is_dropped_once_and_nobody_writes_it_back(shelf: Shelf) -> None:
    put(shelf, leak(), leak("leak-2", "token-2"))
    assert not shelf.write(lambda tx: tx.leaks.drop_handover(OTHER, TOKEN))
    drops = [shelf.write(lambda tx: tx.leaks.drop_handover(ORGANIZATION, TOKEN)) for _ in range(2)]
    assert drops == [True, False]
    assert not shelf.write(lambda tx: tx.leaks.save(leak(), leak(note="read before")))
    assert kept(shelf) == leak(handover=b"", revision=2)
    assert kept(shelf, "leak-2") == leak("leak-2", "token-2")


def test_a_case_whose_rotation_was_aborted_is_open_anew(shelf: Shelf) -> None:
    closed = leak(state=CLOSED, closed_at=9, closed_by=USER)
    put(shelf, closed, leak("leak-2", "token-2", outcome=Outcome.REVOKED))
    assert shelf.write(lambda tx: tx.leaks.unanswer(ORGANIZATION, TOKEN))
    assert not shelf.write(lambda tx: tx.leaks.unanswer(ORGANIZATION, TokenId("token-2")))
    assert not shelf.write(lambda tx: tx.leaks.unanswer(OTHER, TOKEN))
    assert kept(shelf) == leak(outcome=Outcome.NONE, telling=True, revision=2)


def test_lists_and_counts_are_of_states_and_newest_first(shelf: Shelf) -> None:
    put(shelf, *(leak(f"leak-{n}", f"token-{n}", state=state) for n, state in enumerate((OPEN, HELD, OPEN))))
    listed = shelf.read(lambda tx: tx.leaks.list(ORGANIZATION, (OPEN,), EVERYTHING))
    assert [each.id for each in listed] == ["leak-2", "leak-0"]
    assert shelf.read(lambda tx: tx.leaks.count(ORGANIZATION, (OPEN, HELD))) == 3
    assert shelf.read(lambda tx: tx.leaks.count(OTHER, (OPEN, HELD))) == 0


def found(shelf: Shelf, page: Page = EVERYTHING, **asked: Any) -> list[str]:
    query = LeakQuery(organization_id=ORGANIZATION, **asked)
    return [each.id for each in shelf.read(lambda tx: tx.leaks.search(query, page))]


def test_the_most_urgent_cases_come_first(shelf: Shelf) -> None:
    loose, private = Outcome.NOTIFIED, Visibility.PRIVATE
    put(
        shelf,
        leak("1-closed", "1", state=CLOSED, outcome=loose),
        leak("2-done", "2", outcome=Outcome.REVOKED),
        leak("3-private", "3", outcome=loose, visibility=private),
        leak("4-public", "4", outcome=loose),
        leak("5-public", "5", outcome=loose),
        leak("6-held", "6", state=HELD, outcome=Outcome.HELD, visibility=private),
        leak("7-theirs", "7", organization_id=OTHER),
    )
    order = ["6-held", "5-public", "4-public", "3-private", "2-done", "1-closed"]
    assert found(shelf) == order
    assert found(shelf, Page(2, 1)) == order[1:3]
    assert found(shelf, states=(HELD, CLOSED)) == ["6-held", "1-closed"]
    query = LeakQuery(organization_id=ORGANIZATION, states=(HELD,))
    assert shelf.read(lambda tx: tx.leaks.tally(query)) == {OPEN: 4, HELD: 1, CLOSED: 1}


def test_cases_are_found_by_kind_reporter_cluster_and_owner(shelf: Shelf) -> None:
    ours, theirs, person = CLUSTER, ClusterId("cluster-2"), UserId("user-2")

    async def fill(tx: Transaction) -> None:
        await tx.tokens.add(make.token(id=TokenId("a"), cluster_id=ours, digest=b"a" * 32))
        await tx.tokens.add(make.token(id=TokenId("b"), cluster_id=theirs, digest=b"b" * 32))
        await tx.tokens.add(
            make.token(
                id=TokenId("c"), kind=Kind.API_ACCESS, cluster_id=None, user_id=person, digest=b"c" * 32
            )
        )

    shelf.write(fill)
    put(
        shelf,
        leak("1", "a"),
        leak("2", "b", reporter="crawler"),
        leak("3", "c", kind=Kind.API_ACCESS),
        leak("4", "a job", kind=Kind.JOB),
    )
    assert found(shelf) == ["4", "3", "2", "1"]
    assert found(shelf, kind=Kind.AGENT) == ["2", "1"]
    assert found(shelf, reporter="crawler") == ["2"]
    assert found(shelf, clusters=(ours,)) == ["1"]
    assert found(shelf, clusters=(ours, theirs), kind=Kind.AGENT) == ["2", "1"]
    assert found(shelf, clusters=()) == []
    assert found(shelf, owner=person) == ["3"]
    assert shelf.read(lambda tx: tx.leaks.reporters(ORGANIZATION)) == ["crawler", "github"]
    assert shelf.read(lambda tx: tx.leaks.reporters(OTHER)) == []
    query = LeakQuery(organization_id=ORGANIZATION, clusters=(theirs,))
    assert shelf.read(lambda tx: tx.leaks.tally(query)) == {OPEN: 1}


def test_tokens_with_a_case_that_is_not_closed_are_named(shelf: Shelf) -> None:
    put(shelf, leak("1", "a"), leak("2", "b", state=HELD), leak("3", "c", state=CLOSED))
    put(shelf, leak("4", "d", organization_id=OTHER))
    assert shelf.read(lambda tx: tx.leaks.unclosed(ORGANIZATION)) == {"a", "b"}


def test_people_are_told_of_a_case_as_it_was_read(shelf: Shelf) -> None:
    put(shelf, leak("1", "a", telling=True), leak("2", "b", telling=True), leak("3", "c"))
    changed = leak("2", "b", telling=True, revision=2)
    told = shelf.write(lambda tx: tx.leaks.told([leak("1", "a"), changed, leak("3", "c")]))
    assert told == {"1"}
    assert kept(shelf, "1") == leak("1", "a", telling=False, revision=2)
    assert kept(shelf, "2") == leak("2", "b", telling=True)
    assert shelf.write(lambda tx: tx.leaks.told([])) == frozenset()


def test_what_waits_is_found_over_all_organizations(shelf: Shelf) -> None:
    other = OrganizationId(OTHER)
    put(
        shelf,
        leak("1", "1", telling=True, first_at=9),
        leak("2", "2", telling=True, first_at=4, organization_id=other),
        leak("3", "3", state=HELD, held_until=8),
        leak("4", "4", state=HELD, held_until=7, organization_id=other),
        leak("5", "5", outcome=Outcome.QUARANTINED, state=CLOSED),
    )
    assert [each.id for each in shelf.read(lambda tx: tx.leaks.untold(10))] == ["2", "1"]
    assert [each.id for each in shelf.read(lambda tx: tx.leaks.untold(1))] == ["2"]
    assert [each.id for each in shelf.read(lambda tx: tx.leaks.held())] == ["4", "3"]
    assert [each.id for each in shelf.read(lambda tx: tx.leaks.quarantined())] == ["5"]


def test_answers_are_counted_by_reporter_and_time(shelf: Shelf) -> None:
    put(
        shelf,
        leak("1", "1", acted_at=10),
        leak("2", "2", acted_at=20, organization_id=OTHER),
        leak("3", "3", acted_at=20, reporter="crawler"),
        leak("4", "4"),
    )
    counts = [shelf.read(lambda tx, at=since: tx.leaks.acted_since("github", at)) for since in (0, 10, 20)]  # type: ignore[misc]
    assert counts == [2, 1, 0]


def test_live_tokens_are_counted_up_to_a_limit_without_sessions(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        for n in range(4):
            await tx.tokens.add(make.token(id=TokenId(f"{n}"), digest=bytes([n]) * 32))
        await tx.tokens.add(make.token(id=TokenId("s"), kind=Kind.AGENT_SESSION, digest=b"s" * 32))
        await tx.tokens.add(make.token(id=TokenId("r"), state=State.REVOKED, digest=b"r" * 32))

    shelf.write(fill)
    assert shelf.read(lambda tx: tx.leaks.live_tokens(100)) == 4
    assert shelf.read(lambda tx: tx.leaks.live_tokens(3)) == 3


def test_a_place_that_is_told_again_is_counted(shelf: Shelf) -> None:
    first = sighting()
    assert shelf.write(lambda tx: tx.leaks.note(first))
    assert not shelf.write(lambda tx: tx.leaks.note(replace(first, last_at=9, count=2)))
    assert shelf.write(lambda tx: tx.leaks.note(sighting("key-2", first_at=4)))
    assert shelf.write(lambda tx: tx.leaks.note(sighting("key-3", leak_id=LeakId("leak-2"))))
    shelf.restart()
    places = shelf.read(lambda tx: tx.leaks.sightings(ORGANIZATION, LeakId("leak-1"), EVERYTHING))
    assert places == [sighting("key-2", first_at=4), sighting(last_at=9, count=3)]
    second = shelf.read(lambda tx: tx.leaks.sightings(ORGANIZATION, LeakId("leak-1"), Page(1, 1)))
    assert [each.key for each in second] == ["key-1"]
    assert shelf.read(lambda tx: tx.leaks.count_sightings(ORGANIZATION, LeakId("leak-1"))) == 2
    assert shelf.read(lambda tx: tx.leaks.sightings(OTHER, LeakId("leak-1"), EVERYTHING)) == []


def test_rules_are_kept_by_organization_and_replaced_whole(shelf: Shelf) -> None:
    rules = {"agent:public": "rotate:60", "job:public": "notify"}
    policy = LeakPolicy(ORGANIZATION, rules, dry_run=True, updated_at=5, updated_by=USER)
    shelf.write(lambda tx: tx.leaks.save_policy(policy))
    shelf.restart()
    assert shelf.read(lambda tx: tx.leaks.policy(ORGANIZATION)) == policy
    assert shelf.read(lambda tx: tx.leaks.policy(OTHER)) == LeakPolicy(OTHER)
    shelf.write(lambda tx: tx.leaks.save_policy(LeakPolicy(ORGANIZATION)))
    assert shelf.read(lambda tx: tx.leaks.policy(ORGANIZATION)) == LeakPolicy(ORGANIZATION)


def test_a_report_is_remembered_once_until_it_is_old(shelf: Shelf) -> None:
    assert shelf.write(lambda tx: tx.leaks.add_report(report()))
    assert not shelf.write(lambda tx: tx.leaks.add_report(report(items=99)))
    for each in (report(2), report(3)):
        shelf.write(lambda tx, one=each: tx.leaks.add_report(one))  # type: ignore[misc]
    shelf.restart()
    assert shelf.read(lambda tx: tx.leaks.report(b"\1" * 32)) == report()
    assert shelf.read(lambda tx: tx.leaks.report(b"\0" * 32)) is None
    assert [each.received_at for each in shelf.read(lambda tx: tx.leaks.reports(Page(2)))] == [3, 2]
    assert shelf.write(lambda tx: tx.leaks.drop_reports(3, 1)) == 1
    assert shelf.write(lambda tx: tx.leaks.drop_reports(3, 10)) == 1
    assert shelf.read(lambda tx: tx.leaks.reports(EVERYTHING)) == [report(3)]


def test_tokens_are_found_by_the_beginning_of_their_digest(shelf: Shelf) -> None:
    digests = [bytes([7, n]) + bytes(30) for n in range(3)] + [bytes([8]) * 32]

    async def fill(tx: Transaction) -> None:
        for n, digest in enumerate(digests):
            owner = OTHER if n == 1 else ORGANIZATION
            await tx.tokens.add(make.token(organization_id=owner, id=TokenId(f"{n}"), digest=digest))

    shelf.write(fill)
    low, high = b"\7" + bytes(31), b"\7" + b"\xff" * 31
    assert [each.id for each in shelf.read(lambda tx: tx.leaks.by_prefix(low, high, 10))] == ["0", "1", "2"]
    assert [each.id for each in shelf.read(lambda tx: tx.leaks.by_prefix(low, high, 2))] == ["0", "1"]


def test_who_used_a_token_since_is_told_apart_from_before(shelf: Shelf) -> None:
    hour = HOUR_US

    def use(address: str, at: int, last: int = 0, **changes: Any) -> Any:
        return make.use(
            address=address, hour=at // hour, first_at=at, last_at=last or at, count=1, version="v", **changes
        )

    rows = [
        use("old", hour),
        use("both", 2 * hour + 1, 2 * hour + 500),
        use("both", 3 * hour),
        use("new", 2 * hour + 200),
        use("other", 3 * hour, token_id=TokenId("token-2")),
    ]
    shelf.write(lambda tx: tx.audit.add_uses(rows))

    def since(moment: int, limit: int = 10) -> list[tuple[str, int, int, int]]:
        found = shelf.read(lambda tx: tx.leaks.used_since(ORGANIZATION, TOKEN, moment, limit))
        assert {each.client for each in found} <= {"v"}
        return [(each.address, each.first_at, each.last_at, each.count) for each in found]

    both, new = ("both", 2 * hour + 1, 3 * hour, 2), ("new", 2 * hour + 200, 2 * hour + 200, 1)
    assert since(2 * hour + 100) == [both, new]
    assert since(2 * hour + 100, 1) == [both]
    assert since(3 * hour) == [("both", 3 * hour, 3 * hour, 1)]
    before = shelf.read(lambda tx: tx.leaks.addresses_before(ORGANIZATION, TOKEN, 2 * hour + 100))
    assert before == {"old", "both"}
    assert shelf.read(lambda tx: tx.leaks.addresses_before(OTHER, TOKEN, 9 * hour)) == frozenset()


def test_agents_that_joined_since_are_latest_first_ended_ones_too(shelf: Shelf) -> None:
    def agent(n: int, at: int, **changes: Any) -> Any:
        made = AgentId(uuid7(at, bytes([n]) * 10))
        return make.agent(id=made, session_id=TokenId(f"session-{n}"), registered_at=at, **changes)

    second = 1_000_000
    rows = [
        agent(1, 1 * second),
        agent(2, 2 * second),
        agent(3, 3 * second, ended_at=9 * second),
        agent(4, 4 * second, token_id=TokenId("token-2")),
    ]
    for each in rows:
        shelf.write(lambda tx, one=each: tx.fleet.add(one))  # type: ignore[misc]

    def joined(since: int, page: Page = EVERYTHING, owner: OrganizationId = ORGANIZATION) -> list[int]:
        found = shelf.read(lambda tx: tx.leaks.joined_since(owner, TOKEN, since, page))
        return [each.registered_at // second for each in found]

    assert joined(2 * second) == [3, 2]
    assert joined(0) == [3, 2, 1]
    assert joined(0, Page(1, 1)) == [2]
    assert joined(4 * second) == []
    assert joined(0, owner=OTHER) == []
