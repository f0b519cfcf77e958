"""The organization's settings, all of their pages and forms."""

from watchword.web import security_policy

HANDLERS = (*security_policy.HANDLERS,)
