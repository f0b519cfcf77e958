"""Resolvers by noun: each translates between a field and the services that REST uses."""

from watchword.graphql.resolvers import absent as absent
from watchword.graphql.resolvers import agent_tokens as agent_tokens
from watchword.graphql.resolvers import agents as agents
from watchword.graphql.resolvers import api_tokens as api_tokens
from watchword.graphql.resolvers import audit as audit
from watchword.graphql.resolvers import banners as banners
from watchword.graphql.resolvers import builds as builds
from watchword.graphql.resolvers import cluster_tokens as cluster_tokens
from watchword.graphql.resolvers import clusters as clusters
from watchword.graphql.resolvers import invitations as invitations
from watchword.graphql.resolvers import jobs as jobs
from watchword.graphql.resolvers import kept as kept
from watchword.graphql.resolvers import members as members
from watchword.graphql.resolvers import nodes as nodes
from watchword.graphql.resolvers import organizations as organizations
from watchword.graphql.resolvers import pipelines as pipelines
from watchword.graphql.resolvers import queues as queues
from watchword.graphql.resolvers import registries as registries
from watchword.graphql.resolvers import rotations as rotations
from watchword.graphql.resolvers import services as services
from watchword.graphql.resolvers import settings as settings
from watchword.graphql.resolvers import team_members as team_members
from watchword.graphql.resolvers import teams as teams
from watchword.graphql.resolvers import users as users
