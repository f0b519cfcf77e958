"""Cluster secrets: made, changed and deleted; the value is sealed at once and shown to nobody here."""

from dataclasses import replace

from watchword.crypto.sealing import seal, unseal
from watchword.crypto.values import Secret
from watchword.domain.accounts import Cluster
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import SecretId, UserId, is_uuid
from watchword.domain.secrets import ClusterSecret, check_secret_key, check_secret_value
from watchword.services.context import Caller, Context
from watchword.services.secretpolicies import check_policy
from watchword.store.base import Duplicate, Page, Transaction

MAX_DESCRIPTION = 1024


def check_description(text: str) -> str:
    """Require a description that is not too long.

    Raises:
        Invalid: it is.
    """
    if len(text) > MAX_DESCRIPTION:
        raise Invalid(
            f"Validation failed: Description takes at most {MAX_DESCRIPTION} characters",
            code="invalid_description",
        )
    return text


async def find_secret(tx: Transaction, cluster: Cluster, text: str) -> ClusterSecret:
    """A secret of a cluster by the id in a path.

    Raises:
        NotFound: there is none, or not here.
    """
    found = await tx.secrets.find(cluster.organization_id, SecretId(text.lower())) if is_uuid(text) else None
    if found is None or found.cluster_id != cluster.id:
        raise NotFound("No secret found")
    return found


async def secrets_of(tx: Transaction, cluster: Cluster, page: Page) -> list[ClusterSecret]:
    """Secrets of a cluster, oldest first."""
    return list(await tx.secrets.list(cluster.organization_id, cluster.id, page))


async def create_secret(
    context: Context,
    tx: Transaction,
    caller: Caller,
    cluster: Cluster,
    key: str,
    value: Secret,
    *,
    description: str = "",
    policy: str = "",
    created_by: UserId | None = None,
) -> ClusterSecret:
    """Create a secret, inside a unit of work.

    Raises:
        Invalid: key, value, description or policy is not acceptable.
        Conflict: the cluster has the key, in whatever case.
    """
    now = context.clock.now()
    made = ClusterSecret(
        cluster.organization_id,
        SecretId(context.new_id()),
        cluster.id,
        check_secret_key(key),
        check_description(description),
        check_policy(policy),
        b"",
        now,
        created_by,
        now,
        created_by,
    )
    made = _sealed(context, made, value)
    if await tx.secrets.by_key(made.organization_id, made.cluster_id, made.key) is not None:
        raise _taken(key)  # jobs ask for keys in any case
    try:
        await tx.secrets.add(made)
    except Duplicate:
        raise _taken(key) from None
    await _record(context, tx, caller, Action.SECRET_CREATED, made)
    return made


async def update_secret(
    context: Context,
    tx: Transaction,
    caller: Caller,
    secret: ClusterSecret,
    *,
    description: str | None = None,
    policy: str | None = None,
    by: UserId | None = None,
) -> ClusterSecret:
    """Change what a secret says of itself, inside a unit of work; None leaves it as it is.

    Raises:
        Invalid: description or policy is not acceptable.
    """
    changed = replace(
        secret,
        description=secret.description if description is None else check_description(description),
        policy=secret.policy if policy is None else check_policy(policy),
        updated_at=context.clock.now(),
        updated_by=by,
    )
    await tx.secrets.save(changed)
    await _record(context, tx, caller, Action.SECRET_UPDATED, changed)
    return changed


async def set_secret_value(
    context: Context,
    tx: Transaction,
    caller: Caller,
    secret: ClusterSecret,
    value: Secret,
    by: UserId | None = None,
) -> ClusterSecret:
    """Replace a secret's value, inside a unit of work.

    Raises:
        Invalid: there is none, or it is too long.
    """
    changed = _sealed(context, replace(secret, updated_at=context.clock.now(), updated_by=by), value)
    await tx.secrets.save(changed)
    await _record(context, tx, caller, Action.SECRET_VALUE_UPDATED, changed)
    return changed


async def delete_secret(context: Context, tx: Transaction, caller: Caller, secret: ClusterSecret) -> None:
    """Delete a secret with its value, inside a unit of work.

    Raises:
        NotFound: it is gone already.
    """
    if not await tx.secrets.delete(secret.organization_id, secret.id):
        raise NotFound("No secret found")
    await _record(context, tx, caller, Action.SECRET_DELETED, secret)


def open_secret(context: Context, secret: ClusterSecret) -> Secret:
    """A secret's value.

    Raises:
        Conflict: its key is gone from the key file, or the record was tampered with.
    """
    value = unseal(context.keys, secret.sealed, secret.bound_to)
    try:
        if value is not None:
            return Secret(value.decode())
    except UnicodeDecodeError:
        pass
    raise Conflict(f"The value of the secret {secret.key} cannot be opened.", code="secret_sealed")


def _taken(key: str) -> Conflict:
    return Conflict(f"Validation failed: Key {key} already exists", code="taken")


def _sealed(context: Context, secret: ClusterSecret, value: Secret) -> ClusterSecret:
    content = check_secret_value(value.reveal())
    return replace(secret, sealed=seal(context.keys, content, secret.bound_to))


async def _record(
    context: Context, tx: Transaction, caller: Caller, action: Action, secret: ClusterSecret
) -> None:
    data = {"key": secret.key, "cluster_id": secret.cluster_id}
    await context.record(tx, caller, action, secret.organization_id, ("secret", secret.id), data)
