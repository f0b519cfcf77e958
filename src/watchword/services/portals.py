"""Portals: made, changed, deleted; steps of units of work (`…_in`). Whoever calls has checked the right."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from watchword.domain.errors import Conflict, NotFound, Unavailable
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, ResourceId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.portals import Portal, StoredOperation, check_portal, slug_of
from watchword.services.context import Caller, Context
from watchword.services.issuing import Issued
from watchword.services.portaldocuments import Documents
from watchword.services.portaltokens import create_service_token_in
from watchword.services.revoking import revoke
from watchword.store.base import Duplicate, Page, Transaction

FIRST_TOKEN = "made with the portal"  # noqa: S105 - a description
_MISSING = "No portal found"


@dataclass(frozen=True, slots=True)
class PortalRequest:
    """What a caller asks of a new portal; an empty slug means one made of the name."""

    name: str
    query: str
    slug: str = ""
    description: str = ""
    allowed_networks: str = ""
    user_invokable: bool = False


_REQUESTED = frozenset(field.name for field in fields(PortalRequest))


@dataclass(slots=True)
class PortalDesk:
    """Makes, changes and deletes portals.

    Attributes:
        documents: reads and runs what they hold; set by the composition root.
    """

    context: Context
    documents: Documents | None = None

    @property
    def reader(self) -> Documents:
        """What reads and runs documents.

        Raises:
            Unavailable: the composition root set none.
        """
        if self.documents is None:
            raise Unavailable("Portals are not served here.", code="portals_unavailable")
        return self.documents

    def outline(self, portal: Portal) -> tuple[StoredOperation, ...]:
        """The operations of a portal.

        Raises:
            Invalid: the schema has changed since it was stored, and it does not fit any more.
        """
        return self.reader.outline(portal.query)

    async def create_in(
        self,
        tx: Transaction,
        caller: Caller,
        organization_id: OrganizationId,
        asked: PortalRequest,
        by: UserId | None,
    ) -> tuple[Portal, Issued]:
        """Make a portal with its first service token.

        Raises:
            Invalid: a word of it, or its document, is not acceptable.
            Conflict: the slug is taken.
        """
        now = self.context.clock.now()
        portal = check_portal(
            Portal(
                organization_id=organization_id,
                id=ResourceId(self.context.new_id()),
                slug=asked.slug or slug_of(asked.name),
                name=asked.name,
                description=asked.description,
                query=asked.query,
                allowed_networks=asked.allowed_networks,
                user_invokable=asked.user_invokable,
                created_at=now,
                created_by=by,
                updated_at=now,
            )
        )
        self.reader.outline(portal.query)
        try:
            await tx.portals.add(portal)
        except Duplicate:
            raise _taken(portal.slug) from None
        await self._record(tx, caller, Action.PORTAL_CREATED, portal, _told(portal))
        issued = await create_service_token_in(self.context, tx, caller, portal, FIRST_TOKEN, by)
        return portal, issued

    async def update_in(
        self,
        tx: Transaction,
        caller: Caller,
        portal: Portal,
        changes: Mapping[str, object],
        by: UserId | None,
    ) -> Portal:
        """Change a portal; what is not named stays. Its tokens run the new document from the next call on.

        Switching `user_invokable` off ends what members were given, and every open code.

        Args:
            tx: the unit of work.
            caller: who asks.
            portal: as it is.
            changes: fields of `PortalRequest`.
            by: the person who asks.

        Raises:
            Invalid: a word of it, or its document, is not acceptable.
            Conflict: the slug is taken.
            NotFound: it was deleted meanwhile.
        """
        wanted = {name: value for name, value in changes.items() if name in _REQUESTED}
        changed = check_portal(replace(portal, **wanted))  # type: ignore[arg-type] # the names are its fields
        if changed == portal:
            return portal
        if changed.query != portal.query:
            self.reader.outline(changed.query)
        await _hold(tx, portal)
        changed = replace(changed, updated_at=self.context.clock.now())
        try:
            await tx.portals.save(changed)
        except Duplicate:
            raise _taken(changed.slug) from None
        ended = 0
        if portal.user_invokable and not changed.user_invokable:
            ended = await self._end_in(tx, caller, portal, by, "no longer invokable by users", user=True)
            await tx.portals.drop_codes(portal.organization_id, portal.id)
        said = {name: getattr(changed, name) for name in wanted if _differs(portal, changed, name)}
        await self._record(tx, caller, Action.PORTAL_UPDATED, changed, {**said, "ended_tokens": ended})
        return changed

    async def delete_in(self, tx: Transaction, caller: Caller, portal: Portal, by: UserId | None) -> int:
        """Delete a portal with its codes, and end every token and secret of it; how many these were.

        Raises:
            NotFound: it was deleted meanwhile.
        """
        await _hold(tx, portal)
        ended = await self._end_in(tx, caller, portal, by, "portal deleted")
        if not await tx.portals.delete(portal.organization_id, portal.id):
            raise NotFound(_MISSING)
        await self._record(
            tx, caller, Action.PORTAL_DELETED, portal, {**_told(portal), "ended_tokens": ended}
        )
        return ended

    async def _end_in(
        self,
        tx: Transaction,
        caller: Caller,
        portal: Portal,
        by: UserId | None,
        reason: str,
        *,
        user: bool = False,
    ) -> int:
        """End the portal's live tokens, or only those that members were given."""
        live = await tx.portals.live_tokens(portal.organization_id, portal.id, self.context.clock.now())
        chosen = [token for token in live if not user or token.kind is Kind.PORTAL_USER]
        for token in chosen:
            await revoke(self.context, tx, caller, token, by, reason)
        return len(chosen)

    async def _record(
        self,
        tx: Transaction,
        caller: Caller,
        action: Action,
        portal: Portal,
        data: Mapping[str, object],
    ) -> None:
        subject = ("portal", portal.id)
        await self.context.record(tx, caller, action, portal.organization_id, subject, data)


async def find_portal(tx: Transaction, organization_id: OrganizationId, slug: str) -> Portal:
    """A portal by its slug.

    Raises:
        NotFound: there is none.
    """
    found = await tx.portals.by_slug(organization_id, slug)
    if found is None:
        raise NotFound(_MISSING)
    return found


async def portals_of(tx: Transaction, organization_id: OrganizationId, page: Page) -> list[Portal]:
    """Portals, oldest first."""
    return list(await tx.portals.list(organization_id, page))


async def _hold(tx: Transaction, portal: Portal) -> None:
    if not await tx.portals.hold(portal.organization_id, portal.id):
        raise NotFound(_MISSING)


def _told(portal: Portal) -> dict[str, object]:
    return {
        "slug": portal.slug,
        "name": portal.name,
        "query": portal.query,
        "allowed_networks": portal.allowed_networks,
        "user_invokable": portal.user_invokable,
    }


def _differs(before: Portal, after: Portal, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))


def _taken(slug: str) -> Conflict:
    return Conflict(f"Validation failed: Slug {slug} already exists", code="taken")
