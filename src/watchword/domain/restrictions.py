"""Restrictions of a token: numbered, append-only, each with a reason; an unknown number refuses."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from watchword.domain.addresses import Block, contains, parse_address
from watchword.domain.errors import Invalid

MAX_BLOCKS = 24
MAX_TAGS = 20

# The numbers are stored. A number is never reused; a new restriction takes the next one.
_NETWORKS = 1
_QUEUE = 2
_TAGS = 3


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What narrows a token beyond its kind and scopes.

    Attributes:
        networks: the holder's address lies in one of these; empty means anywhere.
        queue: key of the only queue an agent may join; empty means any.
        tags: tags an agent must carry to join, `key=value`.
        unknown: the stored text holds a restriction that this version does not know.
    """

    networks: tuple[Block, ...] = field(default=())
    queue: str = ""
    tags: tuple[str, ...] = ()
    unknown: bool = False

    def dump(self) -> str:
        """Text for the store; empty where nothing is restricted."""
        parts: list[list[object]] = []
        if self.networks:
            parts.append([_NETWORKS, [block.text for block in self.networks]])
        if self.queue:
            parts.append([_QUEUE, self.queue])
        if self.tags:
            parts.append([_TAGS, list(self.tags)])
        return json.dumps(parts, separators=(",", ":")) if parts else ""

    def refuse_address(self, address: str | None) -> bool:
        """Whether a holder at `address` is outside the networks; an unknown address is outside."""
        if not self.networks:
            return False
        parsed = parse_address(address) if address else None
        return parsed is None or not contains(self.networks, parsed)

    def refuse_agent(self, queue: str, tags: Sequence[str]) -> str:
        """Say why an agent with this queue and these tags may not join, or nothing."""
        if self.queue and queue != self.queue:
            return f"This agent token admits agents of the queue {self.queue} only."
        missing = [tag for tag in self.tags if tag not in tags]
        if missing:
            return f"This agent token admits agents with the tag {missing[0]} only."
        return ""


UNRESTRICTED = Restrictions()


def load(text: str) -> Restrictions:
    """Read the stored text; what cannot be read or is not known becomes `unknown`, which refuses."""
    if not text:
        return UNRESTRICTED
    networks: tuple[Block, ...] = ()
    queue = ""
    tags: tuple[str, ...] = ()
    try:
        for number, content in _parts(text):
            if number == _NETWORKS:
                networks = tuple(Block.parse(item) for item in _words(content))
            elif number == _QUEUE:
                (queue,) = _words([content])
            elif number == _TAGS:
                tags = _words(content)
            else:
                return Restrictions(unknown=True)
    except (ValueError, TypeError, RecursionError):
        return Restrictions(unknown=True)
    return Restrictions(networks, queue, tags)


def _parts(text: str) -> list[tuple[int, object]]:
    """Numbered parts of a stored text; a number that comes twice could widen what the first narrowed."""
    parts = json.loads(text)
    if not isinstance(parts, list):
        raise TypeError("a list of numbered restrictions")
    found = [(number, content) for number, content in parts]
    numbers = [number for number, _ in found]
    if any(type(number) is not int for number in numbers) or len(set(numbers)) < len(numbers):
        raise ValueError("each restriction has a number of its own")
    return found


def _words(content: object) -> tuple[str, ...]:
    """Texts of a restriction; one without any would narrow nothing, so it is damaged."""
    if not isinstance(content, list) or not content:
        raise TypeError("a list of texts")
    if not all(isinstance(item, str) and item for item in content):
        raise TypeError("a list of texts")
    return tuple(content)


def widened(one: Sequence[Block], other: Sequence[Block]) -> tuple[Block, ...]:
    """Blocks that hold what either of two lists holds, an empty one being everywhere."""
    if not one or not other:
        return ()
    every = (*one, *other)
    return tuple(
        block
        for at, block in enumerate(every)
        if not any(
            _inside(block, held) and (not _inside(held, block) or place < at)
            for place, held in enumerate(every)
            if place != at
        )
    )


def narrower(new: Sequence[Block], old: Sequence[Block]) -> bool:
    """Whether some block that was open before is not, as a whole, inside one that is open now."""
    if not new:
        return False
    return not old or not all(any(_inside(block, held) for held in new) for block in old)


def _inside(block: Block, other: Block) -> bool:
    return block.version == other.version and other.first <= block.first and block.last <= other.last


def parse_networks(text: str) -> tuple[Block, ...]:
    """Read CIDR blocks or addresses, separated by spaces or commas.

    Raises:
        Invalid: an entry is no block, or there are more than 24.
    """
    words = text.replace(",", " ").split()
    if len(words) > MAX_BLOCKS:
        raise Invalid(
            f"Validation failed: Allowed IP addresses takes at most {MAX_BLOCKS} blocks, not {len(words)}",
            code="too_many_networks",
        )
    blocks = []
    for word in words:
        try:
            blocks.append(Block.parse(word))
        except ValueError as error:
            raise Invalid(
                f"Validation failed: Allowed IP addresses has no CIDR block in {word!r} ({error})",
                code="invalid_network",
            ) from None
    return tuple(blocks)
