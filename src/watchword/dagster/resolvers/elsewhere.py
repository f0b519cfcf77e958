"""Fields that clients' documents name and this server does not serve; each says so (contract §11)."""

from watchword.dagster.binding import Arguments, Audience, mutation, query
from watchword.dagster.call import Call
from watchword.domain.errors import Invalid

_QUERIES = ("alertPoliciesAsDocumentOrError", "secretsOrError", "serviceTokensOrError")
_MUTATIONS = (
    "reconcileAlertPoliciesFromDocument",
    "createServiceToken",
    "updateServiceToken",
    "revokeServiceToken",
)


def _unserved(name: str) -> None:
    """Bind a field whose answer says that it is not served; its union has a member for that."""

    async def refuse(_call: Call, _arguments: Arguments) -> object:
        raise Invalid(f"{name} is not supported by this server.", code="unsupported")

    bind = query if name in _QUERIES else mutation
    bind(name, Audience.PEOPLE)(refuse)


for _name in (*_QUERIES, *_MUTATIONS):
    _unserved(_name)


@mutation("markCliEvent", Audience.BOTH)
async def mark_cli_event(_call: Call, _arguments: Arguments) -> object:
    """Take note of nothing: timings of command lines are not kept."""
    return "ok"
