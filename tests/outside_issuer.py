"""An issuer of identity tokens on loopback: the stand-in for providers, minting what platforms mint."""

import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from openid_stand_in import Provider
from watchword.domain.addresses import Block
from watchword.domain.destinations import Reach
from watchword.services.context import Clock

# Tests ask an issuer on this machine; a server that is told nothing never does.
REACH = Reach(allowed=(Block.parse("127.0.0.0/8"),))


class Issuer(Provider):
    """One issuer."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda: clock.now() / 1_000_000)

    @property
    def seconds(self) -> int:
        return int(self.now())

    def mint(
        self, claims: dict[str, Any], key: RSAKey | ECKey | None = None, header: dict[str, Any] | None = None
    ) -> str:
        """A token signed with the issuer's key, unless another one is given; None leaves a claim out."""
        times = {"iat": self.seconds, "nbf": self.seconds, "exp": self.seconds + 600}
        whole = {"iss": self.issuer, "jti": str(uuid.uuid4())} | times | claims
        whole = {name: value for name, value in whole.items() if value is not None}
        fields = {"alg": self.alg, "kid": "one", "typ": "JWT"} | (header or {})
        fields = {name: value for name, value in fields.items() if value is not None}
        return jwt.encode(fields, whole, key or self.key, algorithms=[fields["alg"]])


def kubernetes_claims(audience: str, namespace: str = "builds", account: str = "agent") -> dict[str, Any]:
    """Claims of a projected service account token, as Kubernetes 1.30 makes them."""
    return {
        "aud": [audience],
        "sub": f"system:serviceaccount:{namespace}:{account}",
        "kubernetes.io": {
            "namespace": namespace,
            "node": {"name": "node-1", "uid": "9d1c2f4e-0000-4000-8000-000000000001"},
            "pod": {"name": "agent-0", "uid": "9d1c2f4e-0000-4000-8000-000000000002"},
            "serviceaccount": {"name": account, "uid": "9d1c2f4e-0000-4000-8000-000000000003"},
        },
    }


def github_claims(
    audience: str, repository: str = "octo/app", ref: str = "refs/heads/main"
) -> dict[str, Any]:
    """Claims of a GitHub Actions token."""
    return {
        "aud": audience,
        "sub": f"repo:{repository}:ref:{ref}",
        "ref": ref,
        "ref_type": "branch",
        "ref_protected": "true",
        "sha": "0123456789abcdef0123456789abcdef01234567",
        "repository": repository,
        "repository_owner": repository.partition("/")[0],
        "repository_id": "74",
        "repository_owner_id": "65",
        "repository_visibility": "private",
        "run_id": "1234",
        "run_attempt": "1",
        "actor": "ada",
        "event_name": "push",
        "workflow": "fleet",
        "job_workflow_ref": f"{repository}/.github/workflows/fleet.yml@{ref}",
        "runner_environment": "github-hosted",
    }
