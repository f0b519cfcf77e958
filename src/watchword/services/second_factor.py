"""The second factor: time-based one-time passwords, recovery codes, and who must have one.

A passkey is one too (`services.passkeys`): who has one is not let in by the password alone.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace

from watchword.crypto.sealing import seal, unseal
from watchword.crypto.totp import make_secret, matching_step, provisioning_uri
from watchword.crypto.values import Secret
from watchword.domain.accounts import Role, User
from watchword.domain.errors import Conflict, Forbidden, Invalid
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.people import RECOVERY_CODES, RecoveryCode, SignInData
from watchword.domain.securitypolicy import SecurityPolicy
from watchword.services.context import Caller, Context
from watchword.store.base import Transaction

ISSUER = "Watchword"
# Without letters and digits that are taken for one another: 50 bits, throttled, once each.
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app is told, once; the factor counts when a code of it was typed."""

    secret: Secret
    uri: Secret


async def has_second_factor(tx: Transaction, user_id: UserId) -> bool:
    """Whether a person has a second factor: a confirmed app, or a passkey."""
    return (await tx.people.sign_in_data(user_id)).second_factor


def require_person(policy: SecurityPolicy, data: SignInData) -> None:
    """Require that a person may act in an organization.

    Raises:
        Forbidden: the account is disabled, or lacks the second factor that the organization asks for.
    """
    if data.disabled_at:
        raise Forbidden(
            "This account is disabled. Whoever runs this server can enable it: watchword admin user enable",
            code="user_disabled",
        )
    if policy.require_two_factor and not data.second_factor:
        raise Forbidden(
            "This organization requires a second factor. Set one up for your account and try again.",
            code="two_factor_required",
        )


async def enrol(context: Context, tx: Transaction, user: User) -> Enrolment:
    """Make a secret for a person's app, inside a unit of work; one that waits for its first code is replaced.

    Raises:
        Conflict: the person has an app; it is turned off first.
    """
    data = await tx.people.sign_in_data(user.id)
    if data.totp:
        raise Conflict("There is an authenticator app already; turn it off first.", code="two_factor_enabled")
    secret = make_secret()
    sealed = seal(context.keys, secret.reveal().encode(), _bound_to(user.id))
    await tx.people.save_sign_in_data(replace(data, totp_secret=sealed, totp_last_step=0))
    return Enrolment(secret, provisioning_uri(secret, user.email, ISSUER))


async def pending(context: Context, tx: Transaction, user: User) -> Enrolment:
    """The app that waits for its first code.

    Raises:
        Conflict: none waits.
    """
    data = await tx.people.sign_in_data(user.id)
    opened = None if data.totp else unseal(context.keys, data.totp_secret, _bound_to(user.id))
    if opened is None:
        raise Conflict("There is no second factor that waits for a code.", code="two_factor_not_pending")
    secret = Secret(opened.decode())
    return Enrolment(secret, provisioning_uri(secret, user.email, ISSUER))


async def confirm(context: Context, tx: Transaction, caller: Caller, user: User, code: str) -> list[Secret]:
    """Turn the app on with a first code of it; fresh recovery codes, shown once.

    Raises:
        Conflict: nothing waits to be confirmed.
        Invalid: the code does not fit.
    """
    data = await tx.people.sign_in_data(user.id)
    if data.totp or not data.totp_secret:
        raise Conflict("There is no second factor that waits for a code.", code="two_factor_not_pending")
    step = await _step(context, data, code)
    if not step or not await tx.people.take_totp_step(user.id, step):
        raise Invalid("The code does not fit; is the clock of your device right?", code="code_invalid")
    now = context.clock.now()
    await tx.people.save_sign_in_data(replace(data, totp_confirmed_at=now, totp_last_step=step))
    await _record(context, tx, caller, Action.USER_TOTP_ENABLED, user.id)
    return await make_recovery_codes(context, tx, caller, user.id)


async def disable(context: Context, tx: Transaction, caller: Caller, user_id: UserId) -> bool:
    """Turn every second factor off: app, passkeys and recovery codes; False if there was none."""
    had_app = await disable_app(context, tx, caller, user_id)
    had_passkeys = await tx.proofs.remove_passkeys(user_id)
    if had_passkeys:
        await _record(context, tx, caller, Action.USER_PASSKEY_REMOVED, user_id, {"count": had_passkeys})
    await count_passkeys(tx, user_id)
    return had_app or had_passkeys > 0


