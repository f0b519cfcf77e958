"""API access tokens as personal pages show them: with the badges of the list of all tokens."""

from collections.abc import Callable

from watchword.domain.tokenlists import conditions, days_left
from watchword.domain.tokens import Token
from watchword.domain.use import Use
from watchword.services.tokensearch import TokenRow
from watchword.web.tokenrows import Badge, badges_of
from watchword.web.visit import Visit

Badges = Callable[[Token, Use | None], tuple[Badge, ...]]


def badges(visit: Visit) -> Badges:
    """What makes the badges of a token."""
    attention, now = visit.authority.attention, visit.now

    def made(token: Token, used: Use | None) -> tuple[Badge, ...]:
        rotation = attention.successors.get(token.id) or attention.predecessors.get(token.id)
        incident = visit.authority.finder.named(token.organization_id).get(token.id)
        told = conditions(
            token,
            now,
            used=used is not None,
            rotating=rotation is not None,
            quarantined=incident is not None,
        )
        row = TokenRow(
            token=token,
            owner=None,
            role=None,
            creator=None,
            cluster_name="",
            used=used,
            agents=0,
            conditions=told,
            days_left=days_left(token, now),
            rotation=rotation,
            incident=incident,
        )
        return badges_of(row)

    return made
