"""Passkeys, identities at single sign-on and used tickets, in the database."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, insert, or_, select, union_all, update

from watchword.domain.ids import PasskeyId, UserId
from watchword.domain.passkeys import Identity, Passkey
from watchword.store.engine import Connection, Statement, insert_missing
from watchword.store.mapping import Mapper
from watchword.store.tables import users
from watchword.store.tables_proofs import identities, passkeys, used_tickets

PASSKEYS = Mapper(passkeys, Passkey)
IDENTITIES = Mapper(identities, Identity)

_p, _i, _t = passkeys.c, identities.c, used_tickets.c
_OF_PERSON = _p.user_id == bindparam("user_id_")
_ONE = (_OF_PERSON, _p.id == bindparam("id_"))
_SUBJECT = (_i.issuer == bindparam("issuer_"), _i.subject == bindparam("subject_"))

_ADD = Statement(insert(passkeys))
_ALL = Statement(select(*PASSKEYS.columns).where(_OF_PERSON).order_by(_p.id))
_BY_CREDENTIAL = Statement(select(*PASSKEYS.columns).where(_p.credential_id == bindparam("credential_id_")))
_USE = Statement(
    update(passkeys)
    .where(
        *_ONE,
        or_(
            _p.sign_count < bindparam("count_"),
            and_(_p.sign_count == 0, bindparam("count_") == 0),
        ),
    )
    .values(sign_count=bindparam("count_"), last_used_at=bindparam("at_"))
)
_RENAME = Statement(update(passkeys).where(*_ONE).values(name=bindparam("name_")))
_REMOVE = Statement(delete(passkeys).where(*_ONE))
_REMOVE_ALL = Statement(delete(passkeys).where(_OF_PERSON))

_ADD_IDENTITY = Statement(insert(identities))
_IDENTITY = Statement(select(*IDENTITIES.columns).where(*_SUBJECT))
_IDENTITIES = Statement(
    select(*IDENTITIES.columns)
    .where(_i.user_id == bindparam("user_id_"))
    .order_by(_i.created_at, _i.issuer, _i.subject)
)
_USE_IDENTITY = Statement(
    update(identities).where(*_SUBJECT).values(email=bindparam("email_"), last_used_at=bindparam("at_"))
)
_REMOVE_IDENTITY = Statement(delete(identities).where(*_SUBJECT, _i.user_id == bindparam("user_id_")))
_ANYBODY = Statement(
    union_all(
        select(users.c.id).where(users.c.password_hash != ""),
        select(_p.user_id),
        select(_i.user_id),
    ).limit(1)
)
_USE_TICKET = insert_missing(used_tickets)
_FORGET_TICKETS = Statement(delete(used_tickets).where(_t.expires_at <= bindparam("now_")))


class ProofRows:
    """`store.base_proofs.Proofs` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add_passkey(self, passkey: Passkey) -> None:
        await self._cx.run(_ADD, PASSKEYS.encode(passkey))

    async def passkeys(self, user_id: UserId) -> Sequence[Passkey]:
        return [PASSKEYS.decode(row) for row in await self._cx.all(_ALL, {"user_id_": user_id})]

    async def passkey_by_credential(self, credential_id: bytes) -> Passkey | None:
        row = await self._cx.one(_BY_CREDENTIAL, {"credential_id_": credential_id})
        return PASSKEYS.decode(row) if row else None

    async def use_passkey(self, user_id: UserId, passkey_id: PasskeyId, sign_count: int, at: int) -> bool:
        parameters = {"user_id_": user_id, "id_": passkey_id, "count_": sign_count, "at_": at}
        return await self._cx.run(_USE, parameters) == 1

    async def rename_passkey(self, user_id: UserId, passkey_id: PasskeyId, name: str) -> bool:
        parameters = {"user_id_": user_id, "id_": passkey_id, "name_": name}
        return await self._cx.run(_RENAME, parameters) == 1

    async def remove_passkey(self, user_id: UserId, passkey_id: PasskeyId) -> bool:
        return await self._cx.run(_REMOVE, {"user_id_": user_id, "id_": passkey_id}) == 1

    async def remove_passkeys(self, user_id: UserId) -> int:
        return await self._cx.run(_REMOVE_ALL, {"user_id_": user_id})

    async def add_identity(self, identity: Identity) -> None:
        await self._cx.run(_ADD_IDENTITY, IDENTITIES.encode(identity))

    async def identity(self, issuer: str, subject: str) -> Identity | None:
        row = await self._cx.one(_IDENTITY, {"issuer_": issuer, "subject_": subject})
        return IDENTITIES.decode(row) if row else None

    async def identities(self, user_id: UserId) -> Sequence[Identity]:
        return [IDENTITIES.decode(row) for row in await self._cx.all(_IDENTITIES, {"user_id_": user_id})]

    async def use_identity(self, issuer: str, subject: str, email: str, at: int) -> None:
        parameters = {"issuer_": issuer, "subject_": subject, "email_": email, "at_": at}
        await self._cx.run(_USE_IDENTITY, parameters)

    async def remove_identity(self, user_id: UserId, issuer: str, subject: str) -> bool:
        parameters = {"user_id_": user_id, "issuer_": issuer, "subject_": subject}
        return await self._cx.run(_REMOVE_IDENTITY, parameters) == 1

    async def anybody_proves(self) -> bool:
        return await self._cx.one(_ANYBODY, {}) is not None

    async def use_ticket(self, digest: bytes, expires_at: int) -> bool:
        return await self._cx.run(_USE_TICKET, {"digest": digest, "expires_at": expires_at}) == 1

    async def forget_tickets(self, now: int) -> int:
        return await self._cx.run(_FORGET_TICKETS, {"now_": now})
