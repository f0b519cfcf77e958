"""Anything by its global id (contract rest-graphql §3.4)."""

from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, query
from watchword.graphql.call import Call
from watchword.graphql.finding import thing_of


@query("node", None)
async def node(call: Call, arguments: Arguments) -> Thing | None:
    """An id that cannot be read, or names what is absent, foreign or not to be seen: all null, no error."""
    named = ids.read(str(arguments["id"]))
    return await thing_of(call, named.type, named.uuid) if named is not None else None
