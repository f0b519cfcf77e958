"""Where relying parties learn who signs job identity: OpenID Connect Discovery 1.0 §4, keys (RFC 7517)."""

from dataclasses import dataclass

from watchword.crypto.identitykeys import Algorithm
from watchword.domain.jobidentity import AWS_TAGS, OPTIONAL, REGISTERED, STANDARD
from watchword.edge.http import JSON, Request, Response
from watchword.edge.router import Route
from watchword.services.authority import Authority

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/.well-known/jwks"
# Relying parties may keep these; a new key is published for longer than that before it signs.
_KEPT = [(b"cache-control", b"public, max-age=3600"), (b"x-content-type-options", b"nosniff")]


@dataclass(slots=True)
class Discovery:
    """The two public documents."""

    authority: Authority

    def routes(self) -> list[Route]:
        """Their routes; anybody may read them."""
        return [
            Route("GET", CONFIGURATION, self.configuration, ()),
            Route("GET", KEYS, self.keys, ()),
        ]

    async def configuration(self, request: Request) -> Response:  # noqa: ARG002 - every handler takes it
        """Issuer, keys and claims. Nobody signs in here, so there is no endpoint for that."""
        issuer = self.authority.context.installation.url
        return _public(
            {
                "issuer": issuer,
                "jwks_uri": f"{issuer}{KEYS}",
                "scopes_supported": ["openid"],
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": sorted(self._algorithms()),
                "claims_supported": [*REGISTERED, *STANDARD, *OPTIONAL, AWS_TAGS],
            }
        )

    async def keys(self, request: Request) -> Response:  # noqa: ARG002 - every handler takes it
        """The public keys: the one that signs, those that are coming, those lately demoted."""
        return _public({"keys": self.authority.job_identity.published()})

    def _algorithms(self) -> set[str]:
        """Those of the keys; RS256 always (OpenID Connect Discovery 1.0 §3)."""
        return {Algorithm.RS256.value, *(key["alg"] for key in self.authority.job_identity.published())}


def _public(content: object) -> Response:
    response = Response.json(content)
    response.headers = [JSON, *_KEPT]
    return response
