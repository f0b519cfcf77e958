"""Mail on its way, in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select, update

from watchword.domain.ids import MailId
from watchword.domain.people import Mail
from watchword.store.engine import Connection, Statement, insert_missing
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_people import mails

MAILS = Mapper(mails, Mail)
_m = mails.c
_ONE = _m.id == bindparam("id_")

_ADD = insert_missing(mails)
_DUE = Statement(
    select(*MAILS.columns)
    .where(_m.due_at > 0, _m.due_at <= bindparam("now_"))
    .order_by(_m.due_at)
    .limit(bindparam("limit_"))
)
_LIST = Statement(
    select(*MAILS.columns)
    .order_by(_m.created_at.desc(), _m.id.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_SENT = Statement(
    update(mails)
    .where(_ONE)
    .values(
        sent_at=bindparam("at_"), due_at=0, body=bindparam("nothing_"), error="", attempts=_m.attempts + 1
    )
)
_PUT_OFF = Statement(
    update(mails)
    .where(_ONE)
    .values(attempts=bindparam("attempts_"), due_at=bindparam("due_at_"), error=bindparam("error_"))
)
_GIVE_UP = Statement(
    update(mails)
    .where(_ONE)
    .values(
        attempts=bindparam("attempts_"),
        failed_at=bindparam("at_"),
        due_at=0,
        body=bindparam("nothing_"),
        error=bindparam("error_"),
    )
)
_DROP = Statement(delete(mails).where(_m.due_at == 0, _m.created_at < bindparam("before_")))


class MailRows:
    """`store.base_people.Mails` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, mail: Mail) -> bool:
        return await self._cx.run(_ADD, MAILS.encode(mail)) == 1

    async def due(self, now: int, limit: int) -> Sequence[Mail]:
        return [MAILS.decode(row) for row in await self._cx.all(_DUE, {"now_": now, "limit_": limit})]

    async def list(self, page: Page) -> Sequence[Mail]:
        parameters = {"limit_": page.limit, "offset_": page.offset}
        return [MAILS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def sent(self, mail_id: MailId, at: int) -> None:
        await self._cx.run(_SENT, {"id_": mail_id, "at_": at, "nothing_": b""})

    async def put_off(self, mail_id: MailId, attempts: int, due_at: int, error: str) -> None:
        parameters = {"id_": mail_id, "attempts_": attempts, "due_at_": due_at, "error_": error}
        await self._cx.run(_PUT_OFF, parameters)

    async def give_up(self, mail_id: MailId, attempts: int, at: int, error: str) -> None:
        parameters = {"id_": mail_id, "attempts_": attempts, "at_": at, "error_": error, "nothing_": b""}
        await self._cx.run(_GIVE_UP, parameters)

    async def drop(self, before: int) -> int:
        return await self._cx.run(_DROP, {"before_": before})
