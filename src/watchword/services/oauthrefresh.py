"""Renewing: each refresh token is good once, and gives a new one (RFC 6749 §6, 9700 §4.14).

A client whose answer was lost may ask again for half a minute and gets the same answer, as long as it has not
used what that holds. Whatever else shows a used refresh token has found or stolen it: the connection ends.
"""

from dataclasses import dataclass, replace

from watchword.crypto.values import Secret, digest
from watchword.domain.events import Action
from watchword.domain.ids import IncidentId, ResourceId
from watchword.domain.incidents import Incident, IncidentKind, IncidentState, with_address
from watchword.domain.kinds import Kind
from watchword.domain.oauth import OAuthError, OAuthGrant, read_scopes
from watchword.domain.oauthapplications import Application
from watchword.domain.securitypolicy import ReuseResponse
from watchword.domain.tokens import State, Token
from watchword.services.access import user_actor
from watchword.services.attention import tell_incident
from watchword.services.context import LOCAL, Caller, Context
from watchword.services.oauthclients import Credentials, client_in, person_in
from watchword.services.oauthcodes import Outcome, invalid_grant
from watchword.services.oauthends import end_grant_in, end_of_grant_in
from watchword.services.oauthgrants import end_of, issue_in
from watchword.services.oauthreplays import again_in, keep_in
from watchword.store.base import Transaction

_UNKNOWN = "The refresh token is not known, has ended, or belongs to another client."


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a client sends to have its tokens renewed.

    Attributes:
        scope: what the access token is to open; "" for all that was approved.
        refused: why the verifier would not let the refresh token pass, beyond its having been used.
    """

    value: Secret
    scope: str
    refused: str = ""


async def refresh_in(
    context: Context, tx: Transaction, caller: Caller, credentials: Credentials, asked: Renewal
) -> Outcome:
    """Use up a refresh token, inside a unit of work; an error that is returned leaves what it did in place.

    Raises:
        OAuthError: the client is not known, or the scope is none; nothing is changed.
    """
    application = await client_in(tx, credentials, "")
    if asked.refused:
        return invalid_grant(_UNKNOWN)
    value, scope = asked.value, asked.scope
    token = await tx.tokens.by_digest(digest(value.reveal()))
    if token is None or token.kind is not Kind.OAUTH_REFRESH:
        return invalid_grant(_UNKNOWN)
    grant = await tx.oauth.grant(token.organization_id, ResourceId(token.resource_id or ""))
    if grant is None or grant.client_id != application.client_id:
        return invalid_grant(_UNKNOWN)
    if token.state is State.SUPERSEDED:
        return await _again_in(context, tx, caller, grant, token, scope)
    now = context.clock.now()
    if token.state_at(now) is not State.ACTIVE or grant.ended_at or grant.refresh_id != token.id:
        return invalid_grant(_UNKNOWN)
    return await _renew_in(context, tx, caller, application, grant, token, scope)


async def _renew_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    application: Application,
    grant: OAuthGrant,
    token: Token,
    scope: str,
) -> Outcome:
    now, home = context.clock.now(), grant.organization_id
    user = await tx.accounts.user(grant.user_id)
    if user is None or not await person_in(tx, home, grant.user_id):
        return invalid_grant("The person does not belong to the organization any more.")
    end = end_of(await tx.policies.policy(home), grant)
    if not application.refresh or (end and end <= now):
        return invalid_grant("The connection has to be made anew.")
    scopes = application.open_scopes(frozenset(grant.scopes.split()))
    if scope:
        asked = read_scopes(scope)
        if not asked <= scopes:
            return OAuthError("invalid_scope", "The person did not approve that much.")
        scopes = asked
    if not scopes:
        return invalid_grant("The application may have nothing of what was approved any more.")
    if not await end_of_grant_in(context, tx, home, token.id, State.SUPERSEDED, user.id, "refreshed"):
        return await _again_in(context, tx, caller, grant, token, scope)
    if grant.access_id is not None:
        await end_of_grant_in(context, tx, home, grant.access_id, State.REVOKED, user.id, "refreshed")
    pair = await issue_in(context, tx, application, grant, scopes, token.id)
    if pair.refresh is None or not await tx.oauth.renew_grant(
        home, grant.id, token.id, pair.access.id, pair.refresh.id, now
    ):
        raise invalid_grant(_UNKNOWN)  # the unit is undone: nobody else can have taken the live token's place
    await keep_in(context, tx, home, token.id, f"{grant.client_id} {scope}", pair.answer)
    named = replace(caller, actor=user_actor(user))
    data = {"client_id": grant.client_id, "name": grant.name, "scopes": pair.answer.scope}
    subject = ("oauth_grant", grant.id)
    await context.record(tx, named, Action.OAUTH_GRANT_REFRESHED, home, subject, data)
    return pair.answer


async def _again_in(
    context: Context, tx: Transaction, caller: Caller, grant: OAuthGrant, token: Token, scope: str
) -> Outcome:
    """A used refresh token is shown: by a client that lost the answer, or by whoever found it."""
    home = grant.organization_id
    if grant.ended_at:
        return invalid_grant(_UNKNOWN)
    live = await tx.tokens.find(home, grant.refresh_id) if grant.refresh_id is not None else None
    if live is not None and live.parent_id == token.id and await person_in(tx, home, grant.user_id):
        answer = await again_in(context, tx, home, token.id, f"{grant.client_id} {scope}")
        if answer is not None:
            return answer
    await end_grant_in(context, tx, caller, grant, None, "a used refresh token was shown again")
    await _alarm_in(context, tx, token, caller.address)
    return invalid_grant("The refresh token was used before; the connection is revoked.")


async def _alarm_in(context: Context, tx: Transaction, token: Token, address: str | None) -> None:
    """Open an incident for people to look at; the connection is over, so that nothing is to be held back."""
    now = context.clock.now()
    incident = Incident(
        organization_id=token.organization_id,
        id=IncidentId(context.new_id()),
        kind=IncidentKind.REUSE,
        state=IncidentState.OPEN,
        token_id=token.id,
        agent_id=None,
        response=ReuseResponse.ALARM,
        shared=False,
        held=(),
        addresses=with_address((), address or ""),
        count=1,
        first_at=now,
        last_at=now,
    )
    await tx.incidents.add(incident)
    await tell_incident(context, tx, incident)
    details = {
        "kind": incident.kind.value,
        "token_id": token.id,
        "agent_id": None,
        "addresses": incident.addresses,
        "response": incident.response.value,
        "held": (),
    }
    subject = ("incident", incident.id)
    caller = replace(LOCAL, address=address)
    await context.record(tx, caller, Action.INCIDENT_OPENED, token.organization_id, subject, details)
