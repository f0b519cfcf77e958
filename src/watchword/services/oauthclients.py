"""Clients of OAuth: how one says who it is, whether that is so, and what it may ask for (RFC 6749 §2.3)."""

import hmac
from dataclasses import dataclass

from watchword.crypto.values import Secret, digest
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.oauth import OAuthError
from watchword.domain.oauthapplications import BUILT_IN, Application, is_client_id
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a client says that it is.

    Attributes:
        client_id: "" where it does not say.
        secret: what it shows besides; None for public clients.
        basic: whether it came by HTTP Basic, so that a refusal carries a challenge.
    """

    client_id: str
    secret: Secret | None = None
    basic: bool = False


async def find_client_in(tx: Transaction, client_id: str) -> Application | None:
    """An application by its client id, built in or registered."""
    if not is_client_id(client_id):
        return None
    return BUILT_IN.get(client_id) or await tx.oauth.application_by_client(client_id)


async def client_in(tx: Transaction, credentials: Credentials, flow: str) -> Application:
    """The application that asks, which proved that and may use a grant type; "" asks for none.

    Unknown applications and wrong secrets answer alike.

    Raises:
        OAuthError: there is none, its secret is wrong, or it may not use the grant type.
    """
    application = await find_client_in(tx, credentials.client_id)
    if application is None or not _proves(application, credentials.secret):
        raise OAuthError(
            "invalid_client",
            "The client is not known, or its secret is wrong.",
            challenge=credentials.basic,
        )
    if flow and flow not in application.flows:
        raise OAuthError("unauthorized_client", "The application may not use this grant type.")
    return application


def _proves(application: Application, secret: Secret | None) -> bool:
    if not application.confidential:
        return secret is None
    return secret is not None and hmac.compare_digest(digest(secret.reveal()), application.secret_digest)


async def person_in(tx: Transaction, organization_id: OrganizationId, user_id: UserId) -> bool:
    """Whether somebody still belongs to the organization and may act."""
    if await tx.accounts.member(organization_id, user_id) is None:
        return False
    return not (await tx.people.sign_in_data(user_id)).disabled_at
