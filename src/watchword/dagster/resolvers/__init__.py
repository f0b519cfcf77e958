"""Resolvers by noun: each translates between a field and the services; an import here registers one."""

from watchword.dagster.resolvers import agent_tokens as agent_tokens
from watchword.dagster.resolvers import agents as agents
from watchword.dagster.resolvers import deployments as deployments
from watchword.dagster.resolvers import elsewhere as elsewhere
from watchword.dagster.resolvers import locations as locations
from watchword.dagster.resolvers import managing as managing
from watchword.dagster.resolvers import people as people
from watchword.dagster.resolvers import runs as runs
from watchword.dagster.resolvers import settings as settings
from watchword.dagster.resolvers import storage as storage
from watchword.dagster.resolvers import user_tokens as user_tokens
