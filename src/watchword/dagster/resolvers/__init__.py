"""Resolvers by noun, registered by an import here: each translates between a field and the services."""

from watchword.dagster.resolvers import agents as agents
from watchword.dagster.resolvers import deployments as deployments
