"""Minting from a form: one that is sent twice, as by a reload, makes one token and shows its value once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, Forbidden
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.tokens import DAY_US
from watchword.services.idempotency import once
from watchword.services.queries import Unit
from watchword.web.proving import PROOF_FIELDS
from watchword.web.security import new_key
from watchword.web.visit import Visit

ONCE_FIELD = "once"


@dataclass(frozen=True, slots=True)
class Minted:
    """A token that a form made.

    Attributes:
        value: None where the form was sent before, so that the value was shown then.
    """

    token_id: TokenId
    value: Secret | None


def fresh_once() -> str:
    """What a form carries in the field `once`."""
    return new_key().reveal()


async def mint_once(
    visit: Visit, organization_id: OrganizationId, work: Callable[[Unit], Awaitable[tuple[TokenId, Secret]]]
) -> Minted:
    """Run a unit of work that mints, unless this very form was sent before.

    Args:
        visit: the form that was sent.
        organization_id: where the token will belong.
        work: mints; only the token's id is remembered.

    Raises:
        Conflict: the form was sent before with other content.
        Forbidden: the form carries nothing to know it again by.
    """
    key = visit.form.raw(ONCE_FIELD)
    if not key:
        raise Forbidden(
            "This form is out of date; open the page again and send it anew.", code="form_out_of_date"
        )
    shown: list[Secret] = []

    async def unit(tx: Unit) -> bytes:
        token_id, value = await work(tx)
        shown[:] = [value]
        return token_id.encode()

    asked = urlencode(visit.form.without((*PROOF_FIELDS, ONCE_FIELD))).encode()
    name = f"form {visit.request.scope['path']}"
    try:
        found = await once(
            visit.context, organization_id, visit.user.id, key, name, asked, unit, keep_us=_kept(visit)
        )
    except Conflict as error:
        if error.code != "idempotency_key_reused":
            raise
        raise Conflict(
            "This form was sent before, and a token was made then. Send it again to make another one.",
            code="form_sent_before",
        ) from None
    return Minted(TokenId(found.decode()), shown[0] if shown else None)


def _kept(visit: Visit) -> int:
    """How long a form is known: as long as a session can live, after which none of its forms is taken."""
    return visit.context.installation.session_days * DAY_US


async def first_time(visit: Visit, organization_id: OrganizationId) -> bool:
    """Whether this very form is sent for the first time; from now on it is not.

    Raises:
        Forbidden: the form carries nothing to know it again by.
    """

    async def nothing(_tx: Unit) -> tuple[TokenId, Secret]:
        return TokenId(""), Secret("")

    return (await mint_once(visit, organization_id, nothing)).value is not None
