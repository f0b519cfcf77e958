"""Rights: what an operation asks of the person behind a token."""

from enum import StrEnum


class Right(StrEnum):
    """What an operation asks of the person behind the token."""

    HOLDER = "holder"  # nothing beyond the live token
    MEMBER = "member"
    TEAM_MAINTAINER = "team_maintainer"  # or administrator
    CLUSTER_MAINTAINER = "cluster_maintainer"  # or administrator
    ADMIN = "admin"


# An operation's name, scope, right, whether GraphQL has it too, and its title (`domain.operations`).
Row = tuple[str, str, Right, bool, str]
