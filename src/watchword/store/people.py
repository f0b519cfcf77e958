"""People in the database: sign-in data, recovery codes, one-time links, failed attempts, sessions."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from watchword.domain.accounts import Member, User
from watchword.domain.ids import OrganizationId, SessionId, UserId
from watchword.domain.people import (
    Attempts,
    LinkPurpose,
    OneTimeLink,
    RecoveryCode,
    SignInData,
    WebSession,
)
from watchword.store.accounts import MEMBERS, USERS
from watchword.store.engine import Connection, Statement, insert_missing, upsert
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import members, users
from watchword.store.tables_people import (
    one_time_links,
    recovery_codes,
    sign_in_attempts,
    user_sign_ins,
    web_sessions,
)

SIGN_INS = Mapper(user_sign_ins, SignInData)
CODES = Mapper(recovery_codes, RecoveryCode)
LINKS = Mapper(one_time_links, OneTimeLink)
ATTEMPTS = Mapper(sign_in_attempts, Attempts)
SESSIONS = Mapper(web_sessions, WebSession)

_u, _d, _r, _l, _a, _s = (
    table.c
    for table in (users, user_sign_ins, recovery_codes, one_time_links, sign_in_attempts, web_sessions)
)
_PERSON = _s.user_id == bindparam("user_id_")
_OPEN = _s.ended_at == 0

_BY_EMAIL = Statement(select(*USERS.columns).where(func.lower(_u.email) == bindparam("email_")))
_USERS = Statement(
    select(*USERS.columns).order_by(_u.id).limit(bindparam("limit_")).offset(bindparam("offset_"))
)
_MEMBERSHIPS = Statement(
    select(*MEMBERS.columns)
    .where(members.c.user_id == bindparam("user_id_"))
    .order_by(members.c.created_at, members.c.organization_id)
)
_MEMBERS = Statement(
    select(*MEMBERS.columns)
    .where(members.c.organization_id == bindparam("organization_id_"))
    .order_by(members.c.created_at, members.c.user_id)
)
_SET_PASSWORD = Statement(
    update(users).where(_u.id == bindparam("user_id_")).values(password_hash=bindparam("hash_"))
)
_SET_EMAIL = Statement(update(users).where(_u.id == bindparam("user_id_")).values(email=bindparam("email_")))
_REHASH = Statement(
    update(users)
    .where(_u.id == bindparam("user_id_"), _u.password_hash == bindparam("former_"))
    .values(password_hash=bindparam("hash_"))
)
_SIGN_IN = Statement(select(*SIGN_INS.columns).where(_d.user_id == bindparam("user_id_")))
_SAVE_SIGN_IN = upsert(user_sign_ins, (), [column.name for column in SIGN_INS.columns[1:]])
_TAKE_STEP = Statement(
    update(user_sign_ins)
    .where(_d.user_id == bindparam("user_id_"), _d.totp_last_step < bindparam("step_"))
    .values(totp_last_step=bindparam("step_"))
)
_DROP_CODES = Statement(delete(recovery_codes).where(_r.user_id == bindparam("user_id_")))
_ADD_CODE = Statement(insert(recovery_codes))
_CODES_LEFT = Statement(select(func.count()).where(_r.user_id == bindparam("user_id_"), _r.used_at == 0))
_TAKE_CODE = Statement(
    update(recovery_codes)
    .where(_r.user_id == bindparam("user_id_"), _r.digest == bindparam("digest_"), _r.used_at == 0)
    .values(used_at=bindparam("at_"))
)
_ADD_LINK = Statement(insert(one_time_links))
_LINK = Statement(select(*LINKS.columns).where(_l.digest == bindparam("digest_")))
_TAKE_LINK = Statement(
    update(one_time_links)
    .where(
        _l.digest == bindparam("digest_"),
        _l.purpose == bindparam("purpose_"),
        _l.used_at == 0,
        _l.expires_at > bindparam("at_"),
    )
    .values(used_at=bindparam("at_"))
)
_DROP_LINKS = Statement(
    delete(one_time_links).where(
        _l.user_id == bindparam("user_id_"), _l.purpose == bindparam("purpose_"), _l.used_at == 0
    )
)
_ATTEMPTS = Statement(select(*ATTEMPTS.columns).where(_a.key == bindparam("key_")))
_ADD_ATTEMPTS = insert_missing(sign_in_attempts)
_SAVE_ATTEMPTS = Statement(
    update(sign_in_attempts)
    .where(
        _a.key == bindparam("key_"),
        _a.failures == bindparam("former_failures_"),
        _a.last_at == bindparam("former_at_"),
    )
    .values(failures=bindparam("failures_"), last_at=bindparam("last_at_"), blocked_until=bindparam("until_"))
)
_DROP_ATTEMPTS = Statement(delete(sign_in_attempts).where(_a.key == bindparam("key_")))
_FORGET_ATTEMPTS = Statement(delete(sign_in_attempts).where(_a.last_at < bindparam("before_")))
_FORGET_LINKS = Statement(delete(one_time_links).where(_l.expires_at < bindparam("now_")))
_FORGET_SESSIONS = Statement(delete(web_sessions).where(_s.expires_at < bindparam("before_")))

_ADD_SESSION = Statement(insert(web_sessions))
_BY_DIGEST = Statement(select(*SESSIONS.columns).where(_s.digest == bindparam("digest_")))
_OF_USER = Statement(
    select(*SESSIONS.columns)
    .where(_PERSON, _OPEN, _s.expires_at > bindparam("now_"))
    .order_by(_s.created_at.desc(), _s.id.desc())
)
_KNOWN = Statement(
    select(_s.id)
    .where(
        _PERSON,
        _s.created_at >= bindparam("since_"),
        _s.address == bindparam("address_"),
        _s.complete == 1,
    )
    .limit(1)
)
_TOUCH = Statement(update(web_sessions).where(_s.id == bindparam("id_")).values(seen_at=bindparam("at_")))
_ESCALATE = Statement(
    update(web_sessions).where(_s.id == bindparam("id_"), _OPEN).values(escalated_at=bindparam("at_"))
)
_END = Statement(
    update(web_sessions)
    .where(_s.id == bindparam("id_"), _OPEN)
    .values(ended_at=bindparam("at_"), ended_reason=bindparam("reason_"))
)
_END_ALL = Statement(
    update(web_sessions)
    .where(_PERSON, _OPEN, _s.id != bindparam("keep_"), _s.expires_at > bindparam("at_"))
    .values(ended_at=bindparam("at_"), ended_reason=bindparam("reason_"))
)


class PeopleRows:
    """`store.base_people.People` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def user_by_email(self, email: str) -> User | None:
        row = await self._cx.one(_BY_EMAIL, {"email_": email})
        return USERS.decode(row) if row else None

    async def users(self, page: Page) -> Sequence[User]:
        parameters = {"limit_": page.limit, "offset_": page.offset}
        return [USERS.decode(row) for row in await self._cx.all(_USERS, parameters)]

    async def memberships(self, user_id: UserId) -> Sequence[Member]:
        return [MEMBERS.decode(row) for row in await self._cx.all(_MEMBERSHIPS, {"user_id_": user_id})]

    async def members(self, organization_id: OrganizationId) -> Sequence[Member]:
        rows = await self._cx.all(_MEMBERS, {"organization_id_": organization_id})
        return [MEMBERS.decode(row) for row in rows]

    async def set_email(self, user_id: UserId, email: str) -> None:
        await self._cx.run(_SET_EMAIL, {"user_id_": user_id, "email_": email})

    async def set_password(self, user_id: UserId, password_hash: str, at: int) -> None:
        await self._cx.run(_SET_PASSWORD, {"user_id_": user_id, "hash_": password_hash})
        data = SIGN_INS.encode(await self.sign_in_data(user_id)) | {"password_changed_at": at}
        await self._cx.run(_SAVE_SIGN_IN, data)

    async def rehash(self, user_id: UserId, former: str, password_hash: str) -> bool:
        parameters = {"user_id_": user_id, "former_": former, "hash_": password_hash}
        return await self._cx.run(_REHASH, parameters) == 1

    async def sign_in_data(self, user_id: UserId) -> SignInData:
        row = await self._cx.one(_SIGN_IN, {"user_id_": user_id})
        return SIGN_INS.decode(row) if row else SignInData(user_id)

    async def save_sign_in_data(self, data: SignInData) -> None:
        await self._cx.run(_SAVE_SIGN_IN, SIGN_INS.encode(data))

    async def take_totp_step(self, user_id: UserId, step: int) -> bool:
        return await self._cx.run(_TAKE_STEP, {"user_id_": user_id, "step_": step}) == 1

    async def replace_recovery_codes(self, user_id: UserId, codes: Sequence[RecoveryCode]) -> None:
        await self._cx.run(_DROP_CODES, {"user_id_": user_id})
        if codes:
            await self._cx.run_many(_ADD_CODE, [CODES.encode(code) for code in codes])

    async def recovery_codes_left(self, user_id: UserId) -> int:
        row = await self._cx.one(_CODES_LEFT, {"user_id_": user_id})
        return int(row[0]) if row else 0

    async def take_recovery_code(self, user_id: UserId, digest: bytes, at: int) -> bool:
        parameters = {"user_id_": user_id, "digest_": digest, "at_": at}
        return await self._cx.run(_TAKE_CODE, parameters) == 1

    async def add_link(self, link: OneTimeLink) -> None:
        await self._cx.run(_ADD_LINK, LINKS.encode(link))

    async def link(self, digest: bytes, purpose: LinkPurpose, at: int) -> OneTimeLink | None:
        row = await self._cx.one(_LINK, {"digest_": digest})
        found = LINKS.decode(row) if row else None
        if found is None or found.purpose is not purpose or found.used_at or found.expires_at <= at:
            return None
        return found

    async def take_link(self, digest: bytes, purpose: LinkPurpose, at: int) -> OneTimeLink | None:
        parameters = {"digest_": digest, "purpose_": purpose.value, "at_": at}
        if await self._cx.run(_TAKE_LINK, parameters) != 1:
            return None
        row = await self._cx.one(_LINK, {"digest_": digest})
        return LINKS.decode(row) if row else None

    async def drop_links(self, user_id: UserId, purpose: LinkPurpose) -> int:
        return await self._cx.run(_DROP_LINKS, {"user_id_": user_id, "purpose_": purpose.value})

    async def attempts(self, key: str) -> Attempts | None:
        row = await self._cx.one(_ATTEMPTS, {"key_": key})
        return ATTEMPTS.decode(row) if row else None

    async def save_attempts(self, former: Attempts | None, attempts: Attempts) -> bool:
        if former is None:
            return await self._cx.run(_ADD_ATTEMPTS, ATTEMPTS.encode(attempts)) == 1
        parameters = {
            "key_": attempts.key,
            "former_failures_": former.failures,
            "former_at_": former.last_at,
            "failures_": attempts.failures,
            "last_at_": attempts.last_at,
            "until_": attempts.blocked_until,
        }
        return await self._cx.run(_SAVE_ATTEMPTS, parameters) == 1

    async def drop_attempts(self, key: str) -> None:
        await self._cx.run(_DROP_ATTEMPTS, {"key_": key})

    async def forget(self, now: int, attempts_before: int, sessions_before: int) -> int:
        gone = await self._cx.run(_FORGET_LINKS, {"now_": now})
        gone += await self._cx.run(_FORGET_ATTEMPTS, {"before_": attempts_before})
        return gone + await self._cx.run(_FORGET_SESSIONS, {"before_": sessions_before})


