"""The desk: a request of `watchword admin` in JSON, what `services.hosting` does, the answer in JSON."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from watchword.crypto.values import Secret
from watchword.domain.errors import WatchwordError
from watchword.domain.people import Mail, WebSession
from watchword.services.authority import Authority
from watchword.services.drillhouse import DrillHouse, shown
from watchword.services.hosting import Host
from watchword.services.onetimelinks import MadeLink
from watchword.services.people import Person
from watchword.services.signingkeys import KnownKey

log = structlog.get_logger("watchword.host")
Document = dict[str, Any]


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A request: an operation by name, and what it takes."""

    operation: str
    arguments: dict[str, str | int | bool] = {}


class Answered(msgspec.Struct):
    """An answer: a result, or an error with its stable code."""

    result: Document | None = None
    error: str = ""
    code: str = ""


def moment(at: int) -> str | None:
    """A time as people and programs read it; None for never."""
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}" if at else None


def _link(made: MadeLink) -> Document:
    return {
        "url": made.url.reveal(),
        "value": made.value.reveal(),
        "purpose": made.purpose.value,
        "expires_at": moment(made.expires_at),
    }


def _person(one: Person) -> Document:
    return {
        "id": one.user.id,
        "email": one.user.email,
        "name": one.user.name,
        "organizations": {slug: role.value for slug, role in one.memberships},
        "password": bool(one.user.password_hash),
        "two_factor": one.data.second_factor,
        "disabled_at": moment(one.data.disabled_at),
        "created_at": moment(one.user.created_at),
    }


def _session(one: WebSession) -> Document:
    return {
        "id": one.id,
        "created_at": moment(one.created_at),
        "seen_at": moment(one.seen_at),
        "expires_at": moment(one.expires_at),
        "address": one.address,
        "user_agent": one.user_agent,
    }


def _mail(one: Mail) -> Document:
    state = "sent" if one.sent_at else "given up" if one.failed_at else "waiting"
    return {
        "id": one.id,
        "to": one.recipient,
        "subject": one.subject,
        "state": state,
        "created_at": moment(one.created_at),
        "next_attempt_at": moment(one.due_at),
        "attempts": one.attempts,
        "error": one.error,
    }


async def _recover(host: Host, email: str) -> Document:
    return _link(await host.recover(email))


async def _first_link(host: Host) -> Document:
    return _link(await host.first_link())


async def _users(host: Host) -> Document:
    return {"users": [_person(one) for one in await host.users()]}


async def _create_user(host: Host, email: str, name: str, organization: str, role: str) -> Document:
    user, link = await host.create_user(email, name, organization, role)
    return {"id": user.id, "email": user.email, "link": _link(link)}


async def _disable_user(host: Host, email: str) -> Document:
    return {"sessions_ended": await host.disable_user(email)}


async def _enable_user(host: Host, email: str) -> Document:
    await host.enable_user(email)
    return {}


async def _password(host: Host, email: str, password: str) -> Document:
    return {"sessions_ended": await host.set_password(email, Secret(password))}


async def _reset_two_factor(host: Host, email: str) -> Document:
    return {"had": await host.reset_two_factor(email)}


async def _sessions(host: Host, email: str) -> Document:
    return {"sessions": [_session(one) for one in await host.sessions(email)]}


async def _end_sessions(host: Host, email: str) -> Document:
    return {"sessions_ended": await host.end_sessions(email)}


async def _create_api_token(
    host: Host, organization: str, email: str, description: str, days: int
) -> Document:
    user, issued = await host.create_api_token(organization, email, description, days)
    return {
        "id": issued.token.id,
        "token": issued.value.reveal(),
        "email": user.email,
        "expires_at": moment(issued.token.expires_at),
    }


async def _mails(host: Host, limit: int) -> Document:
    return {"mail": [_mail(one) for one in await host.mail(limit)]}


async def _reveal(host: Host, token: str, reason: str) -> Document:
    found, value = await host.reveal(token, reason)
    return {"id": found.id, "description": found.description, "token": value.reveal()}


async def _reveal_policy(host: Host, organization: str, kind: str, choice: str) -> Document:
    policy = await host.reveal_policy(organization, kind, choice)
    kinds = [
        {"kind": each.value, "policy": "revealable" if chosen else "once", "copies": copies}
        for each, chosen, copies in policy.kinds
    ]
    return {"organization": policy.organization.slug, "kinds": kinds, "destroyed": policy.destroyed}


async def _drill(host: Host, exercise: str, organization: str) -> Document:
    drill = await host.drill(exercise, organization)
    return {**shown(drill), "started_at": moment(drill.started_at)}


def _key(one: KnownKey) -> Document:
    return {
        "purpose": one.key.purpose.value,
        "number": one.key.number,
        "state": one.state,
        "algorithm": one.algorithm,
        "kid": one.kid,
        "signs_from": moment(one.key.signs_from),
    }


async def _keys(host: Host) -> Document:
    return {"keys": [_key(one) for one in host.signing_keys()]}


async def _rotate_key(host: Host, purpose: str, hours: int) -> Document:
    return _key(await host.rotate_key(purpose, hours))


async def _withdraw_key(host: Host, number: int) -> Document:
    await host.withdraw_key(number)
    return {}


OPERATIONS: dict[str, Callable[..., Awaitable[Document]]] = {
    "recover": _recover,
    "first-link": _first_link,
    "user list": _users,
    "user create": _create_user,
    "user disable": _disable_user,
    "user enable": _enable_user,
    "password": _password,
    "two-factor reset": _reset_two_factor,
    "sessions": _sessions,
    "sessions end": _end_sessions,
    "api-token create": _create_api_token,
    "mail": _mails,
    "reveal": _reveal,
    "reveal-policy": _reveal_policy,
    "drill": _drill,
    "keys": _keys,
    "keys rotate": _rotate_key,
    "keys withdraw": _withdraw_key,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers what is asked on the host."""

    authority: Authority
    drills: DrillHouse | None = None

    async def answer(self, login: str, request: bytes) -> bytes:
        """Do what a request asks, in the name of a user of the machine; never raises."""
        return msgspec.json.encode(await self._answer(login, request))

    async def _answer(self, login: str, request: bytes) -> Answered:
        try:
            asked = msgspec.json.decode(request, type=Asked)
            work = OPERATIONS[asked.operation]
        except (msgspec.DecodeError, KeyError):
            return Answered(error="The server does not know this; is it of another version?", code="unknown")
        try:
            return Answered(result=await work(Host(self.authority, login, self.drills), **asked.arguments))
        except WatchwordError as error:
            return Answered(error=error.message, code=error.code)
        except Exception as error:  # the caller must hear of it; its text may hold what was asked
            log.exception("host_request_failed", operation=asked.operation, error=type(error).__name__)
            return Answered(error="Internal error; see the server's log.", code="internal_error")
