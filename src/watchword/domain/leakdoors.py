"""What anybody may do about leaks without an account, as the operator allows it."""

from enum import StrEnum


class Possession(StrEnum):
    """What follows when somebody shows the whole value of a token."""

    REVOKE = "revoke"  # it is revoked, whatever the organizations' policies say
    REPORT = "report"  # a case is opened, and the policy decides
    OFF = "off"


class LookupBy(StrEnum):
    """Who may ask by digest prefix whether a value is live."""

    PUBLIC = "public"
    AUTHENTICATED = "authenticated"  # whoever presents an API access token
    OFF = "off"