async def disable_app(context: Context, tx: Transaction, caller: Caller, user_id: UserId) -> bool:
    """Turn the app off, and drop the recovery codes where no passkey is left; False if there was none."""
    data = await tx.people.sign_in_data(user_id)
    after = replace(data, totp_secret=b"", totp_confirmed_at=0, totp_last_step=0)
    await tx.people.save_sign_in_data(after)
    if not after.second_factor:
        await tx.people.replace_recovery_codes(user_id, [])
    if data.totp:
        await _record(context, tx, caller, Action.USER_TOTP_DISABLED, user_id)
    return data.totp


async def count_passkeys(tx: Transaction, user_id: UserId) -> None:
    """Note how many passkeys a person has; recovery codes go with the last second factor."""
    data = await tx.people.sign_in_data(user_id)
    after = replace(data, passkeys=len(await tx.proofs.passkeys(user_id)))
    await tx.people.save_sign_in_data(after)
    if not after.second_factor:
        await tx.people.replace_recovery_codes(user_id, [])


async def make_recovery_codes(
    context: Context, tx: Transaction, caller: Caller, user_id: UserId
) -> list[Secret]:
    """Fresh recovery codes, shown once; former ones are dead.

    Raises:
        Conflict: the person has no second factor that they could stand for.
    """
    if not await has_second_factor(tx, user_id):
        raise Conflict("There is no second factor to recover.", code="two_factor_missing")
    codes = [Secret(_code()) for _ in range(RECOVERY_CODES)]
    now = context.clock.now()
    rows = [RecoveryCode(user_id, _digest(code.reveal()), now) for code in codes]
    await tx.people.replace_recovery_codes(user_id, rows)
    await _record(context, tx, caller, Action.USER_RECOVERY_CODES_MADE, user_id)
    return codes


def _code() -> str:
    text = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return f"{text[: _LENGTH // 2]}-{text[_LENGTH // 2 :]}"


def _digest(code: str) -> bytes:
    plain = "".join(each for each in code.lower() if each in _LETTERS)
    return hashlib.sha256(b"recovery code\0" + plain.encode()).digest()


async def take_code(context: Context, tx: Transaction, user_id: UserId, code: str) -> str:
    """Use up a code of the app, or a recovery code; how the person proved themselves, "" if they did not."""
    data = await tx.people.sign_in_data(user_id)
    if not data.second_factor:
        return ""
    step = await _step(context, data, code) if data.totp else 0
    if step and await tx.people.take_totp_step(user_id, step):
        return "totp"
    if await tx.people.take_recovery_code(user_id, _digest(code), context.clock.now()):
        return "recovery code"
    return ""


async def _step(context: Context, data: SignInData, code: str) -> int:
    opened = unseal(context.keys, data.totp_secret, _bound_to(data.user_id))
    if opened is None:
        return 0
    return matching_step(Secret(opened.decode()), code, context.clock.now(), data.totp_last_step)


def _bound_to(user_id: UserId) -> str:
    return f"totp:{user_id}"


async def _record(
    context: Context,
    tx: Transaction,
    caller: Caller,
    action: Action,
    user_id: UserId,
    data: dict[str, object] | None = None,
) -> None:
    for member in await tx.people.memberships(user_id):
        await context.record(tx, caller, action, member.organization_id, ("user", user_id), data)


async def require_two_factor(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    by: UserId | None,
    *,
    required: bool,
) -> int:
    """Ask a second factor of every member of an organization, or no longer.

    Args:
        context: the ground.
        tx: the unit of work.
        caller: who asks.
        organization_id: whose members.
        by: the administrator; None for whoever runs the host.
        required: whether it is asked for.

    Returns:
        How many members are kept out until they have one.

    Raises:
        Conflict: the administrator has none and would lock themselves out; or, from the host, no
            administrator has one.
    """
    members = await tx.people.members(organization_id)
    having = {one.user_id for one in members if await has_second_factor(tx, one.user_id)}
    if required:
        admins = {one.user_id for one in members if one.role is Role.ADMIN}
        if not ({by} if by is not None else admins) & having:
            raise Conflict(
                "Set up a second factor for your own account first, or you would lock yourself out.",
                code="two_factor_missing",
            )
    policy = await tx.policies.policy(organization_id)
    now = context.clock.now()
    await tx.policies.save(replace(policy, require_two_factor=required, updated_at=now, updated_by=by))
    await context.record(
        tx,
        caller,
        Action.ORGANIZATION_SECURITY_UPDATED,
        organization_id,
        ("organization", organization_id),
        {"require_two_factor": required},
    )
    return len(members) - len(having) if required else 0
