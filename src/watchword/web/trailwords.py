"""Words of the audit trail for people, and the filters that they fill in."""

from datetime import UTC, datetime

from watchword.domain.errors import Invalid
from watchword.domain.events import Action
from watchword.web.forms import Form

_SECOND = 1_000_000
_SHORT = {"api": "API", "totp": "TOTP", "sso": "SSO", "graphql": "GraphQL"}
FILTERS = ("action", "who", "token", "agent", "since", "until")
# Nouns of the catalogue that people call otherwise; the longer ones come first.
_NOUNS = (
    ("api_access_token", "API access token"),
    ("cluster_token", "agent token"),
    ("agent_token", "unclustered agent token"),
    ("cluster_queue", "queue"),
    ("cluster_permission", "cluster maintainer"),
    ("organization_member", "member"),
    ("organization_invitation", "invitation"),
    ("organization_banner", "banner"),
)
# The field of the form that a problem is about.
FIELDS = {
    "unknown_event": "action",
    "invalid_token_id": "token",
    "invalid_agent_id": "agent",
    "invalid_since": "since",
    "invalid_until": "until",
}


def in_words(word: str) -> str:
    """A word of a program for people: `CLUSTER_TOKEN_CREATED` becomes `Agent token created`."""
    plain = word.lower().replace(".", "_")
    noun = next(((known, title) for known, title in _NOUNS if f"{plain}_".startswith(f"{known}_")), ("", ""))
    rest = plain[len(noun[0]) :].lstrip("_")
    parts = [noun[1], *(_SHORT.get(part, part) for part in rest.split("_"))]
    text = " ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def action_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """Actions by what they were done to, in alphabetical order; each group begins with all of it."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for action in sorted(Action):
        noun = action.value.partition(".")[0]
        group = groups.setdefault(noun, [(f"{noun}.", f"{in_words(noun)}: all")])
        group.append((action.value, in_words(action.value)))
    return [(in_words(noun), options) for noun, options in groups.items()]


def read_time(form: Form, name: str) -> int:
    """A field of date and time, in UTC, as microseconds; 0 where it is empty.

    Raises:
        Invalid: it is no time.
    """
    text = form.text(name)
    if not text:
        return 0
    try:
        found = datetime.fromisoformat(text)
        whole = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        return int(whole.timestamp()) * _SECOND
    except (ValueError, OverflowError):
        raise Invalid("Give a date and a time, as 2026-01-31T08:00.", code=f"invalid_{name}") from None
