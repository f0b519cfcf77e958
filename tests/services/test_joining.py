"""Agents that join with an identity token: who may, what refusals are called, that a token serves once."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from openid_stand_in import make_key
from outside_issuer import REACH, Issuer, github_claims, kubernetes_claims
from services.identity_scene import NAMESPACE, IdentityScene, rule
from services.scene import SESSIONS, Scene
from support import SECOND_US
from watchword.domain.errors import WatchwordError
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.lifecycle import Mode, Withdrawal
from watchword.domain.workloads import IdentityReason, Match
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined, Registration
from watchword.services.trustedissuers import request_of, token_of, update_trust
from watchword.services.withdrawing import Withdrawn
from watchword.store.base import Transaction

# Of an hour, the default; with the leeway.
OLD_S = 3600 + 60


@pytest.fixture
def issuer(scene: Scene) -> Iterator[Issuer]:
    made = Issuer(scene.world.clock)
    yield made
    made.close()


@pytest.fixture
def there(scene: Scene, issuer: Issuer) -> IdentityScene:
    return IdentityScene(scene, issuer)


def test_a_kubernetes_workload_joins(there: IdentityScene) -> None:
    trust = there.trust(NAMESPACE, rule("kubernetes.io/serviceaccount/name", "agent"))
    joined = there.join(there.issuer.mint(kubernetes_claims(there.audience)))
    scene = there.scene
    session = scene.present(joined.value.reveal(), SESSIONS).holder
    assert (session.resource_id, session.parent_id) == (trust.id, trust.token_id)
    assert joined.agent.cluster_id == scene.first.cluster.id
    known = scene.run(
        scene.world.store.read(lambda tx: tx.workloads.identity(scene.organization_id, joined.agent.id))
    )
    assert known is not None
    assert (known.subject, known.issuer) == ("system:serviceaccount:builds:agent", there.issuer.issuer)
    assert "jti" not in known.claims
    event = scene.events(Action.AGENT_REGISTERED)[-1]
    assert (event.actor_kind, event.actor_id) == ("trusted_issuer", trust.id)
    assert json.loads(event.data)["subject"] == "system:serviceaccount:builds:agent"


def test_a_github_workflow_joins(there: IdentityScene) -> None:
    there.trust(
        rule("repository", "octo/*", match=Match.GLOB),
        rule("ref", "refs/heads/main", "refs/heads/release", match=Match.ONE_OF),
    )
    assert there.refusal(there.issuer.mint(github_claims(there.audience))) == ""
    evil = there.issuer.mint(github_claims(there.audience, "octo-evil/app"))
    code, message = there.why_not(evil)
    assert code == IdentityReason.CLAIM_REFUSED
    assert "'octo-evil/app'" in message
    assert "octo/*" not in message


def test_each_refusal_has_its_reason(there: IdentityScene) -> None:
    there.trust()
    issuer, now = there.issuer, there.issuer.seconds
    good = kubernetes_claims(there.audience)
    other = "https://elsewhere.example"
    for token, reason in (
        (issuer.mint(good | {"iss": other}), IdentityReason.ISSUER_UNKNOWN),
        (issuer.mint(good, make_key("two"), {"kid": "two"}), IdentityReason.KEY_UNKNOWN),
        (issuer.mint(good, make_key("two")), IdentityReason.SIGNATURE),
        (issuer.mint(good | {"aud": "sts.amazonaws.com"}), IdentityReason.AUDIENCE),
        (issuer.mint(good | {"aud": None}), IdentityReason.AUDIENCE),
        (issuer.mint(good | {"aud": f"{there.audience}/x"}), IdentityReason.AUDIENCE),
        (issuer.mint(good | {"exp": now - 61}), IdentityReason.EXPIRED),
        (issuer.mint(good | {"exp": None}), IdentityReason.CLAIM_MISSING),
        (issuer.mint(good | {"iat": None}), IdentityReason.CLAIM_MISSING),
        (issuer.mint(good | {"sub": None}), IdentityReason.CLAIM_MISSING),
        (issuer.mint(good | {"nbf": now + 61}), IdentityReason.NOT_YET_VALID),
        (issuer.mint(good | {"iat": now + 61}), IdentityReason.NOT_YET_VALID),
        (issuer.mint(good | {"iat": now - OLD_S - 1}), IdentityReason.TOO_OLD),
        (issuer.mint(kubernetes_claims(there.audience, "other")), IdentityReason.CLAIM_REFUSED),
        (issuer.mint({"aud": there.audience, "sub": "s"}), IdentityReason.CLAIM_REFUSED),
        ("ey" + "a" * 20_000 + ".eyJ9.c2ln", IdentityReason.MALFORMED),
        ("eyJ9.eyJ9.", IdentityReason.MALFORMED),
    ):
        assert there.refusal(token) == reason, reason
    # Nothing of that used anything up, and small errors of clocks are forgiven.
    edge = {"exp": now - 59, "nbf": now + 60, "iat": now - OLD_S}
    assert there.refusal(issuer.mint(good | edge)) == ""


def test_keys_that_cannot_be_fetched_refuse_nobody_for_good(there: IdentityScene) -> None:
    there.trust()
    there.issuer.about = {"issuer": "https://elsewhere.example"}
    token = there.issuer.mint(kubernetes_claims(there.audience))
    assert there.refusal(token) == "issuer_keys_unavailable"
    there.issuer.about = {}
    there.scene.forward(60)
    assert there.refusal(token) == ""


def test_pinned_keys_ask_nobody(there: IdentityScene) -> None:
    pinned = json.dumps({"keys": [there.issuer.key.as_dict(private=False)]})
    there.trust(jwks=pinned, request={"issuer": "https://kubernetes.default.svc"})
    token = there.issuer.mint(kubernetes_claims(there.audience) | {"iss": "https://kubernetes.default.svc"})
    assert there.refusal(token) == ""
    assert there.issuer.requests == []


def test_a_token_serves_once(there: IdentityScene) -> None:
    there.trust()
    for jti in ({}, {"jti": None}, {"jti": 5}):
        token = there.issuer.mint(kubernetes_claims(there.audience) | jti)
        joined = there.join(token)
        there.scene.connect(joined)
        assert there.refusal(token) == IdentityReason.REPLAYED
        # What was signed stays the same however the signature is written.
        head, _, signature = token.rpartition(".")
        assert there.refusal(f"{head}.{signature}A") in (IdentityReason.REPLAYED, IdentityReason.SIGNATURE)
    there.scene.world.restart()
    there.scene.configure(reach=REACH)
    assert there.refusal(token) == IdentityReason.REPLAYED


def test_the_same_jti_serves_once_whatever_else_the_token_says(there: IdentityScene) -> None:
    there.trust()
    claims = kubernetes_claims(there.audience) | {"jti": "one"}
    there.scene.connect(there.join(there.issuer.mint(claims)))
    assert there.refusal(there.issuer.mint(claims | {"more": 1}), name="other") == IdentityReason.REPLAYED


def test_of_many_at_once_one_joins(there: IdentityScene) -> None:
    there.trust()
    token = there.issuer.mint(kubernetes_claims(there.audience))
    joiner = there.scene.authority.joiner

    async def scenario() -> list[Joined | BaseException]:
        proven = await joiner.prove(token, "192.0.2.1")
        asked = [Registration(name=f"agent {number}", hostname="h") for number in range(32)]
        return await asyncio.gather(
            *(joiner.join(LOCAL, proven, one) for one in asked), return_exceptions=True
        )

    answers = there.scene.run(scenario())
    assert sum(isinstance(answer, Joined) for answer in answers) == 1
    refused = [answer.code for answer in answers if isinstance(answer, WatchwordError)]
    assert refused == [IdentityReason.REPLAYED] * 31


def test_a_lost_answer_is_asked_for_again(there: IdentityScene) -> None:
    there.trust()
    token = there.issuer.mint(kubernetes_claims(there.audience))
    first = there.join(token)
    assert there.refusal(token, name="other") == IdentityReason.REPLAYED
    assert there.refusal(token, hostname="other") == IdentityReason.REPLAYED
    # Name and host are what anybody says; a thief does not call from the same address.
    assert there.why_not(token, "198.51.100.9")[0] == IdentityReason.REPLAYED
    second = there.join(token)
    assert second.replaced == first.agent.id
    assert there.scene.row(first.agent.id).state is AgentState.REPLACED
    assert there.scene.reason(first.value.reveal()) != ""
    there.scene.connect(second)
    assert there.refusal(token) == IdentityReason.REPLAYED


def test_another_token_does_not_replace_an_agent(there: IdentityScene) -> None:
    there.trust()
    first = there.join(there.issuer.mint(kubernetes_claims(there.audience)))
    second = there.join(there.issuer.mint(kubernetes_claims(there.audience)))
    assert second.replaced is None
    assert there.scene.row(first.agent.id).state is AgentState.REGISTERED


def test_one_machine_may_start_as_many_agents_as_the_trust_says(there: IdentityScene) -> None:
    there.trust(registrations=3, window=30)
    token = there.issuer.mint(kubernetes_claims(there.audience))
    for name in ("a-1", "a-2"):
        there.scene.connect(there.join(token, name=name))
    assert there.refusal(token, name="a-3", machine_id="m-2") == IdentityReason.REPLAYED
    assert there.refusal(token, name="a-3", hostname="h-2") == IdentityReason.REPLAYED
    assert there.why_not(token, "198.51.100.9", name="a-3")[0] == IdentityReason.REPLAYED
    assert there.refusal(token, name="a-3") == ""
    assert there.refusal(token, name="a-4") == IdentityReason.REPLAYED
    late = there.issuer.mint(kubernetes_claims(there.audience))
    there.scene.connect(there.join(late, name="b-1"))
    there.scene.forward(30)
    assert there.refusal(late, name="b-2") == IdentityReason.REPLAYED


def test_agents_of_one_process_do_not_replace_each_other(there: IdentityScene) -> None:
    there.trust(registrations=2)
    token = there.issuer.mint(kubernetes_claims(there.audience))
    both = [there.join(token, name=""), there.join(token, name="")]
    for joined in both:
        there.scene.connect(joined)
    assert [joined.replaced for joined in both] == [None, None]
    assert there.refusal(token, name="") == IdentityReason.REPLAYED


def test_an_agent_takes_the_tags_and_queues_of_the_trust(there: IdentityScene) -> None:
    there.scene.queue("linux")
    there.trust(tags=("os=linux", "team=*"), request={"queue": "linux"})
    claims = kubernetes_claims(there.audience)
    mint = there.issuer.mint
    good = ("queue=linux", "os=linux", "team=a")
    assert there.refusal(mint(claims), tags=("queue=linux", "os=windows")) == IdentityReason.TAG_REFUSED
    assert there.refusal(mint(claims), tags=("queue=default",)) == "token_restricted"
    token = mint(claims)
    assert there.refusal(token, tags=("queue=linux", "gpu=true")) == IdentityReason.TAG_REFUSED
    assert there.refusal(token, tags=good) == ""  # a refused registration uses nothing up


def test_a_trust_is_narrowed_by_networks(there: IdentityScene) -> None:
    there.trust(request={"networks": "198.51.100.0/24"})
    token = there.issuer.mint(kubernetes_claims(there.audience))
    assert there.why_not(token, "192.0.2.1")[0] == "token_network_blocked"
    joined = there.join(token, "198.51.100.7")
    assert there.scene.reason_from(joined.value.reveal(), "192.0.2.1", SESSIONS) == "token_network_blocked"


@pytest.mark.parametrize(("mode", "left"), [(Mode.STOP_JOINING, ""), (Mode.CUT, "session_ended")])
def test_the_end_of_a_trust_is_that_of_an_agent_token(there: IdentityScene, mode: Mode, left: str) -> None:
    trust, scene = there.trust(), there.scene
    joined = there.join(there.issuer.mint(kubernetes_claims(there.audience)))
    scene.connect(joined)
    authority = scene.authority

    async def work(tx: Transaction) -> tuple[int, Withdrawn]:
        token = await token_of(tx, trust)
        radius = await authority.blast.radius_in(tx, token)
        asked = Withdrawal(mode, reason="over")
        return radius.connected, await authority.revoker.revoke_in(tx, LOCAL, token, None, asked)

    connected, done = scene.run(authority.context.store.write(work))
    authority.revoker.settle(done)
    assert connected == 1
    assert scene.reason(joined.value.reveal()) == left
    fresh = there.issuer.mint(kubernetes_claims(there.audience))
    assert there.refusal(fresh) == IdentityReason.ISSUER_UNKNOWN


def test_a_trust_that_is_changed_meanwhile_admits_nobody(there: IdentityScene) -> None:
    trust, scene = there.trust(), there.scene
    context, first, joiner = scene.authority.context, scene.first, scene.authority.joiner
    token = there.issuer.mint(kubernetes_claims(there.audience))
    proven = scene.run(joiner.prove(token, "192.0.2.1"))
    scene.world.clock.forward(SECOND_US)

    async def change(tx: Transaction) -> None:
        asked = request_of(trust, await token_of(tx, trust))
        narrower = replace(asked, terms=there.terms(rule("kubernetes.io/namespace", "other")))
        await update_trust(context, tx, LOCAL, first.organization, first.cluster, trust, narrower)

    scene.run(context.store.write(change))
    with pytest.raises(WatchwordError) as caught:
        scene.run(joiner.join(LOCAL, proven, Registration(name="a")))
    assert "changed" in caught.value.message
    assert there.refusal(token) == IdentityReason.CLAIM_REFUSED


def test_of_two_trusts_the_older_takes_the_agent(there: IdentityScene) -> None:
    older = there.trust()
    scene = there.scene
    scene.world.clock.forward(SECOND_US)
    there.trust(rule("kubernetes.io/namespace", "builds", "more", match=Match.ONE_OF))
    joined = there.join(there.issuer.mint(kubernetes_claims(there.audience)))
    assert joined.agent.token_id == older.token_id
    more = there.join(there.issuer.mint(kubernetes_claims(there.audience, "more")))
    assert more.agent.token_id != older.token_id


def test_another_organization_takes_no_agents(there: IdentityScene) -> None:
    scene = there.scene
    there.trust(audiences=(there.audience, "shared"))
    other = scene.run(
        create_organization(scene.authority.context, LOCAL, "other", "Other", "eve@example.com", "Eve")
    )
    home = there.audience.replace("/acme", "/other")

    def trusted(*audiences: str) -> str:
        try:
            there.trust(organization=other.organization, cluster=other.cluster, audiences=audiences)
        except WatchwordError as error:
            return error.code
        return ""

    assert trusted(there.audience) == "audience_of_another"
    assert trusted(f"{there.audience}/x") == "audience_of_another"
    assert trusted("shared") == "audience_taken"
    assert trusted(home) == ""
    joined = there.join(there.issuer.mint(kubernetes_claims("shared")))
    assert joined.agent.organization_id == scene.organization_id
    moved = there.join(there.issuer.mint(kubernetes_claims(home)))
    assert moved.agent.organization_id == other.organization.id


def test_keys_that_another_organization_pins_prove_nothing_here(there: IdentityScene) -> None:
    scene, forger = there.scene, make_key("forger")
    trust = there.trust()
    other = scene.run(
        create_organization(scene.authority.context, LOCAL, "other", "Other", "eve@example.com", "Eve")
    )
    home = there.audience.replace("/acme", "/other")
    pinned = json.dumps({"keys": [forger.as_dict(private=False)]})
    there.trust(organization=other.organization, cluster=other.cluster, audiences=(home,), jwks=pinned)
    both = kubernetes_claims(there.audience) | {"aud": [there.audience, home]}
    forged = there.issuer.mint(both, forger, {"kid": "forger"})
    assert there.join(forged).agent.organization_id == other.organization.id
    assert there.join(there.issuer.mint(both)).agent.token_id == trust.token_id
    alone = there.issuer.mint(kubernetes_claims(there.audience), forger, {"kid": "forger"})
    assert there.refusal(alone) == IdentityReason.KEY_UNKNOWN


def test_refusals_reach_the_trail_once_an_hour_for_each_subject(there: IdentityScene) -> None:
    trust = there.trust()
    wrong = kubernetes_claims(there.audience, "other")
    for _ in range(3):
        there.refusal(there.issuer.mint(wrong))
    there.refusal(there.issuer.mint(kubernetes_claims("elsewhere")))
    there.scene.sweep()
    (event,) = there.scene.events(Action.TRUSTED_ISSUER_REFUSED)
    assert event.subject_id == trust.id
    assert json.loads(event.data)["reason"] == IdentityReason.CLAIM_REFUSED
    there.scene.forward(3600)
    there.refusal(there.issuer.mint(wrong))
    there.scene.sweep()
    assert len(there.scene.events(Action.TRUSTED_ISSUER_REFUSED)) == 2


def test_a_use_is_forgotten_when_the_token_cannot_pass_any_more(there: IdentityScene) -> None:
    there.trust()
    scene = there.scene
    token = there.issuer.mint(kubernetes_claims(there.audience))  # for ten minutes
    scene.connect(there.join(token))

    def kept() -> bool:
        read = scene.authority.context.store.read
        digest = scene.run(read(lambda tx: tx.workloads.identity(scene.organization_id, agent_id)))
        assert digest is not None
        use = scene.run(read(lambda tx: tx.workloads.use(scene.organization_id, digest.digest)))
        return use is not None

    agent_id = next(iter(scene.authority.fleet.agents))
    scene.forward(10 * 60 + 59)
    scene.sweep()
    assert kept()
    assert there.refusal(token) == IdentityReason.REPLAYED
    scene.world.clock.forward(SECOND_US)
    scene.sweep()
    assert not kept()
    assert there.refusal(token) == IdentityReason.EXPIRED
