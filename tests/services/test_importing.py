"""Importing values that were issued elsewhere; and registrations that come from outside."""

from dataclasses import replace

import pytest

from services.scene import ADDRESS, AGENT_TOKENS, Scene
from services.withdrawing_scene import CUT, alive, radius, revoke
from support import MINUTE_US
from watchword.crypto.values import Secret, digest, mint
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.events import Action
from watchword.domain.ids import ClusterId
from watchword.domain.kinds import Kind
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.domain.tokens import DAY_US, Token
from watchword.services.blocking import MAX_ADDRESSES
from watchword.services.context import LOCAL
from watchword.services.importing import import_agent_token, read_import
from watchword.services.issuing import Issued, TokenRequest

OLD_VALUE = "0123456789abcdef0123456789abcdef01234567"


def bring(scene: Scene, value: str | bytes = OLD_VALUE, *, unclustered: bool = False) -> Token:
    """Import a value or a digest."""
    context, first = scene.authority.context, scene.first
    known = value if isinstance(value, bytes) else read_import(context, Secret(value), "")
    cluster_id: ClusterId | None = None if unclustered else first.cluster.id
    request = TokenRequest(
        organization_id=scene.organization_id, cluster_id=cluster_id, description="brought along"
    )
    return scene.run(
        context.store.write(lambda tx: import_agent_token(context, tx, LOCAL, request, known, first.admin.id))
    )


def test_an_imported_value_joins_agents_here(scene: Scene) -> None:
    assert scene.reason(OLD_VALUE, AGENT_TOKENS) == "token_malformed"
    token = bring(scene)
    assert (token.imported, token.digest, token.kind) == (True, digest(OLD_VALUE), Kind.AGENT)
    agent = scene.agent(Issued(token, Secret(OLD_VALUE)))
    assert agent.agent.token_id == token.id
    (event,) = scene.events(Action.TOKEN_IMPORTED)
    assert OLD_VALUE not in event.data
    scene.world.restart()
    assert scene.reason(OLD_VALUE, AGENT_TOKENS) == ""
    revoke(scene, token, CUT)
    assert scene.reason(OLD_VALUE, AGENT_TOKENS) == "token_revoked"
    assert not alive(scene, agent)
    scene.world.restart()
    assert scene.reason(OLD_VALUE, AGENT_TOKENS) == "token_revoked"


def test_a_digest_alone_is_enough(scene: Scene) -> None:
    token = bring(scene, digest(OLD_VALUE), unclustered=True)
    assert token.kind is Kind.UNCLUSTERED_AGENT
    assert scene.present(OLD_VALUE).id == token.id


def test_an_imported_value_is_of_its_kind_only(scene: Scene) -> None:
    bring(scene)
    assert scene.reason(OLD_VALUE, (Kind.API_ACCESS,)) == "token_wrong_kind"
    scene.present(OLD_VALUE)
    assert scene.reason(OLD_VALUE, (Kind.API_ACCESS,)) == "token_wrong_kind"


def test_junk_costs_no_look_up_where_values_were_imported(scene: Scene) -> None:
    bring(scene)
    asked = []
    verifier, context = scene.authority.verifier, scene.authority.context

    class Counting:
        async def read(self, work: object) -> None:
            asked.append(work)

    verifier._context = replace(context, store=Counting())  # type: ignore[arg-type]
    assert scene.reason(OLD_VALUE + "0", AGENT_TOKENS) == "token_malformed"
    assert scene.reason("x" * 5000, AGENT_TOKENS) == "token_malformed"
    assert not asked


def test_a_value_is_imported_once(scene: Scene) -> None:
    bring(scene)
    with pytest.raises(Conflict, match="already exists"):
        bring(scene)
    issued = scene.token()
    with pytest.raises(Conflict, match="already exists"):
        bring(scene, issued.value.reveal())
    revoke(scene, issued.token)
    with pytest.raises(Conflict, match="already exists"):
        bring(scene, issued.token.digest)


@pytest.mark.parametrize(
    ("value", "digest_text", "code"),
    [
        ("x" * 19, "", "invalid_value"),
        ("x" * 2049, "", "invalid_value"),
        ("a value with spaces in it", "", "invalid_value"),
        ("schlüssel-schlüssel-schlüssel", "", "invalid_value"),
        (None, "", "invalid_import"),
        ("x" * 20, "0" * 64, "invalid_import"),
        (None, "0" * 63, "invalid_digest"),
        (None, "g" * 64, "invalid_digest"),
        # Named, because workers that run side by side must agree on the names of tests.
        pytest.param(mint(Kind.API_ACCESS).reveal(), "", "wrong_shape", id="API access token"),
        pytest.param(mint(Kind.AGENT_SESSION).reveal(), "", "wrong_shape", id="session token"),
    ],
)
def test_what_cannot_be_imported(scene: Scene, value: str | None, digest_text: str, code: str) -> None:
    secret = Secret(value) if value is not None else None
    with pytest.raises(Invalid) as refused:
        read_import(scene.authority.context, secret, digest_text)
    assert refused.value.code == code
    assert value is None or value not in refused.value.message


