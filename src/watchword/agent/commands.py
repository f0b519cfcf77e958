"""The `agent` commands: `start`, and those that scripts call inside a job."""

import inspect
import sys
from typing import Annotated

from cyclopts import App, Group, Parameter

from watchword.agent import jobcommands
from watchword.agent.options import GROUPS, Kind, Option

app = App(name="agent", help="Run an agent, and talk to the server from inside a job.")
jobcommands.mount(app)


def start(**given: str | bool | list[str] | None) -> None:
    """Register agents and run jobs until they are told to leave.

    A flag beats its environment variable, which beats the key of the same name in the configuration
    file. The first SIGTERM or SIGINT lets running jobs finish, a second one or SIGQUIT cancels them, a
    third ends the process at once; SIGHUP looks for a new value of the token.

    The token is a value, or says where the value is: file:PATH, fd:N, env:NAME, ssm:/PARAMETER,
    vault:PATH#FIELD. Jobs do not see a value given as a flag; others may, for the moment until the
    process has replaced itself: prefer the other ways.
    """
    from watchword.agent import start as starting  # noqa: PLC0415 - keeps --help quick

    sys.exit(starting.start({name.replace("_", "-"): _text(value) for name, value in given.items()}))


def _text(value: str | bool | list[str] | None) -> str | None:  # noqa: FBT001 - a switch
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else value


def _parameter(option: Option, group: Group) -> inspect.Parameter:
    """A flag; its help says the variable and the default."""
    default = f" [default: {option.default}]" if option.default else ""
    described = Parameter(
        group=group,
        help=f"{option.help} ({option.variable}){default}".replace("*", r"\*"),
        negative=(),
        show_default=False,
        allow_leading_hyphen=option.kind is not Kind.SWITCH,
    )
    kind = {Kind.SWITCH: bool | None, Kind.LIST: list[str] | None}.get(option.kind, str | None)
    return inspect.Parameter(
        option.field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, described]
    )


def _signature() -> inspect.Signature:
    groups = {name: Group(name, sort_key=place) for place, name in enumerate(GROUPS)}
    return inspect.Signature(
        [_parameter(option, groups[name]) for name, options in GROUPS.items() for option in options]
    )


start.__signature__ = _signature()  # type: ignore[attr-defined]
start.__annotations__ = {}
app.command(start)
