"""The second factor: time-based one-time passwords, recovery codes, and who must have one."""

from watchword.domain.errors import Forbidden
from watchword.domain.ids import UserId
from watchword.domain.people import SignInData
from watchword.domain.securitypolicy import SecurityPolicy
from watchword.store.base import Transaction


async def has_second_factor(tx: Transaction, user_id: UserId) -> bool:
    """Whether a person has a confirmed second factor."""
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
