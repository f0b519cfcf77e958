"""Repository credentials as people manage them, and which jobs are told that there is one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchword.crypto.appkeys import reads_as_key
from watchword.crypto.sealing import seal
from watchword.crypto.values import Secret
from watchword.domain.accounts import Cluster
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import RepositoryCredentialId, UserId, is_uuid
from watchword.domain.repositorycredentials import (
    GITHUB,
    MAX_KEY,
    RepositoryCredential,
    Source,
    best,
    check_also,
    check_app,
    check_pattern,
)
from watchword.domain.secrets import check_secret_key
from watchword.services.context import Caller, Context
from watchword.services.secretpolicies import check_policy
from watchword.services.secrets import check_description
from watchword.store.base import EVERYTHING, Assignment, Duplicate, Page, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a new source is to be; see `domain.repositorycredentials.RepositoryCredential`.

    Attributes:
        private_key: the App's, in PEM.
    """

    pattern: str
    also: Sequence[str] = ()
    source: Source = Source.SECRET
    secret_key: str = ""
    app_id: str = ""
    installation_id: str = ""
    api_url: str = GITHUB
    private_key: Secret = Secret("")  # noqa: RUF009 - frozen
    policy: str = ""
    description: str = ""


async def create_credential(
    context: Context, tx: Transaction, caller: Caller, cluster: Cluster, wish: Wish, created_by: UserId | None
) -> RepositoryCredential:
    """Name a source of tokens, inside a unit of work; an App's key is sealed at once.

    Raises:
        Invalid: pattern, policy, key, App or address are not acceptable, or belong to the other source.
        Conflict: the cluster has the pattern.
    """
    now = context.clock.now()
    app = wish.source is Source.GITHUB_APP
    made = RepositoryCredential(
        cluster.organization_id,
        RepositoryCredentialId(context.new_id()),
        cluster.id,
        check_pattern(wish.pattern),
        check_also(wish.also),
        wish.source,
        "" if app else check_secret_key(wish.secret_key),
        wish.app_id if app else "",
        wish.installation_id if app else "",
        check_app(wish.app_id, wish.installation_id, wish.api_url or GITHUB) if app else "",
        "contents: read" if app else "",
        check_policy(wish.policy),
        check_description(wish.description),
        b"",
        now,
        created_by,
        now,
    )
    if app:
        made = _sealed(context, made, wish.private_key)
    try:
        await tx.repositories.add(made)
    except Duplicate:
        raise Conflict(f"Validation failed: Pattern {made.pattern} already exists", code="taken") from None
    await _record(context, tx, caller, Action.REPOSITORY_CREDENTIAL_CREATED, made)
    return made


def _sealed(context: Context, made: RepositoryCredential, key: Secret) -> RepositoryCredential:
    if len(key.reveal()) > MAX_KEY or not reads_as_key(key):
        raise Invalid(
            "Validation failed: Private key is an RSA key of 2048 bits or more, in PEM, without a password",
            code="invalid_private_key",
        )
    return replace(made, sealed=seal(context.keys, key.reveal().encode(), made.bound_to))


async def credentials_of(tx: Transaction, cluster: Cluster, page: Page) -> list[RepositoryCredential]:
    """Sources of a cluster, by pattern."""
    return list(await tx.repositories.list(cluster.organization_id, cluster.id, page))


async def find_credential(tx: Transaction, cluster: Cluster, text: str) -> RepositoryCredential:
    """A source of a cluster by its id.

    Raises:
        NotFound: there is none.
    """
    found = None
    if is_uuid(text):
        found = await tx.repositories.find(cluster.organization_id, RepositoryCredentialId(text.lower()))
    if found is None or found.cluster_id != cluster.id:
        raise NotFound("No repository credential found")
    return found


async def delete_credential(
    context: Context, tx: Transaction, caller: Caller, credential: RepositoryCredential
) -> None:
    """Delete a source with its key, inside a unit of work. Tokens that jobs have live out their time.

    Raises:
        NotFound: it is gone already.
    """
    owner, cluster_id = credential.organization_id, credential.cluster_id
    if not await tx.repositories.delete(owner, cluster_id, credential.id):
        raise NotFound("No repository credential found")
    await _record(context, tx, caller, Action.REPOSITORY_CREDENTIAL_DELETED, credential)


async def provides(tx: Transaction, found: Assignment) -> bool:
    """Whether there is a source for a job's repository. Git asks for tokens over HTTPS alone.

    A cluster's row says how many sources it has, so that the claims of most jobs ask nothing more.
    """
    cluster, repository = found.cluster, found.pipeline.repository
    if cluster is None or not cluster.repository_credentials or not repository.startswith("https://"):
        return False
    rows = await tx.repositories.list(cluster.organization_id, cluster.id, EVERYTHING)
    return best(rows, repository) is not None


async def _record(
    context: Context, tx: Transaction, caller: Caller, action: Action, credential: RepositoryCredential
) -> None:
    data = {
        "pattern": credential.pattern,
        "source": credential.source.value,
        "cluster_id": credential.cluster_id,
    }
    subject = ("repository_credential", credential.id)
    await context.record(tx, caller, action, credential.organization_id, subject, data)