def test_agent_values_of_another_installation_are_imported_by_their_shape(scene: Scene) -> None:
    foreign = mint(Kind.UNCLUSTERED_AGENT, cell=99).reveal()
    assert scene.reason(foreign, AGENT_TOKENS) == "token_unknown"
    assert bring(scene, foreign).kind is Kind.AGENT
    assert scene.reason(foreign, AGENT_TOKENS) == ""


# -- registrations from outside ------------------------------------------------------------------


def knock(scene: Scene, token: Token, address: str | None) -> None:
    scene.authority.verifier.blocks.note(token, address)
    scene.run(scene.authority.verifier.blocks.record())


def test_the_trail_hears_of_a_blocked_registration_once_an_hour_and_address(scene: Scene) -> None:
    token = scene.token(restrictions=Restrictions(networks=parse_networks("10.0.0.0/8"))).token
    scene.world.clock.time -= scene.world.clock.time % (60 * MINUTE_US)

    def heard() -> int:
        return len(scene.events(Action.TOKEN_REGISTRATION_BLOCKED))

    for _ in range(3):
        knock(scene, token, ADDRESS)
    assert heard() == 1
    knock(scene, token, "198.51.100.9")
    knock(scene, token, None)
    assert heard() == 3
    scene.world.restart()
    knock(scene, token, ADDRESS)
    assert heard() == 3
    scene.world.clock.forward(60 * MINUTE_US)
    knock(scene, token, ADDRESS)
    assert heard() == 4
    scene.world.clock.forward(60 * MINUTE_US)
    scene.sweep()
    assert scene.world.database.query("SELECT count(*) FROM blocked_registrations") == [(1,)]


def test_whoever_has_many_addresses_does_not_fill_the_trail(scene: Scene) -> None:
    token = scene.token().token
    scene.world.clock.time -= scene.world.clock.time % (60 * MINUTE_US)
    for place in range(MAX_ADDRESSES + 20):
        knock(scene, token, f"2001:db8::{place:x}")
    scene.world.restart()
    knock(scene, token, "2001:db8:1::")
    assert len(scene.events(Action.TOKEN_REGISTRATION_BLOCKED)) == MAX_ADDRESSES


# -- blast radius --------------------------------------------------------------------------------


def test_callers_of_the_last_day_are_counted_written_or_not(scene: Scene) -> None:
    token = scene.token()
    value = token.value.reveal()

    def use(address: str, client: str) -> None:
        verify = scene.authority.verifier.verify
        scene.run(verify(value, AGENT_TOKENS, address=address, agent=client))

    use("192.0.2.9", "old")
    scene.run(scene.authority.flush())
    scene.world.clock.forward(DAY_US + 1)
    assert radius(scene, token.token).callers == ()
    used = radius(scene, token.token).last_use
    assert used is not None
    assert used.address == "192.0.2.9"
    use("192.0.2.1", "a")
    use("192.0.2.1", "b")
    scene.run(scene.authority.flush())
    scene.forward(1)
    use("192.0.2.1", "a")
    found = radius(scene, token.token).callers
    assert [(one.address, one.client, one.count) for one in found] == [
        ("192.0.2.1", "a", 2),
        ("192.0.2.1", "b", 1),
    ]


def test_a_token_that_was_never_used_touches_nothing(scene: Scene) -> None:
    found = radius(scene, scene.token().token)
    assert (found.connected, found.joining, found.busy, found.running) == (0, 0, 0, ())
    assert (found.callers, found.children, found.last_use) == ((), 0, None)


def test_agents_that_joined_count_until_they_leave(scene: Scene) -> None:
    token = scene.token()
    agent, _joining = scene.agent(token), scene.register(token)
    accepted = scene.accept(agent, scene.one_job())
    found = radius(scene, token.token)
    assert (found.connected, found.joining, found.busy, found.running) == (1, 1, 1, ())
    scene.start(accepted.job)
    assert radius(scene, token.token).running == (accepted.job.id,)
    revoke(scene, token.token)
    assert radius(scene, scene.record(token.token)).connected == 1
    revoke(scene, scene.record(token.token), CUT)
    assert radius(scene, scene.record(token.token)).children == 0
