"""Package registries: made, changed, deleted; who reaches which (contract rest-graphql §2.13)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchword.domain.accounts import Role, check_color, check_words
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, RegistryId, TeamId, UserId, is_uuid
from watchword.domain.registries import MAX_TEAMS, Registry, check_ecosystem, check_policy, registry_slug
from watchword.services.access import Access
from watchword.services.accounts import check_name
from watchword.services.context import Context
from watchword.services.revoking import revoke
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction

MISSING = "No registry found"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRequest:
    """What a new registry is to be; see `domain.registries.Registry`."""

    name: str
    ecosystem: str
    description: str = ""
    emoji: str = ""
    color: str = ""
    public: bool = False
    oidc_policy: str = ""
    team_ids: Sequence[str] = ()


async def reaches(tx: Transaction, registry: Registry, user_id: UserId, *, admin: bool) -> bool:
    """Whether a member reaches a registry: everybody one without teams, else those in its teams."""
    if admin or not registry.team_ids:
        return True
    places = await tx.teams.places(registry.organization_id, user_id)
    return any(place.team_id in registry.team_ids for place in places)


async def registries_of(tx: Transaction, access: Access, page: Page) -> list[Registry]:
    """Registries that the caller reaches, oldest first."""
    admin = access.standing.admin
    if admin:
        return list(await tx.registries.list(access.id, page))
    found = [
        one
        for one in await tx.registries.list(access.id, EVERYTHING)
        if await reaches(tx, one, access.user.id, admin=admin)
    ]
    return found[page.offset : page.offset + page.limit]


async def registry_named(tx: Transaction, organization_id: OrganizationId, text: str) -> Registry | None:
    """A registry by its slug, or by its id."""
    found = await tx.registries.by_slug(organization_id, text)
    if found is None and is_uuid(text):
        found = await tx.registries.find(organization_id, RegistryId(text.lower()))
    return found


async def find_registry(tx: Transaction, access: Access, text: str) -> Registry:
    """A registry that the caller reaches, by the slug or id in a path.

    Raises:
        NotFound: there is none, or the caller does not reach it.
    """
    found = await registry_named(tx, access.id, text)
    if found is None or not await reaches(tx, found, access.user.id, admin=access.standing.admin):
        raise NotFound(MISSING)
    return found


async def registry_of_member(
    tx: Transaction, organization_id: OrganizationId, text: str, user_id: UserId
) -> Registry:
    """A registry that a person reaches as a member.

    Raises:
        NotFound: there is none, the person is no member or does not reach it.
    """
    member = await tx.accounts.member(organization_id, user_id)
    found = await registry_named(tx, organization_id, text)
    if member is None or found is None:
        raise NotFound(MISSING)
    if not await reaches(tx, found, user_id, admin=member.role is Role.ADMIN):
        raise NotFound(MISSING)
    return found


async def create_registry(
    context: Context, tx: Transaction, access: Access, asked: RegistryRequest
) -> Registry:
    """Create a registry without packages, inside a unit of work.

    Raises:
        Invalid: something of it is not acceptable.
        Conflict: a registry has the name already.
    """
    now = context.clock.now()
    registry = Registry(
        organization_id=access.id,
        id=RegistryId(context.new_id()),
        slug=registry_slug(asked.name),
        name=check_name(asked.name),
        ecosystem=check_ecosystem(asked.ecosystem),
        description=asked.description,
        emoji=asked.emoji,
        color=check_color(asked.color),
        public=asked.public,
        oidc_policy=check_policy(asked.oidc_policy),
        team_ids=await _teams(tx, access.id, asked.team_ids),
        size=0,
        created_at=now,
        created_by=access.user.id,
        updated_at=now,
    )
    check_words(registry.description, registry.emoji)
    try:
        await tx.registries.add(registry)
    except Duplicate:
        raise _taken(registry.name) from None
    await _record(context, tx, access, Action.REGISTRY_CREATED, registry)
    return registry


async def update_registry(
    context: Context, tx: Transaction, access: Access, before: Registry, after: Registry
) -> Registry:
    """Write a changed registry, inside a unit of work; another name makes another slug, and address.

    Raises:
        Invalid: something of it is not acceptable.
        Conflict: a registry has the name already.
    """
    name = check_name(after.name)
    check_words(after.description, after.emoji)
    kept = before.team_ids
    changed = replace(
        after,
        name=name,
        slug=before.slug if name == before.name else registry_slug(name),
        color=check_color(after.color),
        oidc_policy=check_policy(after.oidc_policy),
        team_ids=kept if tuple(after.team_ids) == kept else await _teams(tx, access.id, after.team_ids),
        updated_at=context.clock.now(),
    )
    try:
        await tx.registries.save(changed)
    except Duplicate:
        raise _taken(changed.name) from None
    await _record(context, tx, access, Action.REGISTRY_UPDATED, changed)
    if changed.public != before.public:
        await _record(context, tx, access, Action.REGISTRY_VISIBILITY_CHANGED, changed)
    return changed


async def delete_registry(context: Context, tx: Transaction, access: Access, registry: Registry) -> None:
    """Delete a registry with its packages and revoke its tokens, inside a unit of work.

    The bytes of its files go afterwards (`services.packagefiles.purge`).

    Raises:
        NotFound: it is gone.
    """
    now = context.clock.now()
    for token in await tx.registries.live_tokens(registry.organization_id, registry.id, now):
        await revoke(context, tx, access.caller, token, access.user.id, "registry deleted")
    if not await tx.registries.end(registry.organization_id, registry.id, now):
        raise NotFound(MISSING)
    await _record(context, tx, access, Action.REGISTRY_DELETED, registry)


async def _teams(tx: Transaction, organization_id: OrganizationId, given: Sequence[str]) -> tuple[str, ...]:
    """The teams of these ids, in the order in which they came.

    Raises:
        Invalid: there is no such team, or there are too many.
    """
    found = tuple(dict.fromkeys(one.lower() for one in given))
    if len(found) > MAX_TEAMS:
        raise Invalid(f"Validation failed: A registry has at most {MAX_TEAMS} teams", code="too_many_teams")
    for one in found:
        if not is_uuid(one) or await tx.teams.find(organization_id, TeamId(one)) is None:
            raise Invalid("Validation failed: There is no such team", code="unknown_team")
    return found


async def _record(
    context: Context, tx: Transaction, access: Access, action: Action, registry: Registry
) -> None:
    data = {
        "name": registry.name,
        "slug": registry.slug,
        "ecosystem": registry.ecosystem,
        "public": registry.public,
        "team_ids": list(registry.team_ids),
    }
    subject = ("registry", registry.id)
    await context.record(tx, access.caller, action, registry.organization_id, subject, data)


def _taken(name: str) -> Conflict:
    return Conflict(f"Validation failed: A registry with the name {name!r} already exists", code="taken")
