"""Narrowing: the restrictions of a new agent token, as callers write them."""

from collections.abc import Sequence

from watchword.domain.accounts import check_queue_key
from watchword.domain.errors import Invalid
from watchword.domain.fleet import split_tags
from watchword.domain.restrictions import MAX_TAGS, Restrictions, parse_networks

EVERYWHERE = "0.0.0.0/0"


def networks_text(text: str) -> str:
    """The blocks a caller means: upstream writes "unrestricted" as nothing or as `0.0.0.0/0`."""
    return "" if text.strip() == EVERYWHERE else text


def narrow(networks: str, queue: str, tags: Sequence[str]) -> Restrictions:
    """Read what narrows a token.

    Args:
        networks: CIDR blocks or addresses, separated by spaces or commas.
        queue: key of the only queue that agents may join.
        tags: tags that agents must carry, `key=value`.

    Raises:
        Invalid: a part is not acceptable.
    """
    if len(tags) > MAX_TAGS:
        raise Invalid(f"Validation failed: Tags takes at most {MAX_TAGS} tags", code="too_many_tags")
    named, checked = split_tags(tags)
    if named:
        raise Invalid("Validation failed: Tags names a queue; use queue for that", code="queue_in_tags")
    return Restrictions(
        parse_networks(networks_text(networks)), check_queue_key(queue) if queue else "", checked
    )
