"""Applications that exchange assertions: made, found, changed, deleted with their tokens."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchword.domain.destinations import parse_target
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.exchanges import DEFAULT_TTL_S, MAX_TTL_S, MIN_TTL_S, ExchangeApplication
from watchword.domain.ids import ResourceId, is_uuid
from watchword.domain.restrictions import parse_networks
from watchword.domain.scopes import canonical
from watchword.services.access import Access
from watchword.services.accounts import check_name
from watchword.services.context import Context
from watchword.services.keysets import read_key_set
from watchword.services.revoking import revoke
from watchword.store.base import EVERYTHING, Page, Transaction

MAX_DESCRIPTION = 1024
MAX_APPLICATIONS = 100
_CLIENT_BYTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRequest:
    """What an administrator asks of an application; networks are blocks separated by spaces."""

    name: str
    description: str = ""
    jwks_url: str = ""
    jwks: str = ""
    grantable: Sequence[str] = ()
    defaults: Sequence[str] = ()
    exchange_networks: str = ""
    use_networks: str = ""
    max_ttl: int = DEFAULT_TTL_S
    require_jti: bool = False
    enabled: bool = True


async def find_exchange(tx: Transaction, access: Access, text: str) -> ExchangeApplication:
    """An application of an organization by the id in a path.

    Raises:
        NotFound: there is none, or not here.
    """
    found = await tx.exchanges.find(access.id, ResourceId(text.lower())) if is_uuid(text) else None
    if found is None:
        raise NotFound("No token exchange application found")
    return found


async def exchanges_of(tx: Transaction, access: Access, page: Page) -> list[ExchangeApplication]:
    """An organization's applications, oldest first."""
    return list(await tx.exchanges.list(access.id, page))


async def create_exchange(
    context: Context, tx: Transaction, access: Access, asked: ExchangeRequest
) -> ExchangeApplication:
    """Register an application, inside a unit of work.

    Raises:
        Invalid: something of it is not acceptable.
        Conflict: there are too many.
    """
    if len(await tx.exchanges.list(access.id, Page(MAX_APPLICATIONS))) >= MAX_APPLICATIONS:
        raise Conflict(
            f"An organization has at most {MAX_APPLICATIONS} token exchange applications.",
            code="too_many_applications",
        )
    now = context.clock.now()
    blank = ExchangeApplication(
        access.id,
        ResourceId(context.new_id()),
        secrets.token_hex(_CLIENT_BYTES),
        *("",) * 8,
        max_ttl=0,
        require_jti=False,
        enabled=True,
        created_at=now,
        created_by=access.user.id,
        updated_at=now,
    )
    made = _checked(context, blank, asked)
    await tx.exchanges.add(made)
    await _record(context, tx, access, Action.EXCHANGE_APPLICATION_CREATED, made)
    return made


async def update_exchange(
    context: Context, tx: Transaction, access: Access, known: ExchangeApplication, asked: ExchangeRequest
) -> ExchangeApplication:
    """Change an application, inside a unit of work. Its tokens stay as they were made.

    Raises:
        Invalid: something of it is not acceptable.
        Conflict: it was deleted meanwhile.
    """
    changed = _checked(context, replace(known, updated_at=context.clock.now()), asked)
    if not await tx.exchanges.save(changed):
        raise Conflict("This application was deleted meanwhile.", code="changed_meanwhile")
    await _record(context, tx, access, Action.EXCHANGE_APPLICATION_UPDATED, changed)
    return changed


async def delete_exchange(
    context: Context, tx: Transaction, access: Access, known: ExchangeApplication
) -> int:
    """Delete an application and revoke its tokens, inside a unit of work; how many these were."""
    if not await tx.exchanges.save(replace(known, ended_at=context.clock.now())):
        return 0
    tokens = await tx.tokens.of_resource(access.id, known.id, EVERYTHING, active=True)
    for token in tokens:
        await revoke(context, tx, access.caller, token, access.user.id, "application deleted")
    await _record(context, tx, access, Action.EXCHANGE_APPLICATION_DELETED, known)
    return len(tokens)


def request_of(known: ExchangeApplication) -> ExchangeRequest:
    """An application as it is, to be changed in parts."""
    return ExchangeRequest(
        name=known.name,
        description=known.description,
        jwks_url=known.jwks_url,
        jwks=known.jwks,
        grantable=known.grantable.split(),
        defaults=known.defaults.split(),
        exchange_networks=known.exchange_networks,
        use_networks=known.use_networks,
        max_ttl=known.max_ttl,
        require_jti=known.require_jti,
        enabled=known.enabled,
    )


def _checked(context: Context, known: ExchangeApplication, asked: ExchangeRequest) -> ExchangeApplication:
    if len(asked.description) > MAX_DESCRIPTION:
        raise _invalid(f"Description takes at most {MAX_DESCRIPTION} characters", "invalid_description")
    if bool(asked.jwks) == bool(asked.jwks_url):
        raise _invalid("Give either jwks or jwks_url", "invalid_jwks")
    if asked.jwks:
        read_key_set(asked.jwks, named=True)
    else:
        parse_target(asked.jwks_url, context.installation.reach)
    if not MIN_TTL_S <= asked.max_ttl <= MAX_TTL_S:
        raise _invalid(f"Maximum TTL takes {MIN_TTL_S} to {MAX_TTL_S} seconds", "out_of_range")
    try:
        grantable, defaults = canonical(asked.grantable), canonical(asked.defaults)
    except ValueError as error:
        raise _invalid(str(error), "unknown_scope") from None
    if not grantable:
        raise _invalid("Grantable scopes can't be blank", "invalid_scopes")
    if not frozenset(defaults) <= frozenset(grantable):
        raise _invalid("Default scopes are some of the grantable ones", "invalid_scopes")
    return replace(
        known,
        name=check_name(asked.name),
        description=asked.description,
        jwks_url=asked.jwks_url,
        jwks=asked.jwks,
        grantable=" ".join(sorted(grantable)),
        defaults=" ".join(sorted(defaults)),
        exchange_networks=" ".join(block.text for block in parse_networks(asked.exchange_networks)),
        use_networks=" ".join(block.text for block in parse_networks(asked.use_networks)),
        max_ttl=asked.max_ttl,
        require_jti=asked.require_jti,
        enabled=asked.enabled,
    )


def _invalid(what: str, code: str) -> Invalid:
    return Invalid(f"Validation failed: {what}", code=code)


async def _record(
    context: Context, tx: Transaction, access: Access, action: Action, known: ExchangeApplication
) -> None:
    data = {
        "name": known.name,
        "client_id": known.client_id,
        "grantable": known.grantable,
        "defaults": known.defaults,
        "keys": known.jwks_url or "pinned",
        "exchange_networks": known.exchange_networks,
        "use_networks": known.use_networks,
        "maximum_ttl": known.max_ttl,
        "require_jti": known.require_jti,
        "enabled": known.enabled,
    }
    subject = ("exchange_application", known.id)
    await context.record(tx, access.caller, action, known.organization_id, subject, data)
