"""Consent: what an application asks of a person in the browser, and the code that an approval gives it.

RFC 6749 §4.1, 7636, 9207. Nothing is sent to an address before it is known to be the application's.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authlib.common.urls import add_params_to_uri

from watchword.crypto.values import Secret, digest
from watchword.domain.accounts import Organization, User
from watchword.domain.errors import NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ResourceId
from watchword.domain.oauth import (
    AUTHORIZATION_CODE,
    CODE_US,
    AuthorizationCode,
    OAuthError,
    check_challenge,
    read_scopes,
    within_standing,
)
from watchword.domain.oauthapplications import Application
from watchword.services.access import Access, belonging
from watchword.services.apitokens import require_creation
from watchword.services.context import Context
from watchword.services.oauthclients import find_client_in
from watchword.store.base import Transaction

_CODE_BYTES = 32
_MAX_STATE = 2000


class Returned(OAuthError):
    """A refusal that the application hears of itself: the browser is sent back with it (RFC 6749 §4.1.2.1).

    Attributes:
        redirect_uri: an address of the application's.
        state: what it sent, unchanged.
    """

    def __init__(self, code: str, message: str, redirect_uri: str, state: str) -> None:
        super().__init__(code, message)
        self.redirect_uri = redirect_uri
        self.state = state


@dataclass(frozen=True, slots=True)
class Asked:
    """What an application asks for.

    Attributes:
        scopes: what it asks for and may have at all.
        organization: slug or id of the organization that it names; "" where the person picks one.
    """

    application: Application
    redirect_uri: str
    state: str
    scopes: frozenset[str]
    challenge: str
    organization: str


async def read_in(tx: Transaction, given: Mapping[str, Sequence[str]]) -> Asked:
    """Read a request for authorization.

    Raises:
        OAuthError: the application or its address is not known; the person is told, nobody is sent anywhere.
        Returned: all else that is wrong; the application is told.
    """
    application = await _application_in(tx, given)
    redirect_uri = _redirect_uri(application, given.get("redirect_uri", ()))
    state = _one(given, "state") or ""
    if len(state) > _MAX_STATE or not _is_state(state):
        raise Returned("invalid_request", "The state takes 2000 visible characters.", redirect_uri, "")
    if any(len(values) > 1 for values in given.values()):
        raise Returned("invalid_request", "A parameter comes twice.", redirect_uri, state)
    try:
        return _rest(application, given, redirect_uri, state)
    except OAuthError as error:
        raise Returned(error.code, error.message, redirect_uri, state) from None


def _is_state(state: str) -> bool:
    return all(" " <= each <= "~" for each in state)


def _rest(
    application: Application, given: Mapping[str, Sequence[str]], redirect_uri: str, state: str
) -> Asked:
    if (_one(given, "response_type") or "") != "code":
        raise OAuthError("unsupported_response_type", "The response_type is code.")
    if AUTHORIZATION_CODE not in application.flows:
        raise OAuthError("unauthorized_client", "The application may not use this grant type.")
    challenge = check_challenge(
        _one(given, "code_challenge") or "",
        _one(given, "code_challenge_method") or "",
        required=not application.confidential,
    )
    scopes = application.open_scopes(read_scopes(_one(given, "scope") or ""))
    if not scopes:
        raise OAuthError("invalid_scope", "The application may have none of these scopes.")
    organization = _one(given, "organization") or _one(given, "organization_uuid") or ""
    return Asked(application, redirect_uri, state, scopes, challenge, organization)


async def _application_in(tx: Transaction, given: Mapping[str, Sequence[str]]) -> Application:
    named = given.get("client_id", ())
    found = await find_client_in(tx, named[0]) if len(named) == 1 else None
    if found is None:
        raise OAuthError("invalid_client", "No application with this client_id is known here.")
    return found


def _redirect_uri(application: Application, named: Sequence[str]) -> str:
    if len(named) != 1 or not application.redirects_to(named[0]):
        raise OAuthError(
            "invalid_request",
            "The redirect_uri is none of those that were registered for this application.",
        )
    return named[0]


def _one(given: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = given.get(name, ())
    return values[0] if values else None


async def choices_in(tx: Transaction, user: User, application: Application) -> list[Organization]:
    """Organizations that a person may let an application into: its own, or all where it is built in."""
    return [
        organization
        for organization, _ in await belonging(tx, user)
        if application.built_in or organization.id == application.organization_id
    ]


def allowed_scopes(access: Access, application: Application, scopes: frozenset[str]) -> frozenset[str]:
    """What an application is given: what it asks for, may have, and the person has (contract §5.5).

    Raises:
        NotFound: the application belongs to another organization.
        Forbidden: the organization lets administrators alone make access tokens.
        OAuthError: nothing remains.
    """
    if not application.built_in and application.organization_id != access.id:
        raise NotFound("No organization found")
    require_creation(access)
    granted = within_standing(application.open_scopes(scopes), access.standing)
    if not granted:
        raise OAuthError("invalid_scope", "You have none of these permissions in this organization yourself.")
    return granted


async def approve_in(context: Context, tx: Transaction, access: Access, asked: Asked) -> str:
    """Let the application in; where the browser goes then, with a code that is good once and for a minute.

    Raises:
        NotFound: the application belongs to another organization.
        Forbidden: the organization lets administrators alone make access tokens.
        OAuthError: the person has none of the permissions.
    """
    application, now = asked.application, context.clock.now()
    granted = allowed_scopes(access, application, asked.scopes)
    code = Secret(secrets.token_urlsafe(_CODE_BYTES))
    made = AuthorizationCode(
        digest=digest(code.reveal()),
        organization_id=access.id,
        user_id=access.user.id,
        client_id=application.client_id,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        scopes=" ".join(sorted(granted)),
        grant_id=ResourceId(context.new_id()),
        address=access.caller.address or "",
        user_agent=access.caller.user_agent,
        created_at=now,
        expires_at=now + CODE_US,
    )
    await tx.oauth.add_code(made)
    await approved_in(context, tx, access, application, made.grant_id, made.scopes, AUTHORIZATION_CODE)
    return back(context, asked.redirect_uri, asked.state, code=code.reveal())


async def approved_in(
    context: Context,
    tx: Transaction,
    access: Access,
    application: Application,
    grant_id: ResourceId,
    scopes: str,
    flow: str,
) -> None:
    """Record an approval in the organization's trail."""
    data = {"client_id": application.client_id, "name": application.name, "scopes": scopes, "flow": flow}
    subject = ("oauth_grant", grant_id)
    await context.record(tx, access.caller, Action.OAUTH_GRANT_APPROVED, access.id, subject, data)


def back(context: Context, redirect_uri: str, state: str, **more: str) -> str:
    """The application's address with an answer; `iss` says whose answer it is (RFC 9207)."""
    pairs = [*more.items(), *([("state", state)] if state else []), ("iss", context.installation.url)]
    return str(add_params_to_uri(redirect_uri, pairs))


def refusal_url(context: Context, error: Returned) -> str:
    """Where the browser goes with a refusal."""
    words = {"error": error.code, "error_description": error.message}
    return back(context, error.redirect_uri, error.state, **words)