class SessionRows:
    """`store.base_people.Sessions` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, session: WebSession) -> None:
        await self._cx.run(_ADD_SESSION, SESSIONS.encode(session))

    async def by_digest(self, digest: bytes) -> WebSession | None:
        row = await self._cx.one(_BY_DIGEST, {"digest_": digest})
        return SESSIONS.decode(row) if row else None

    async def of_user(self, user_id: UserId, now: int) -> Sequence[WebSession]:
        rows = await self._cx.all(_OF_USER, {"user_id_": user_id, "now_": now})
        return [SESSIONS.decode(row) for row in rows]

    async def known_address(self, user_id: UserId, address: str, since: int) -> bool:
        parameters = {"user_id_": user_id, "address_": address, "since_": since}
        return await self._cx.one(_KNOWN, parameters) is not None

    async def touch(self, session_id: SessionId, at: int) -> None:
        await self._cx.run(_TOUCH, {"id_": session_id, "at_": at})

    async def escalate(self, session_id: SessionId, at: int) -> bool:
        return await self._cx.run(_ESCALATE, {"id_": session_id, "at_": at}) == 1

    async def end(self, session_id: SessionId, at: int, reason: str) -> bool:
        return await self._cx.run(_END, {"id_": session_id, "at_": at, "reason_": reason}) == 1

    async def end_all(self, user_id: UserId, at: int, reason: str, *, keep: SessionId | None = None) -> int:
        parameters = {"user_id_": user_id, "keep_": keep or "", "at_": at, "reason_": reason}
        return await self._cx.run(_END_ALL, parameters)
