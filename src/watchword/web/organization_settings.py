"""The organization's settings, all of their pages and forms."""

from watchword.web import (
    banner,
    invitations,
    members,
    security_policy,
    teammembers,
    teams,
)

HANDLERS = (
    *security_policy.HANDLERS,
    *members.HANDLERS,
    *teams.HANDLERS,
    *teammembers.HANDLERS,
    *invitations.HANDLERS,
    *banner.HANDLERS,
)
