"""What anybody may ask about leaks: revocation by possession, lookup by prefix, the shapes of values."""

from dataclasses import dataclass

from watchword.crypto.values import pattern, prefix
from watchword.domain.errors import Forbidden, Refused
from watchword.domain.events import SYSTEM
from watchword.domain.kinds import KINDS, SHAPES, Kind
from watchword.domain.leakdoors import LookupBy
from watchword.domain.tokens import Reason
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.leaks_api.wire import MAX_SMALL_BODY, lookup_prefixes, shown_values
from watchword.services.addresslimits import AddressLimit
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.leaklookup import Match
from watchword.services.leakpossession import Shown
from watchword.services.verifying import Presented


@dataclass(slots=True)
class Public:
    """The routes for anybody.

    Attributes:
        revocations: how many values an address may show.
        lookups: how many prefixes it may ask for.
    """

    authority: Authority
    revocations: AddressLimit
    lookups: AddressLimit

    @classmethod
    def of(cls, authority: Authority) -> "Public":
        """The routes, with the installation's limits."""
        clock, limits = authority.context.clock, authority.context.installation.rate_limits
        return cls(
            authority,
            AddressLimit(clock, limits.leak_revocations),
            AddressLimit(clock, limits.leak_lookups),
        )

    def routes(self) -> list[Route]:
        """They are public: what they ask for is a value itself, or nothing secret."""
        return [
            Route("POST", "/leaks/revoke", self.revoke, ()),
            Route("POST", "/leaks/lookup", self.lookup, ()),
            Route("GET", "/leaks/patterns", self.patterns, ()),
        ]

    async def revoke(self, request: Request) -> Response:
        """Revoke the tokens whose whole values are shown; the answer comes when that is effective.

        Raises:
            Malformed: the body cannot be read.
            TooMany: the address has shown as many as it may in a minute.
            Forbidden: the operator does not allow it.
        """
        self.revocations.spend(request.address, 1)
        values = shown_values(await request.body(MAX_SMALL_BODY))
        self.revocations.spend(request.address, len(values) - 1)
        shown = await self.authority.possessions.show(_caller(request), values)
        return Response.json({"results": [_shown(one) for one in shown]})

    async def lookup(self, request: Request) -> Response:
        """Say what is known of prefixes of digests.

        Raises:
            Malformed: the body cannot be read.
            Invalid: one is no prefix, or there are too many.
            TooMany: the address has asked as much as it may in a minute.
            Forbidden: the operator does not allow it.
            Refused: an API access token is needed, or the one that is shown does not pass.
        """
        self.lookups.spend(request.address, 1)
        presented = await self._presented(request)
        prefixes = lookup_prefixes(await request.body(MAX_SMALL_BODY))
        self.lookups.spend(request.address, len(prefixes))
        found = await self.authority.leak_lookup.find(prefixes, _caller(request), presented)
        matches = {text: [_match(one) for one in some] for text, some in found.items()}
        return Response.json({"matches": matches})

    async def _presented(self, request: Request) -> Presented | None:
        """The caller's API access token; None where they have none and need none."""
        by = self.authority.context.installation.leak_lookup
        if by is LookupBy.OFF:
            raise Forbidden("This installation answers no lookups.", code="leak_lookup_off")
        value = request.credential()
        if not value:  # also where the header has a scheme and nothing behind it
            if by is LookupBy.PUBLIC:
                return None
            raise Refused(
                "This installation answers lookups with an API access token alone.", code=Reason.MISSING.value
            )
        return await self.authority.verifier.verify(
            value, (Kind.API_ACCESS,), address=request.address, agent=request.agent
        )

    async def patterns(self, request: Request) -> Response:
        """The shapes of this installation's values, for scanners, and for partners who are to find them."""
        del request
        installation = self.authority.context.installation
        brands = (installation.brand, *installation.former_brands)
        rows = [
            {
                "name": f"watchword-{shape.name}",
                "kinds": [kind.value for kind, spec in KINDS.items() if spec.shape is shape],
                "brand": brand if shape.branded else "",
                "prefix": prefix(shape, brand),
                "regex": pattern(shape, brand),
                "checksum": "crc32" if shape.checked else "",
            }
            for shape in SHAPES
            for brand in (brands if shape.branded else brands[:1])
        ]
        return Response.json({"patterns": rows})


def _caller(request: Request) -> Caller:
    return Caller(SYSTEM, request.address, request.id, request.agent)


def _shown(one: Shown) -> dict[str, str]:
    return {
        "token_hash": one.digest.hex(),
        "label": one.label.value,
        "state": one.state,
        "message": one.message,
    }


def _match(one: Match) -> dict[str, object]:
    shown: dict[str, object] = {
        "suffix_hash": one.suffix_hash,
        "kind": one.kind.value,
        "state": one.state,
        "checked_at": one.checked_at,
    }
    if one.token is not None:
        whose = one.token
        shown["token"] = {
            "id": whose.id,
            "organization": whose.organization,
            "name": whose.name,
            "url": whose.url,
        }
    return shown
