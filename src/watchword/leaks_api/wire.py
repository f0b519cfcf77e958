"""Bodies of reports, as their senders write them, and the answers that they read."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from watchword.crypto.values import Secret
from watchword.domain.errors import Malformed, TooLarge
from watchword.domain.formats import read_time
from watchword.domain.leaks import Visibility
from watchword.edge.http import decode
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Answer

# A batch of GitHub's has some hundred bytes an item.
MAX_BODY = 4 * 1024 * 1024
MAX_ITEMS = 10_000
MAX_SHOWN = 100
MAX_SMALL_BODY = 256 * 1024

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class GithubMatch(msgspec.Struct):
    """One match of GitHub's secret scanning partner programme; fields beyond these are passed over."""

    token: str
    type: Any = ""
    url: Any = ""
    source: Any = ""


class GitlabMatch(msgspec.Struct):
    """One token of GitLab's Token Revocation API."""

    token: str
    type: Any = ""
    location: Any = ""


class SignedMatch(msgspec.Struct):
    """One item of a generic report: `token`, or `digest`, or `organization` with `token_id`."""

    token: str = ""
    digest: str = ""
    organization: str = ""
    token_id: str = ""
    type: str = ""
    url: str = ""
    place: str = ""
    visibility: str = ""
    exposed_at: str = ""


class ShownBody(msgspec.Struct):
    """What whoever has a value sends: one, or a list."""

    token: str = ""
    tokens: list[str] = []


class LookupBody(msgspec.Struct):
    """What a finder asks."""

    prefixes: list[str]


_GITHUB = msgspec.json.Decoder(list[GithubMatch])
_GITLAB = msgspec.json.Decoder(list[GitlabMatch])
_SIGNED = msgspec.json.Decoder(list[SignedMatch])
_SHOWN = msgspec.json.Decoder(ShownBody)
_LOOKUP = msgspec.json.Decoder(LookupBody)


def github_items(body: bytes) -> list[Item]:
    """The items of a batch of GitHub's.

    Raises:
        Malformed: it is no JSON (400), or no list of matches (422).
        TooLarge: there are too many.
    """
    return [
        Item(
            value=Secret(match.token), type=_text(match.type), url=_text(match.url), place=_text(match.source)
        )
        for match in _some(decode(_GITHUB, body))
    ]


def gitlab_items(body: bytes) -> list[Item]:
    """The tokens that GitLab asks to have revoked.

    Raises:
        Malformed: it is no list of tokens; GitLab expects 400 for that and does not try again.
        TooLarge: there are too many.
    """
    try:
        found = decode(_GITLAB, body)
    except Malformed as error:
        raise Malformed(error.message, code=error.code) from None
    return [
        Item(value=Secret(match.token), type=_text(match.type), url=_text(match.location))
        for match in _some(found)
    ]


def signed_items(body: bytes) -> list[Item]:
    """The items of a generic report.

    Raises:
        Malformed: it is no JSON (400), or an item names no token in one of the three ways (422).
        Invalid: a time is none.
        TooLarge: there are too many.
    """
    return [_signed(match) for match in _some(decode(_SIGNED, body))]


def _signed(match: SignedMatch) -> Item:
    named = bool(match.organization) and bool(match.token_id)
    if bool(match.token) + bool(match.digest) + named != 1:
        raise _unfit("an item has token, or digest, or organization and token_id")
    if match.digest and not _DIGEST.fullmatch(match.digest):
        raise _unfit("digest is 64 hex digits: SHA-256 of the value")
    return Item(
        value=Secret(match.token) if match.token else None,
        digest=bytes.fromhex(match.digest),
        organization=match.organization if named else "",
        token_id=match.token_id if named else "",
        type=match.type,
        url=match.url,
        place=match.place,
        visibility=_visibility(match.visibility),
        exposed_at=read_time("exposed_at", match.exposed_at),
    )


def _visibility(word: str) -> Visibility | None:
    try:
        return Visibility(word.lower()) if word else None
    except ValueError:
        raise _unfit(f"visibility is one of {', '.join(Visibility)}") from None


def shown_values(body: bytes) -> list[Secret]:
    """Values that somebody shows.

    Raises:
        Malformed: it is no JSON (400), or holds no value or too many (422).
    """
    found = decode(_SHOWN, body)
    values = [*([found.token] if found.token else []), *found.tokens]
    if not 0 < len(values) <= MAX_SHOWN or not all(values):
        raise _unfit(f"give token, or tokens: 1 to {MAX_SHOWN} values")
    return [Secret(value) for value in values]


def lookup_prefixes(body: bytes) -> list[str]:
    """Prefixes that somebody asks for.

    Raises:
        Malformed: it is no JSON (400), or has no list of prefixes (422).
    """
    found: list[str] = decode(_LOOKUP, body).prefixes
    return found


def _some(items: list[Any]) -> list[Any]:
    if len(items) > MAX_ITEMS:
        raise TooLarge(f"A report takes at most {MAX_ITEMS} items; send several.", code="too_many_items")
    return items


def _text(value: object) -> str:
    """A text that is not needed: whatever else stands there is as nothing."""
    return value if isinstance(value, str) else ""


def _unfit(what: str) -> Malformed:
    return Malformed(f"The body does not fit: {what}.", code="invalid_body", status=422)


def labels(answers: Sequence[Answer]) -> list[dict[str, str]]:
    """What GitHub is answered: for each item in its order the hash of its value, its type, and a label.

    `token_hash` is SHA-256 in lower-case hex: the programme names the algorithm and no other encoding.
    """
    return [
        {
            "token_hash": answer.digest.hex(),
            "token_type": answer.item.type,
            "label": answer.label.value,
        }
        for answer in answers
    ]


def signed_labels(answers: Sequence[Answer]) -> list[dict[str, str]]:
    """The same for a generic report; an item that named an id is answered with it."""
    return [
        {**_name(answer), "token_type": answer.item.type, "label": answer.label.value} for answer in answers
    ]


def _name(answer: Answer) -> dict[str, str]:
    if answer.digest:
        return {"token_hash": answer.digest.hex()}
    return {"organization": answer.item.organization, "token_id": answer.item.token_id}
