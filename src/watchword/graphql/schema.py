"""The executable schema: the files of `schema/` and the resolvers, joined once."""

import re
from functools import cache
from importlib.resources import files

from ariadne import ObjectType, SchemaBindable, make_executable_schema
from graphql import GraphQLSchema

from watchword.domain.eventcatalogue import every_word
from watchword.graphql.binding import GUARDED, abstract_types
from watchword.graphql.scalars import SCALARS


def text() -> str:
    """The schema as it is written, all files joined."""
    folder = files("watchword.graphql") / "schema"
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".graphql"))
    parts = [(folder / name).read_text(encoding="utf-8") for name in names]
    return "\n".join([*parts, *_own_words("\n".join(parts))])


def _own_words(written: str) -> list[str]:
    """Words of audit events that are ours alone: the catalogue has them, and grows with the actions."""
    known = set(re.findall(r"^  ([A-Z_]+)$", written.partition("enum AuditEventType {")[2], re.MULTILINE))
    words = [word for word in every_word() if word not in known]
    return [f"extend enum AuditEventType {{ {' '.join(words)} }}"] if words else []


@cache
def executable() -> GraphQLSchema:
    """The schema with its resolvers."""
    from watchword.graphql import resolvers  # noqa: PLC0415 - importing them is what binds them

    del resolvers
    objects: list[SchemaBindable] = [_bound(name) for name in sorted(GUARDED)]
    return make_executable_schema(text(), *objects, *abstract_types(), *SCALARS)


def _bound(name: str) -> ObjectType:
    bindable = ObjectType(name)
    for field, guarded in GUARDED[name].items():
        bindable.set_field(field, guarded.resolve)
    return bindable
