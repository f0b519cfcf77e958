"""Minting by a caller: a new API access token is never wider than the one that asks for it (design §1)."""

from collections.abc import Iterable
from dataclasses import dataclass

from watchword.domain.addresses import Block
from watchword.domain.errors import Forbidden, Invalid
from watchword.domain.tokens import API_ACCESS_DEFAULT_US, DAY_US, check_expiry

_CODE = "wider_than_caller"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """How wide a token is.

    Attributes:
        scopes: what it opens.
        networks: from where it may be used; empty means anywhere.
        expires_at: microseconds; 0 means never.
    """

    scopes: frozenset[str]
    networks: tuple[Block, ...] = ()
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks of a new token.

    Attributes:
        scopes: what it is to open.
        networks: from where it may be used; None means from where the caller may.
        expires_at: None means the usual life, or a shorter one where the caller may not have that.
    """

    scopes: frozenset[str]
    networks: tuple[Block, ...] | None = None
    expires_at: int | None = None


def grant_wish(wish: Wish, caller: Limits, now: int, maximum_days: int = 0) -> Limits:
    """Settle how wide a new token is: as wished, if the caller is as wide.

    Args:
        wish: what is asked for.
        caller: how wide the caller is.
        now: microseconds.
        maximum_days: longest life of a new token; 0 sets no limit.

    Raises:
        Forbidden: it would be wider than the caller.
        Invalid: the expiry is too soon, or later than the organization allows.
    """
    require_scopes(wish.scopes, caller.scopes)
    networks = caller.networks if wish.networks is None else wish.networks
    require_networks(networks, caller.networks)
    return Limits(wish.scopes, networks, _expiry(wish.expires_at, caller.expires_at, now, maximum_days))


def require_scopes(asked: frozenset[str], own: frozenset[str]) -> None:
    """Require that a caller has every scope that is asked for.

    Raises:
        Forbidden: it lacks some; the message names them.
    """
    missing = sorted(asked - own)
    if missing:
        names = ", ".join(missing[:_SHOWN]) + (" and more" if len(missing) > _SHOWN else "")
        raise Forbidden(f"Your access token doesn't have the {names} scope to give away", code=_CODE)


def require_networks(asked: tuple[Block, ...], own: tuple[Block, ...]) -> None:
    """Require that every address of the asked networks lies in the caller's.

    Raises:
        Forbidden: some address does not.
    """
    if not within(asked, own):
        raise Forbidden(
            "Your access token may not be used from all of these addresses: allow no more than its own",
            code=_CODE,
        )


def require_expiry(asked: int, own: int) -> None:
    """Require that a token expires no later than the caller does; 0 is never.

    Raises:
        Forbidden: it does.
    """
    if own and not 0 < asked <= own:
        raise Forbidden("The token would outlive your access token: let it expire no later", code=_CODE)


def within(inner: tuple[Block, ...], outer: tuple[Block, ...]) -> bool:
    """Whether every address of `inner` lies in `outer`; an empty list holds all addresses."""
    if not outer:
        return True
    return bool(inner) and all(_covered(block, outer) for block in inner)


def _covered(block: Block, by: Iterable[Block]) -> bool:
    """Whether the blocks together hold every address of one."""
    start = block.first
    for other in sorted((each for each in by if each.version == block.version), key=lambda each: each.first):
        if other.first > start:
            return False
        start = max(start, other.last + 1)
        if start > block.last:
            return True
    return False


def _expiry(asked: int | None, caller: int, now: int, maximum_days: int) -> int:
    """When a new token expires; 0 where it never does."""
    latest = now + maximum_days * DAY_US if maximum_days else 0
    if asked is None:
        return check_expiry(min(at for at in (now + API_ACCESS_DEFAULT_US, latest, caller) if at), now)
    require_expiry(asked, caller)
    if latest and not 0 < asked <= latest:
        raise Invalid(
            f"Validation failed: Expires at may be at most {maximum_days} days ahead in this organization",
            code="expiry_too_late",
        )
    return check_expiry(asked, now)
