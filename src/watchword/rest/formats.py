"""Formats of the REST API: those that it shares with GraphQL, under the name that its modules know."""

from watchword.domain.formats import Site as Site  # noqa: PLC0414 - handed on
from watchword.domain.formats import graphql_id as graphql_id  # noqa: PLC0414 - the same
from watchword.domain.formats import instant as instant  # noqa: PLC0414 - the same
from watchword.domain.formats import maybe_instant as maybe_instant  # noqa: PLC0414 - the same
from watchword.domain.formats import read_time as read_time  # noqa: PLC0414 - the same
from watchword.domain.formats import utc_text as utc_text  # noqa: PLC0414 - the same
from watchword.domain.formats import whole_seconds as whole_seconds  # noqa: PLC0414 - the same
