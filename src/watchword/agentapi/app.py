"""The agent API's routes. Where streaming is off it has none: 404 makes new agents poll (contract §3.3)."""

from watchword.agentapi.artifactbytes import ArtifactBytes
from watchword.agentapi.artifacts import Artifacts
from watchword.agentapi.caches import Caches
from watchword.agentapi.control import Control
from watchword.agentapi.identity import Identity
from watchword.agentapi.jobs import Jobs
from watchword.agentapi.metrics import Metrics
from watchword.agentapi.notes import Notes
from watchword.agentapi.running import Running
from watchword.agentapi.secrets import Secrets
from watchword.agentapi.sessions import Sessions
from watchword.agentapi.stacks import StackRoutes
from watchword.agentapi.steps import Steps
from watchword.agentapi.streams import PingStreams
from watchword.agentapi.uploads import Uploads
from watchword.edge.router import Route
from watchword.services.authority import Authority


def routes(authority: Authority) -> list[Route]:
    """All operations of the agent API."""
    streams = PingStreams(authority).routes() if authority.context.installation.ping_streams else ()
    return [
        *Sessions(authority).routes(),
        *streams,
        *Jobs(authority).routes(),
        *Running(authority).routes(),
        *Notes(authority).routes(),
        *Uploads(authority).routes(),
        *Steps(authority).routes(),
        *Control(authority).routes(),
        *Metrics(authority).routes(),
        *Artifacts(authority).routes(),
        *ArtifactBytes(authority).routes(),
        *Secrets(authority).routes(),
        *Identity(authority).routes(),
        *Caches(authority).routes(),
        *StackRoutes(authority).routes(),
    ]
