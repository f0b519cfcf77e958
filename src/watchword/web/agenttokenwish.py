"""The form of a new agent token: what was asked for, and the same in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchword.domain.accounts import Cluster, Queue
from watchword.domain.errors import Invalid
from watchword.domain.formats import read_time
from watchword.domain.ids import OrganizationId
from watchword.domain.restrictions import Restrictions, load
from watchword.domain.tokens import DAY_US, Token, check_expiry
from watchword.services.issuing import TokenRequest
from watchword.services.narrowing import narrow
from watchword.web.forms import Form
from watchword.web.rendering import absolute, plural

PRESETS = (1, 7, 30, 90)
DEFAULT_DAYS = 30
MAX_USES = 1_000_000_000
_FEW = 3
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a form asks of a new agent token. Times are microseconds; 0 means none."""

    description: str
    restrictions: Restrictions
    not_before: int
    expires_at: int
    max_uses: int

    @classmethod
    def read(cls, form: Form, now: int) -> "Wish":
        """Read a form.

        Raises:
            Invalid: a part cannot be read or is not acceptable.
        """
        networks = " ".join(form.lines("allowed_ip_addresses"))
        expires_at = check_expiry(_expiry(form, now), now)
        not_before = read_time("Not before", form.text("not_before"))
        if expires_at and not_before >= expires_at:
            raise Invalid("Not before must lie ahead of the expiry.", code="never_valid")
        return cls(
            description=form.text("description"),
            restrictions=narrow(networks, form.text("queue"), form.lines("tags")),
            not_before=not_before,
            expires_at=expires_at,
            max_uses=_uses(form),
        )

    def request(self, owner: OrganizationId, cluster: Cluster | None) -> TokenRequest:
        """The same, as the service takes it."""
        return TokenRequest(
            organization_id=owner,
            cluster_id=cluster.id if cluster is not None else None,
            description=self.description,
            restrictions=self.restrictions,
            not_before=self.not_before,
            expires_at=self.expires_at,
            max_uses=self.max_uses,
        )


def _expiry(form: Form, now: int) -> int:
    choice = form.text("expiry", str(DEFAULT_DAYS))
    if choice == "never":
        return 0
    if choice == "custom":
        until = read_time("Expires at", form.text("expires_at"))
        if not until:
            raise Invalid("Say when the token expires, or choose another expiry.", code="invalid_expiry")
        return until
    if choice not in map(str, PRESETS):
        raise Invalid("Choose one of the expiries.", code="invalid_expiry")
    return (now + int(choice) * DAY_US) // _SECOND * _SECOND


def _uses(form: Form) -> int:
    choice = form.text("uses", "any")
    if choice == "any":
        return 0
    if choice == "one":
        return 1
    count = form.number("max_uses")
    if not 0 < count <= MAX_USES:
        raise Invalid("Say how many agents may join: a number from 1 on.", code="invalid_uses")
    return count


def defaults(queues: Sequence[Queue], cluster: Cluster | None) -> Form:
    """The safest choices: one queue, and an end in 30 days."""
    default = next((one.key for one in queues if cluster and one.id == cluster.default_queue_id), "")
    return Form([("expiry", str(DEFAULT_DAYS)), ("uses", "any"), ("queue", default)])


def like(token: Token, now: int) -> Form:
    """The form of a token that may do what another one was made to do, and lives as long from now."""
    restrictions = load(token.restrictions)
    given = [
        ("description", token.description),
        ("queue", restrictions.queue),
        ("tags", "\n".join(restrictions.tags)),
        ("allowed_ip_addresses", "\n".join(block.text for block in restrictions.networks)),
        ("uses", {0: "any", 1: "one"}.get(token.max_uses, "some")),
        ("max_uses", str(token.max_uses or "")),
        ("not_before", local(token.not_before) if token.not_before > now else ""),
    ]
    return Form([*given, *_same_life(token, now)])


def _same_life(token: Token, now: int) -> list[tuple[str, str]]:
    if not token.expires_at:
        return [("expiry", "never")]
    life = token.expires_at - token.created_at
    days = round(life / DAY_US)
    if days in PRESETS and abs(life - days * DAY_US) < DAY_US // 24:
        return [("expiry", str(days))]
    return [("expiry", "custom"), ("expires_at", local(now + life))]


def local(microseconds: int) -> str:
    """A time as a date field of a form holds it, in UTC, to the minute; empty for none."""
    if not microseconds:
        return ""
    return f"{datetime.fromtimestamp(microseconds // _SECOND, UTC):%Y-%m-%dT%H:%M}"


def sentences(wish: Wish, cluster: Cluster | None, now: int) -> list[str]:
    """What a token that is asked for will do, in plain words."""
    where = f"the cluster {cluster.name}" if cluster is not None else "no cluster: the unclustered agents"
    found = [f"Agents that hold the value may join {where}."]
    limits = wish.restrictions
    if limits.queue:
        found.append(f"They join the queue {limits.queue} and no other.")
    elif cluster is not None:
        found.append("They join any queue of the cluster, queues that are made later included.")
    if limits.tags:
        found.append(f"They must carry {few(limits.tags, 'tag')}.")
    blocks = [block.text for block in limits.networks]
    found.append(
        f"They join, and stay connected, from {few(blocks, 'network')} and from nowhere else."
        if blocks
        else "They join from any address."
    )
    found.append(_use_sentence(wish.max_uses))
    if wish.not_before > now:
        found.append(f"Nobody joins before {absolute(wish.not_before)}.")
    found.append(
        f"From {absolute(wish.expires_at)} on nobody joins with it; agents that are connected stay connected."
        if wish.expires_at
        else "It never expires: a lost copy stays good until somebody revokes it."
    )
    return found


def _use_sentence(max_uses: int) -> str:
    if not max_uses:
        return "As many agents as like may join with it."
    if max_uses == 1:
        return "The first agent that connects uses it up: a join token."
    return f"It is used up when {plural(max_uses, 'agent')} have connected."


def few(words: Sequence[str], noun: str) -> str:
    """Some words, the rest counted: `10.0.0.0/8, 192.0.2.0/24 and 3 more networks`."""
    if len(words) <= _FEW:
        *most, last = words
        return f"{', '.join(most)} and {last}" if most else last
    return f"{', '.join(words[:_FEW])} and {plural(len(words) - _FEW, f'more {noun}')}"
