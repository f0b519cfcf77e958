"""Branch deployments: one for each branch of a repository, made at its first commit (contract §11).

Whoever calls has checked the right (`services.dagsterdoor`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from watchword.domain.accounts import Organization
from watchword.domain.deployments import FIRST, Deployment, DeploymentKind
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.ids import OrganizationId, UserId
from watchword.services.context import Caller, Context
from watchword.services.deployments import EVERY_DEPLOYMENT, create_in, save_in
from watchword.store.base import Transaction

MAX_BRANCH = 16 * 1024
MAX_TEXT = 500
_NAME = 40


def branch_name(organization_id: OrganizationId, repository: str, branch: str) -> str:
    """The name of a branch's deployment: the same at each commit, and fit for addresses.

    Raises:
        Invalid: repository or branch is empty or too long.
    """
    for text in (repository, branch):
        if not text.strip() or len(text) > MAX_TEXT:
            raise Invalid(
                f"Validation failed: repository and branch are texts of 1 to {MAX_TEXT} characters",
                code="invalid_branch",
            )
    seed = json.dumps([organization_id, repository, branch])
    return hashlib.sha256(seed.encode()).hexdigest()[:_NAME]


async def put_branch_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization: Organization,
    branch: Mapping[str, object],
    base: str | None,
    by: UserId | None,
) -> Deployment:
    """Make a branch's deployment, or write what is known of its branch anew.

    Args:
        context: the ground.
        tx: the unit of work.
        caller: who asks.
        organization: whose it is.
        branch: `repoName`, `branchName`, and what else is known of branch and commit.
        base: the full deployment that a new one follows; None for the first.
        by: the person; None for a program.

    Raises:
        Invalid: what is said of the branch is not acceptable.
        NotFound: there is no full deployment to follow.
    """
    name = branch_name(organization.id, str(branch["repoName"]), str(branch["branchName"]))
    text = json.dumps({key: value for key, value in branch.items() if value is not None}, sort_keys=True)
    if len(text) > MAX_BRANCH:
        raise Invalid(
            f"Validation failed: a branch takes at most {MAX_BRANCH} bytes", code="branch_too_large"
        )
    followed = await _base(tx, organization.id, base)
    known = await tx.deployments.by_name(organization.id, name)
    if known is not None:
        return await save_in(context, tx, caller, replace(known, branch=text))
    return await create_in(context, tx, caller, organization, name, by, base=followed, branch=text)


async def _base(tx: Transaction, organization_id: OrganizationId, name: str | None) -> Deployment:
    found = await tx.deployments.by_name(organization_id, name or FIRST)
    if found is None and name is None:
        full = await tx.deployments.list(organization_id, DeploymentKind.FULL, EVERY_DEPLOYMENT)
        found = full[0] if full else None
    if found is None or not found.full:
        raise NotFound(f"There is no full deployment {name or FIRST!r} to follow.", code="no_such_deployment")
    return found
