"""A scene with an issuer on this machine and trusts in it."""

from typing import Any

from outside_issuer import REACH, Issuer
from services.scene import Scene
from watchword.domain.accounts import Organization
from watchword.domain.errors import WatchwordError
from watchword.domain.events import Actor
from watchword.domain.workloads import ClaimRule, Match, Terms, TrustedIssuer
from watchword.services.context import LOCAL, Caller
from watchword.services.exchanging import Joined, Registration
from watchword.services.trustedissuers import TrustRequest, create_trust, own_audience

ADDRESS = "192.0.2.1"


def rule(claim: str, *values: str, match: Match = Match.EXACT) -> ClaimRule:
    return ClaimRule(claim, match, values)


NAMESPACE = rule("kubernetes.io/namespace", "builds")


class IdentityScene:
    """Short words for what tests of workload identity do again and again."""

    def __init__(self, scene: Scene, issuer: Issuer) -> None:
        scene.configure(reach=REACH)
        self.scene, self.issuer = scene, issuer

    @property
    def audience(self) -> str:
        """The first organization's own."""
        return own_audience(self.scene.authority.context, self.scene.first.organization)

    def terms(self, *rules: ClaimRule, **changes: Any) -> Terms:
        return Terms(**({"audiences": (self.audience,), "rules": rules or (NAMESPACE,)} | changes))

    def trust(
        self,
        *rules: ClaimRule,
        organization: Organization | None = None,
        cluster: Any = None,
        request: dict[str, Any] | None = None,
        **terms: Any,
    ) -> TrustedIssuer:
        context, first = self.scene.authority.context, self.scene.first
        fields: dict[str, Any] = {
            "name": "Builds",
            "issuer": self.issuer.issuer,
            "terms": self.terms(*rules, **terms),
        }
        asked = TrustRequest(**(fields | (request or {})))
        return self.scene.run(
            context.store.write(
                lambda tx: create_trust(
                    context,
                    tx,
                    LOCAL,
                    organization or first.organization,
                    cluster or first.cluster,
                    asked,
                    first.admin.id,
                )
            )
        )

    def join(self, token: str, address: str = ADDRESS, **registration: Any) -> Joined:
        joiner = self.scene.authority.joiner
        fields = {"name": "agent", "hostname": "host", "machine_id": "m-1", "version": "3.137.0"}
        asked = Registration(**(fields | registration))

        async def work() -> Joined:
            proven = await joiner.prove(token, address)
            return await joiner.join(Caller(Actor("agent", ""), address), proven, asked)

        return self.scene.run(work())

    def why_not(self, token: str, address: str = ADDRESS, **registration: Any) -> tuple[str, str]:
        """The code and the sentence of a refusal; empty ones where the agent joins."""
        try:
            self.join(token, address, **registration)
        except WatchwordError as error:
            return error.code, error.message
        return "", ""

    def refusal(self, token: str, **registration: Any) -> str:
        return self.why_not(token, **registration)[0]
