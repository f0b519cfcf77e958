"""The organization's settings, all of their pages and forms."""

from watchword.web import (
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
    *banner.HANDLERS,
)
