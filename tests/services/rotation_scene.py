"""Short words for tests of rotations and incidents."""

from typing import TypeVar

from services.scene import AGENT_TOKENS, Scene
from watchword.domain.incidents import Incident
from watchword.domain.kinds import Kind
from watchword.domain.rotations import Rotation
from watchword.domain.securitypolicy import ReuseResponse, SecurityPolicy
from watchword.domain.tokens import Token
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.rotating import Standing, Started
from watchword.store.base import EVERYTHING, Transaction, Work

T = TypeVar("T")

ASKER = "the token that asks"
HOME, AWAY = "192.0.2.1", "198.51.100.7"
API = (Kind.API_ACCESS,)


class Rotations:
    """Rotations on a scene; an agent token unless another is given."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.organization_id = scene.organization_id

    def api_token(self, *scopes: str, expires_at: int | None = 0) -> Issued:
        context, first = self.scene.authority.context, self.scene.first
        return self.scene.run(
            context.store.write(
                lambda tx: issue_api_token(
                    context,
                    tx,
                    LOCAL,
                    first.organization.id,
                    first.admin.id,
                    "robot",
                    scopes or ("read_agents",),
                    expires_at,
                )
            )
        )

    def start(self, token: Token, *, asker: str = ASKER, deadline: int = 0) -> Started:
        rotator, by = self.scene.authority.rotator, self.scene.first.admin.id
        return self._write(
            lambda tx: rotator.start_in(tx, LOCAL, token, by=by, asker=asker, deadline=deadline)
        )

    def find(self, token: Token) -> Rotation:
        rotator = self.scene.authority.rotator
        return self.scene.run(
            self.scene.world.store.read(lambda tx: rotator.find_in(tx, self.organization_id, token.id))
        )

    def standing(self, token: Token) -> Standing:
        rotation, rotator = self.find(token), self.scene.authority.rotator
        return self.scene.run(self.scene.world.store.read(lambda tx: rotator.standing_in(tx, rotation)))

    def finish(self, token: Token) -> Rotation:
        rotation, rotator = self.find(token), self.scene.authority.rotator
        return self._write(lambda tx: rotator.finish_in(tx, LOCAL, rotation, None))

    def abort(self, token: Token) -> Rotation:
        rotation, rotator = self.find(token), self.scene.authority.rotator
        return self._write(lambda tx: rotator.abort_in(tx, LOCAL, rotation, None))

    def extend(self, token: Token, deadline: int) -> Rotation:
        rotation, rotator = self.find(token), self.scene.authority.rotator
        return self._write(lambda tx: rotator.extend_in(tx, LOCAL, rotation, deadline))

    def incidents(self) -> list[Incident]:
        found = self.scene.run(
            self.scene.world.store.read(lambda tx: tx.incidents.list(self.organization_id, EVERYTHING))
        )
        return list(found)

    def close(self, incident: Incident) -> Incident:
        alarms, by = self.scene.authority.alarms, self.scene.first.admin.id
        return self._write(lambda tx: alarms.close_in(tx, LOCAL, incident, by, "looked at"))

    def respond(
        self, response: ReuseResponse, longest_days: int = 0, revealable: tuple[str, ...] = ()
    ) -> None:
        """Set what follows a reuse."""
        policy = SecurityPolicy(
            self.organization_id,
            reuse_response=response,
            maximum_api_token_days=longest_days,
            revealable=revealable,
        )

        async def work(tx: Transaction) -> None:
            await tx.policies.save(policy)

        self._write(work)

    def reason(
        self, issued: Issued | Started, address: str = HOME, kinds: tuple[Kind, ...] = AGENT_TOKENS
    ) -> str:
        """Why a value is refused from an address; empty if it passes."""
        return self.scene.reason_from(issued.value.reveal(), address, kinds)

    def _write(self, work: Work[T]) -> T:
        return self.scene.run(self.scene.world.store.write(work))


def as_issued(started: Started) -> Issued:
    """A successor as if it had been issued."""
    return Issued(started.successor, started.value)
