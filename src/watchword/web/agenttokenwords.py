"""What an agent token does and lacks, in plain words for its page."""

from dataclasses import dataclass

from watchword.domain.leaks import LeakState
from watchword.domain.lifecycle import Change
from watchword.domain.tokens import Reason, State, Token
from watchword.services.abilities import Joining
from watchword.services.agenttokenview import TokenView
from watchword.web.agenttokenwish import few
from watchword.web.rendering import absolute, plural, span

_WHY_NOT = {
    Reason.EXPIRED: "it has expired",
    Reason.REVOKED: "it is revoked",
    Reason.SUPERSEDED: "a rotation has retired it",
    Reason.NOT_YET_VALID: "its first moment has not come",
    Reason.USED_UP: "it has been used as often as it may be",
    Reason.QUARANTINED: "an open incident or a leak holds it back",
    Reason.RESTRICTION_UNKNOWN: "it carries a restriction that this version does not know",
}


def abilities(found: Joining) -> list[str]:
    """What the holder of the value may do right now."""
    if found.refused:
        why = _WHY_NOT.get(Reason(found.refused), "it is refused")
        return [f"Nobody joins with it: {why} ({found.refused})."]
    sentences = [_where(found)]
    limits = found.restrictions
    if limits.tags:
        sentences.append(f"An agent must carry {few(limits.tags, 'tag')}.")
    blocks = [block.text for block in limits.networks]
    sentences.append(
        f"It works from {few(blocks, 'network')} and from nowhere else."
        if blocks
        else "It works from anywhere."
    )
    if found.uses_left is not None:
        sentences.append(f"{plural(found.uses_left, 'more agent')} may join with it.")
    return [*sentences, "It opens nothing else: no API, no pages, no other cluster or organization."]


def _where(found: Joining) -> str:
    if found.cluster is None:
        queue = f"the queue {found.queues[0]} alone" if found.queues else "any queue"
        return f"An agent may join outside of clusters, in {queue}."
    if not found.queues:
        return f"It may join the cluster {found.cluster.name}, but no queue of it admits its agents."
    if found.restrictions.queue:
        return f"An agent may join the cluster {found.cluster.name}, in the queue {found.queues[0]} alone."
    queues = "the queue " if len(found.queues) == 1 else "the queues "
    return f"An agent may join the cluster {found.cluster.name}, in {queues}{few(found.queues, 'queue')}."


@dataclass(frozen=True, slots=True)
class Banner:
    """What somebody must know of a token first.

    Attributes:
        kind: of the note: good, warn or bad.
        next: what to do: a word for the page, which has the link.
    """

    kind: str
    title: str
    text: str
    next: str = ""


def banners(view: TokenView, now: int) -> list[Banner]:
    """What is wrong or under way, the gravest first."""
    found = [_leak(view), _incident(view), _drain(view), _end(view, now), _rotation(view), _soon(view, now)]
    return [banner for banner in found if banner is not None]


def _leak(view: TokenView) -> Banner | None:
    leak = view.leak
    if leak is None or leak.state is LeakState.CLOSED:
        return None
    text = "It was seen where it must not be. The case says where, who used it since, and what to do."
    return Banner("bad", "This token leaked", text, "leak")


def _incident(view: TokenView) -> Banner | None:
    if not view.incident_open:
        return None
    leaked = view.incident is not None and view.row.token.id == view.incident.token_id
    if leaked:
        text = "Somebody showed its value after it was retired. It is refused; the incident says from where."
    else:
        text = "It is held back because somebody showed the value that it replaced."
    return Banner("bad", "An incident is open", text, "incident")


def _drain(view: TokenView) -> Banner | None:
    receipt = view.receipt
    if receipt is None or not view.draining:
        return None
    title = f"{plural(receipt.remaining, 'agent')} still to leave"
    if receipt.revocation.change is Change.NARROW:
        text = "They are outside of the networks. Each finishes the job that it runs, then leaves."
        return Banner("warn", title, text)
    return Banner("warn", title, "Each finishes the job that it runs, then leaves.", "receipt")


def _end(view: TokenView, now: int) -> Banner | None:
    token, stay = view.token, _stay(view)
    state = token.state_at(now)
    if state is State.EXPIRED:
        ago = span(now - token.expires_at)
        text = (
            f"It expired {absolute(token.expires_at)}, {ago} ago. No agent joins with it any more, and an"
            f" expiry cannot be changed: create another token like it and give that to your agents. {stay}"
        )
        return Banner("bad", "This token has expired", text, "another")
    if state is State.REVOKED:
        if view.draining:
            return None
        return Banner("bad", "This token is revoked", f"No agent joins with it any more. {stay}", "receipt")
    if state is State.SUPERSEDED:
        return Banner(
            "warn", "A rotation has retired this value", f"The new value took its place. {stay}", "successor"
        )
    return _lack(token, stay, now)


def _lack(token: Token, stay: str, now: int) -> Banner | None:
    """Why nobody joins with an active token right now."""
    if token.max_uses and token.uses >= token.max_uses:
        return Banner("warn", "This token is used up", f"No further agent joins with it. {stay}", "another")
    if token.not_before > now:
        return Banner(
            "warn", "This token is not valid yet", f"Nobody joins before {absolute(token.not_before)}."
        )
    return None


def _stay(view: TokenView) -> str:
    agents = view.row.agents
    if not agents:
        return "No agent is connected that joined with it."
    if agents == 1:
        return "One connected agent stays until it ends, and cannot join again."
    return f"{plural(agents, 'connected agent')} stay until they end, and cannot join again."


def _rotation(view: TokenView) -> Banner | None:
    rotation = view.row.rotation
    if rotation is None:
        return None
    text = "The old value and the new one both work until every agent has moved or somebody finishes it."
    return Banner("warn", "A rotation is under way", text, "rotation")


def _soon(view: TokenView, now: int) -> Banner | None:
    token = view.token
    left = token.expires_at - now if token.expires_at else 0
    if (
        left <= 0
        or token.state is not State.ACTIVE
        or not view.row.days_left
        or view.row.days_left > _SOON_DAYS
    ):
        return None
    text = (
        "Rotate it or create another token in time, and give the new value to your agents. "
        f"{plural(view.row.agents, 'agent')} joined with it."
    )
    return Banner("warn", f"It expires in {span(left)}", text, "rotate")


_SOON_DAYS = 7
