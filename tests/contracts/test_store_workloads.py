"""The store's contract: trusted issuers, the use of identity tokens, agents' identities."""

from dataclasses import replace

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import CLUSTER, ORGANIZATION, OTHER
from watchword.domain.ids import AgentId, ClusterId, OrganizationId, ResourceId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State
from watchword.domain.workloads import AgentIdentity, ClaimRule, IdentityUse, Match, Terms, TrustedIssuer
from watchword.store.base import Page, Transaction

ISSUER = "https://issuer.example"
EVERY = Page(100)
TERMS = Terms(
    ("ours",), (ClaimRule("kubernetes.io/namespace", Match.ONE_OF, ("a", "b")),), ("os=*",), 900, 4, 60
)


def add(shelf: Shelf, name: str, owner: OrganizationId = ORGANIZATION, issuer: str = ISSUER) -> TrustedIssuer:
    """A trust with the token that stands for it."""
    token = make.token(
        organization_id=owner,
        id=TokenId(f"token-{name}"),
        kind=Kind.TRUSTED_ISSUER,
        digest=name.encode().ljust(32, b"."),
        resource_id=ResourceId(name),
    )
    made = TrustedIssuer(
        owner, ResourceId(name), CLUSTER, token.id, name.title(), issuer, "", TERMS, 1, None, 1
    )

    async def work(tx: Transaction) -> None:
        await tx.tokens.add(token)
        await tx.workloads.add(made)

    shelf.write(work)
    return made


def end(shelf: Shelf, made: TrustedIssuer) -> None:
    shelf.write(lambda tx: tx.tokens.end(made.organization_id, made.token_id, State.REVOKED, 5, None, ""))


def test_a_trust_is_kept_whole_and_lives_as_long_as_its_token(shelf: Shelf) -> None:
    one, two = add(shelf, "one"), add(shelf, "two")
    add(shelf, "three", issuer="https://elsewhere.example")
    assert shelf.read(lambda tx: tx.workloads.find(ORGANIZATION, one.id)) == one
    assert shelf.read(lambda tx: tx.workloads.find(OTHER, one.id)) is None
    assert shelf.read(lambda tx: tx.workloads.of_issuer(ISSUER, 10)) == [one, two]
    end(shelf, one)
    assert shelf.read(lambda tx: tx.workloads.of_issuer(ISSUER, 10)) == [two]
    listed = shelf.read(lambda tx: tx.workloads.list(ORGANIZATION, CLUSTER, EVERY))
    assert [each.id for each in listed] == ["three", "two"]
    assert shelf.read(lambda tx: tx.workloads.list(ORGANIZATION, ClusterId("none"), EVERY)) == []
    assert shelf.read(lambda tx: tx.workloads.count(ORGANIZATION)) == 2
    assert shelf.read(lambda tx: tx.workloads.find(ORGANIZATION, one.id)) == one


def test_a_trust_is_changed(shelf: Shelf) -> None:
    one = add(shelf, "one")
    changed = replace(one, name="Other", terms=replace(TERMS, max_age=60), updated_at=9)
    shelf.write(lambda tx: tx.workloads.save(changed))
    assert shelf.read(lambda tx: tx.workloads.find(ORGANIZATION, one.id)) == changed


def test_an_audience_belongs_to_the_organization_that_took_it_first(shelf: Shelf) -> None:
    one, two = add(shelf, "one"), add(shelf, "two", OTHER)

    def take(owner: OrganizationId) -> OrganizationId:
        return shelf.write(lambda tx: tx.workloads.take_audience(ISSUER, "ours", owner, 1))

    assert shelf.read(lambda tx: tx.workloads.for_audience(ISSUER, "ours")) == []
    assert take(OTHER) == OTHER
    assert take(ORGANIZATION) == OTHER
    assert shelf.read(lambda tx: tx.workloads.for_audience(ISSUER, "ours")) == [two]
    assert shelf.read(lambda tx: tx.workloads.for_audience(ISSUER, "theirs")) == []
    end(shelf, two)
    assert shelf.read(lambda tx: tx.workloads.for_audience(ISSUER, "ours")) == []
    assert shelf.read(lambda tx: tx.workloads.of_issuer(ISSUER, 1)) == [one]


def test_a_token_is_used_once_and_further_by_its_holder_alone(shelf: Shelf) -> None:
    use = IdentityUse(ORGANIZATION, "d1", "machine", 1, 100, 1000)
    assert shelf.write(lambda tx: tx.workloads.first_use(use))
    assert not shelf.write(lambda tx: tx.workloads.first_use(replace(use, holder="other")))
    assert shelf.write(lambda tx: tx.workloads.first_use(replace(use, organization_id=OTHER)))

    def again(holder: str, most: int, since: int) -> bool:
        return shelf.write(lambda tx: tx.workloads.further_use(ORGANIZATION, "d1", holder, most, since))

    assert not again("machine", 1, 0)
    assert not again("other", 9, 0)
    assert not again("machine", 9, 100)
    assert again("machine", 3, 99)
    assert again("machine", 3, 99)
    assert not again("machine", 3, 99)
    assert shelf.read(lambda tx: tx.workloads.use(ORGANIZATION, "d1")) == replace(use, uses=3)
    assert shelf.write(lambda tx: tx.workloads.forget_uses(999)) == 0
    assert shelf.write(lambda tx: tx.workloads.forget_uses(1000)) == 2
    assert shelf.read(lambda tx: tx.workloads.use(ORGANIZATION, "d1")) is None


def test_an_agents_identity_goes_with_its_record(shelf: Shelf) -> None:
    known = AgentIdentity(
        ORGANIZATION, AgentId("agent-1"), ResourceId("one"), ISSUER, "sub", "d1", {"a": {"b": [1]}}, 7
    )
    shelf.write(lambda tx: tx.workloads.add_identity(known))
    assert shelf.read(lambda tx: tx.workloads.identity(ORGANIZATION, AgentId("agent-1"))) == known
    assert shelf.read(lambda tx: tx.workloads.identity(OTHER, AgentId("agent-1"))) is None
    gone = make.agent(id=AgentId("agent-1"), ended_at=50)
    shelf.write(lambda tx: tx.fleet.add(gone))
    assert shelf.write(lambda tx: tx.house.drop_agents(50, 10)) == 0
    assert shelf.read(lambda tx: tx.workloads.identity(ORGANIZATION, AgentId("agent-1"))) == known
    assert shelf.write(lambda tx: tx.house.drop_agents(51, 10)) == 1
    assert shelf.read(lambda tx: tx.workloads.identity(ORGANIZATION, AgentId("agent-1"))) is None
