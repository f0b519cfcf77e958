"""The operations that every agent repeats all day, answered without executing GraphQL (contract §5).

One is recognised by the form of its parsed document, whatever its names and blanks are: exactly these fields
with exactly these arguments, each a variable. What is in any way else, variables of another type too, is
executed; and so is what fails, so that there is one place that says how. A test holds both ways together.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)

from watchword.dagster.call import Call
from watchword.dagster.resolvers.agents import take_heartbeats, work
from watchword.dagster.resolvers.deployments import entries_of, served, visible
from watchword.domain.deployments import Deployment
from watchword.domain.errors import WatchwordError
from watchword.edge.http import Response

_SECOND_US = 1_000_000
_NO_WORK = Response.json({"data": {"userCloudAgent": {"popUserCloudAgentRequests": []}}})
_HEARD = Response.json({"data": {"userCloudAgent": {"addAgentHeartbeats": {"ok": True}}}})

# A field: its name, its arguments, the fields below it.
Form = tuple[str, tuple[str, ...], tuple["Form", ...]]
Given = Mapping[str, Any]
Answering = Callable[[Call, Given], Awaitable[Response | None]]


@dataclass(frozen=True, slots=True)
class Hot:
    """A recognised operation.

    Attributes:
        names: which variable each argument is.
        answer: gives None where the operation is to be executed after all.
    """

    names: tuple[tuple[str, str], ...]
    answer: Answering

    async def __call__(self, call: Call, variables: Given) -> Response | None:
        """The answer; None where the operation is to be executed after all."""
        given = {name: variables[known] for name, known in self.names if known in variables}
        try:
            return await self.answer(call, given)
        except WatchwordError:  # nothing has been done; executing it says how that is told
            return None


def recognise(operation: OperationDefinitionNode) -> Hot | None:
    """The operation if it is one of those; None for any other."""
    if operation.directives or any(
        one.default_value is not None or one.directives for one in operation.variable_definitions or ()
    ):
        return None
    names: dict[str, str] = {}
    forms = _forms(operation.selection_set, names)
    if forms is None or len(forms) != 1:
        return None
    answer = _KNOWN.get((operation.operation, forms[0]))
    return Hot(tuple(names.items()), answer) if answer is not None else None


def _forms(selected: SelectionSetNode, names: dict[str, str]) -> tuple[Form, ...] | None:
    found = []
    for node in selected.selections:
        if not isinstance(node, FieldNode) or node.alias is not None or node.directives:
            return None
        for argument in node.arguments or ():
            if not isinstance(argument.value, VariableNode) or argument.name.value in names:
                return None
            names[argument.name.value] = argument.value.name.value
        below = _forms(node.selection_set, names) if node.selection_set is not None else ()
        if below is None:
            return None
        arguments = tuple(sorted(one.name.value for one in node.arguments or ()))
        found.append((node.name.value, arguments, below))
    return tuple(found)


def _texts(value: object, *, null: bool = False) -> bool:
    """Whether a variable is a list of texts, with nulls among them where those may be."""
    return isinstance(value, list) and all(isinstance(one, str) or (null and one is None) for one in value)


def _queues(given: Given) -> bool:
    queues = given.get("agentQueues")
    return queues is None or _texts(queues, null=True)


def _whole(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < _INT)


# GraphQL's whole numbers have 32 bits.
_INT = 2**31


async def _pop(call: Call, given: Given) -> Response | None:
    names, branches = given.get("forFullDeployments"), given.get("forBranchDeployments")
    if not (
        call.guest.is_agent
        and (names is None or _texts(names))
        and (branches is None or isinstance(branches, bool))
        and _queues(given)
        and _whole(given.get("limit"))
    ):
        return None
    desk = call.authority.work_desk
    if desk.idle(call.guest.id):
        return _NO_WORK
    popped = await desk.pop(
        call.guest,
        names or (),
        branches=bool(branches),
        queues=given.get("agentQueues"),
        limit=given.get("limit"),
    )
    if not popped:
        return _NO_WORK
    found = [work(one) for one in popped]
    return Response.json({"data": {"userCloudAgent": {"popUserCloudAgentRequests": found}}})


async def _beat(call: Call, given: Given) -> Response | None:
    beats = given.get("serializedAgentHeartbeats")
    errors = given.get("serializedErrors")
    if not call.guest.is_agent or not (errors is None or _texts(errors)):
        return None
    if beats is not None and not (isinstance(beats, list) and all(_is_heartbeat(one) for one in beats)):
        return None
    take_heartbeats(call, beats or (), errors or ())
    return _HEARD


def _is_heartbeat(given: object) -> bool:
    return (
        isinstance(given, dict)
        and given.keys() == {"deploymentName", "serializedAgentHeartbeat"}
        and all(isinstance(value, str) for value in given.values())
    )


async def _agents(call: Call, given: Given) -> Response | None:
    since = given.get("heartbeatedSince")
    if isinstance(since, bool) or not (since is None or isinstance(since, int | float)):
        return None
    now = call.context.clock.now()
    fleet = call.authority.dagster_fleet
    found = [
        {"id": agent.id, "status": agent.status_at(now).value}
        for agent in fleet.seen_by(call.guest, int((since or 0) * _SECOND_US))
    ]
    return Response.json({"data": {"agents": found}})


def _asked(call: Call, given: Given, *, for_work: bool) -> Sequence[Deployment] | None:
    names = given.get("deploymentNames")
    if not call.guest.is_agent or not _texts(names):
        return None
    return served(call.guest, names or (), for_work=for_work)


async def _deployments(call: Call, given: Given) -> Response | None:
    found = _asked(call, given, for_work=False)
    if found is None:
        return None
    return Response.json({"data": {"deployments": [{"deploymentName": one.name} for one in found]}})


async def _entries(call: Call, given: Given) -> Response | None:
    if not isinstance(given.get("includeAllServerlessDeployments"), bool) or not _queues(given):
        return None
    found = _asked(call, given, for_work=True)
    if found is None:
        return None
    answered = []
    for deployment in found:
        listed = entries_of(await call.authority.locations.of(deployment), given.get("agentQueues"))
        for one in listed:
            del one["record"]
        answered.append(
            {
                "deploymentName": deployment.name,
                "isBranchDeployment": not deployment.full,
                "workspaceEntries": listed,
            }
        )
    return Response.json({"data": {"deployments": answered}})


async def _info(call: Call, _given: Given) -> Response | None:
    found = [call.deployment] if call.deployment else [one for one in visible(call.guest) if one.full]
    if not call.guest.is_agent or len(found) != 1:
        return None
    return Response.json({"data": {"deploymentInfo": {"deploymentName": found[0].name}}})


def _leaves(*names: str) -> tuple[Form, ...]:
    return tuple((name, (), ()) for name in names)


_ENTRY = _leaves(
    "locationName",
    "serializedDeploymentMetadata",
    "hasOutdatedData",
    "hasLoadError",
    "metadataTimestamp",
)
_WORK = _leaves("requestId", "requestApi", "requestBody", "deploymentName", "isBranchDeployment")
_KNOWN: dict[tuple[OperationType, Form], Answering] = {
    (
        OperationType.MUTATION,
        (
            "userCloudAgent",
            (),
            (
                (
                    "popUserCloudAgentRequests",
                    ("agentQueues", "forBranchDeployments", "forFullDeployments", "limit"),
                    _WORK,
                ),
            ),
        ),
    ): _pop,
    (
        OperationType.MUTATION,
        (
            "userCloudAgent",
            (),
            (
                (
                    "addAgentHeartbeats",
                    ("serializedAgentHeartbeats", "serializedErrors"),
                    _leaves("ok"),
                ),
            ),
        ),
    ): _beat,
    (OperationType.QUERY, ("agents", ("heartbeatedSince",), _leaves("id", "status"))): _agents,
    (OperationType.QUERY, ("deployments", ("deploymentNames",), _leaves("deploymentName"))): _deployments,
    (
        OperationType.QUERY,
        (
            "deployments",
            ("deploymentNames", "includeAllServerlessDeployments"),
            (
                *_leaves("deploymentName", "isBranchDeployment"),
                ("workspaceEntries", ("agentQueues",), _ENTRY),
            ),
        ),
    ): _entries,
    (OperationType.QUERY, ("deploymentInfo", (), _leaves("deploymentName"))): _info,
}
