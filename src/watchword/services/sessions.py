"""Sessions of people in browsers: opened, found by their cookie, and what they must prove again."""

import secrets
from dataclasses import dataclass

from watchword.crypto.values import Secret, digest
from watchword.domain.accounts import User
from watchword.domain.errors import Refused
from watchword.domain.events import Action
from watchword.domain.ids import SessionId, UserId
from watchword.domain.people import ESCALATED_US, HOUR_US, LinkPurpose, WebSession
from watchword.domain.tokens import DAY_US, MINUTE_US
from watchword.services.context import Caller, Context
from watchword.services.people import person_caller, record_person
from watchword.services.throttling import KNOWN_ADDRESS_US, Key, charge, keys
from watchword.store.base import Transaction

# How long the second factor may be on its way.
_HALFWAY_US = 10 * MINUTE_US
_COOKIE_BYTES = 32
_MAX_USER_AGENT = 255
# How what somebody did begins who came in through a provider.
SINGLE_SIGN_ON = "single sign-on"
# How somebody came in by a link of the host.
RECOVERED = f"link: {LinkPurpose.RECOVER.value}"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session and its cookie's value, which is seen here and never again.

    The session opens something only once it is complete: a second factor goes on where it is not.
    """

    session: WebSession
    cookie: Secret
    user: User


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person with a live, complete session."""

    session: WebSession
    user: User


def wrong() -> Refused:
    """The one answer to whoever does not get in."""
    return Refused("Email, password or code is wrong.", code="sign_in_refused")


def acting(user: User, caller: Caller) -> Caller:
    """The caller as that person."""
    return person_caller(user, caller.address, caller.user_agent, caller.request_id)


async def charge_attempt(
    context: Context, tx: Transaction, account: str, user_id: UserId, caller: Caller
) -> tuple[Key, ...]:
    """Charge an attempt at an account from an address before it is looked at; what was charged.

    Raises:
        TooMany: there were too many failures.
    """
    now, address = context.clock.now(), caller.address or ""
    known = await tx.sessions.known_address(user_id, address, now - KNOWN_ADDRESS_US)
    charged = keys(account, address, known=known)
    await charge(tx, now, charged)
    return charged


async def open_session(
    context: Context,
    tx: Transaction,
    user: User,
    caller: Caller,
    how: str,
    *,
    complete: bool,
    after: str = "",
    fresh: bool = True,
) -> SignedIn:
    """A fresh session, inside a unit of work: an id that somebody fixed before is worth nothing.

    Args:
        context: the ground.
        tx: the unit of work.
        user: whose it is.
        caller: who asks.
        how: how they proved who they are.
        complete: whether nothing more is asked.
        after: how they did before, in the session that this one goes on from.
        fresh: whether it counts as a proof of just now.
    """
    now = context.clock.now()
    cookie = Secret(secrets.token_urlsafe(_COOKIE_BYTES))
    lifetime = context.installation.session_days * DAY_US if complete else _HALFWAY_US
    session = WebSession(
        id=SessionId(context.new_id()),
        digest=digest(cookie.reveal()),
        user_id=user.id,
        complete=complete,
        created_at=now,
        seen_at=now,
        expires_at=now + lifetime,
        escalated_at=now if complete and fresh else 0,
        address=caller.address or "",
        user_agent=caller.user_agent[:_MAX_USER_AGENT],
        method=f"{after}, {how}" if after else how,
    )
    await tx.sessions.add(session)
    if complete:
        data: dict[str, object] = {"by": how, "session_id": session.id}
        await record_person(context, tx, acting(user, caller), Action.USER_SIGNED_IN, user.id, data)
    return SignedIn(session, cookie, user)


async def find_session(
    context: Context, tx: Transaction, cookie: Secret, *, complete: bool
) -> tuple[WebSession, User]:
    """The live session of a cookie, and whose it is.

    Raises:
        Refused: it is unknown, has ended or expired, or is (not) complete; the account is disabled.
    """
    session = await tx.sessions.by_digest(digest(cookie.reveal()))
    idle = context.installation.session_idle_hours * HOUR_US
    live = session is not None and session.live(context.clock.now(), idle)
    user = await tx.accounts.user(session.user_id) if session is not None and live else None
    if session is None or user is None or session.complete is not complete:
        raise Refused("You are not signed in, or not any more.", code="session_ended")
    if (await tx.people.sign_in_data(user.id)).disabled_at:
        raise Refused("This account is disabled.", code="user_disabled")
    return session, user


async def escalate_session(context: Context, tx: Transaction, visitor: Visitor, caller: Caller) -> bool:
    """Note a fresh proof, inside a unit of work; False if the session has ended."""
    if not await tx.sessions.escalate(visitor.session.id, context.clock.now()):
        return False
    by = acting(visitor.user, caller)
    await record_person(context, tx, by, Action.USER_STEPPED_UP, visitor.user.id)
    return True


def require_escalated(visitor: Visitor, now: int) -> None:
    """Require a proof of the last five minutes, before what is hard to undo or shows a secret.

    Raises:
        Refused: there is none; ask for it and go on with a step-up.
    """
    if not visitor.session.escalated(now):
        raise Refused(
            f"Confirm that it is you: this needs a proof of the last {ESCALATED_US // MINUTE_US} minutes.",
            code="step_up_required",
            status=403,
        )
