"""Settings that organizations and deployments of Dagster+ keep for their command lines (contract §11).

Whoever calls has checked the right (`services.dagsterdoor`).
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from watchword.domain.accounts import Organization
from watchword.domain.deployments import Deployment
from watchword.domain.errors import Invalid
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, UserId
from watchword.services.context import Caller, Context
from watchword.services.deployments import begin_in, read_document, save_in
from watchword.store.base import Transaction

MAX_SETTINGS = 64 * 1024


def write_document(settings: object) -> str:
    """Settings as they are kept.

    Raises:
        Invalid: they are no JSON object, or too large.
    """
    if settings is None:
        settings = {}
    if not isinstance(settings, Mapping):
        raise Invalid("Validation failed: settings are an object", code="invalid_settings")
    text = json.dumps(settings, sort_keys=True)
    if len(text) > MAX_SETTINGS:
        raise Invalid(
            f"Validation failed: settings take at most {MAX_SETTINGS} bytes", code="settings_too_large"
        )
    return text


async def organization_settings_in(tx: Transaction, organization_id: OrganizationId) -> dict[str, object]:
    """What an organization has set; empty where it has not begun with Dagster+."""
    known = await tx.deployments.organization(organization_id)
    return read_document(known.settings) if known is not None else {}


async def set_organization_settings_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization: Organization,
    settings: object,
    by: UserId | None,
) -> dict[str, object]:
    """Write an organization's settings in place of those that there were.

    Raises:
        Invalid: they are not acceptable.
    """
    text = write_document(settings)
    known = await begin_in(context, tx, caller, organization, by)
    kept = replace(known, settings=text, updated_at=context.clock.now())
    await tx.deployments.save_organization(kept)
    found = read_document(text)
    details: dict[str, object] = {"dagster_settings": sorted(found)}
    subject = ("organization", organization.id)
    await context.record(tx, caller, Action.ORGANIZATION_UPDATED, organization.id, subject, details)
    return found


async def set_deployment_settings_in(
    context: Context, tx: Transaction, caller: Caller, deployment: Deployment, settings: object
) -> Deployment:
    """Write a deployment's settings in place of those that there were.

    Raises:
        Invalid: they are not acceptable.
        NotFound: the deployment is gone.
    """
    return await save_in(context, tx, caller, replace(deployment, settings=write_document(settings)))
