"""Importing: values that were issued elsewhere go on working here, known by their digests alone."""

import re
from collections.abc import Awaitable, Callable, Collection

from watchword.crypto.values import MAX_VALUE, Recogniser, Secret, digest
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.events import TOPIC_TOKEN_IMPORTED, Action
from watchword.domain.ids import UserId
from watchword.domain.kinds import KINDS, Kind, kinds_of
from watchword.domain.tokens import Token
from watchword.services.context import Caller, Context
from watchword.services.issuing import TokenRequest, add_token, build_agent_token
from watchword.store.base import Duplicate, Transaction

MIN_VALUE = 20
_VALUE = re.compile(rf"[\x21-\x7e]{{{MIN_VALUE},{MAX_VALUE}}}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


def read_import(
    context: Context,
    value: Secret | None,
    digest_text: str,
    kinds: Collection[Kind] = (Kind.AGENT, Kind.UNCLUSTERED_AGENT),
) -> bytes:
    """The digest of what is to be imported: of a value, or as given.

    Raises:
        Invalid: neither or both are given, or one is not acceptable.
    """
    if (value is None) is (not digest_text):
        raise Invalid("Validation failed: Give value or digest, one of the two", code="invalid_import")
    if value is None:
        if not _DIGEST.fullmatch(digest_text):
            raise Invalid("Validation failed: Digest is a SHA-256 in 64 hex digits", code="invalid_digest")
        return bytes.fromhex(digest_text)
    if not _VALUE.fullmatch(value.reveal()):
        raise Invalid(
            f"Validation failed: Value has {MIN_VALUE} to {MAX_VALUE} visible ASCII characters",
            code="invalid_value",
        )
    _require_no_other_kind(context.recogniser(), value, kinds)
    return digest(value.reveal())


def _require_no_other_kind(recogniser: Recogniser, value: Secret, kinds: Collection[Kind]) -> None:
    """Refuse what looks like a value of another kind: it would be taken for one wherever it is found."""
    shape = recogniser.shape_of(value.reveal())
    if shape is not None and not any(kind in kinds for kind in kinds_of(shape)):
        title = KINDS[kinds_of(shape)[0]].title
        raise Invalid(f"Validation failed: Value has the shape of a {title}", code="wrong_shape")


async def import_agent_token(
    context: Context,
    tx: Transaction,
    caller: Caller,
    request: TokenRequest,
    value_digest: bytes,
    created_by: UserId | None,
) -> Token:
    """Take over an agent token that was issued elsewhere, inside a unit of work.

    Raises:
        Invalid: description, expiry or number of uses is not acceptable.
        NotFound: the organization has no such cluster.
        Conflict: the value is known here already, in whatever state and to whomever.
    """
    token = await build_agent_token(context, tx, request, value_digest, created_by)

    async def add() -> Token:
        await add_token(context, tx, caller, token, Action.TOKEN_IMPORTED)
        return token

    return await take_over(context, tx, value_digest, add)


async def take_over(
    context: Context, tx: Transaction, value_digest: bytes, add: Callable[[], Awaitable[Token]]
) -> Token:
    """Add a token of a value that was issued elsewhere, and tell every verifier of it.

    Raises:
        Conflict: the value is known here already, in whatever state and to whomever.
    """
    known = Conflict("Validation failed: A token with this value already exists", code="value_known")
    if await tx.tokens.by_digest(value_digest) is not None:
        raise known
    try:
        token = await add()
    except Duplicate:
        raise known from None
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_IMPORTED, value_digest.hex(), context.clock.now())
    return token
