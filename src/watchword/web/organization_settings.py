"""The organization's settings, all of their pages and forms."""

from watchword.web import (
    accessaudit,
    audit,
    auditchecks,
    banner,
    deliveries,
    invitations,
    members,
    security_policy,
    teammembers,
    teams,
    webhookchanges,
    webhooks,
)

HANDLERS = (
    *security_policy.HANDLERS,
    *members.HANDLERS,
    *teams.HANDLERS,
    *teammembers.HANDLERS,
    *invitations.HANDLERS,
    *webhooks.HANDLERS,
    *webhookchanges.HANDLERS,
    *deliveries.HANDLERS,
    *accessaudit.HANDLERS,
    *audit.HANDLERS,
    *auditchecks.HANDLERS,
    *banner.HANDLERS,
)
