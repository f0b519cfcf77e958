"""The store's contract: what any backend must do. One conformance suite runs on every backend.

A unit of work is a coroutine function that takes a `Transaction` and awaits nothing but its methods.
It is committed whole or not at all; it may be run again where the database asks for it, so it has no
effect besides. Conditional writes answer whether they took place: the row count decides, not a read.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from watchword.store.base_accounts import Accounts
from watchword.store.base_artifacts import Artifacts
from watchword.store.base_assignments import Assignment, Assignments
from watchword.store.base_audit import Audit, Replay
from watchword.store.base_caches import Caches
from watchword.store.base_dagster import CodeLocations, DagsterAgents, WorkItems
from watchword.store.base_dagsterruns import DagsterRuns, DagsterUploads
from watchword.store.base_deployments import Deployments
from watchword.store.base_directory import Directory
from watchword.store.base_exchanges import Exchanges
from watchword.store.base_fleet import Fleet
from watchword.store.base_hooks import Hooks
from watchword.store.base_house import House
from watchword.store.base_hygiene import Hygiene
from watchword.store.base_jobpolicies import JobPolicies
from watchword.store.base_leaks import Leaks
from watchword.store.base_members import Members
from watchword.store.base_oauth import OAuth
from watchword.store.base_people import Mails, People, SealedValues, Sessions
from watchword.store.base_pipelines import Pipelines
from watchword.store.base_policies import Policies
from watchword.store.base_portals import Portals
from watchword.store.base_proofs import Proofs
from watchword.store.base_queues import Queues, Secrets
from watchword.store.base_registries import Packages, Registries
from watchword.store.base_repositories import Repositories
from watchword.store.base_revocations import Revocations
from watchword.store.base_rosters import Rosters
from watchword.store.base_rotations import Incidents, Rotations
from watchword.store.base_stacks import Reservations, Stacks
from watchword.store.base_steps import Steps
from watchword.store.base_tallies import Tallies
from watchword.store.base_teams import Appointment, Teams
from watchword.store.base_tokens import Tokens
from watchword.store.base_tokensearch import TokenSearch
from watchword.store.base_trail import Trail
from watchword.store.base_work import Builds, Logs
from watchword.store.base_workloads import Workloads
from watchword.store.page import EVERYTHING, Duplicate, Page

__all__ = [
    "EVERYTHING",
    "Accounts",
    "Appointment",
    "Artifacts",
    "Assignment",
    "Assignments",
    "Audit",
    "Builds",
    "Caches",
    "CodeLocations",
    "DagsterAgents",
    "DagsterRuns",
    "DagsterUploads",
    "Deployments",
    "Directory",
    "Duplicate",
    "Exchanges",
    "Fleet",
    "Hooks",
    "House",
    "Hygiene",
    "Incidents",
    "JobPolicies",
    "Leaks",
    "Logs",
    "Mails",
    "Members",
    "OAuth",
    "Packages",
    "Page",
    "People",
    "Pipelines",
    "Policies",
    "Portals",
    "Proofs",
    "Queues",
    "Registries",
    "Replay",
    "Repositories",
    "Reservations",
    "Revocations",
    "Rosters",
    "Rotations",
    "SealedValues",
    "Secrets",
    "Sessions",
    "Stacks",
    "Steps",
    "Store",
    "Tallies",
    "Teams",
    "TokenSearch",
    "Tokens",
    "Trail",
    "Transaction",
    "Work",
    "WorkItems",
    "Workloads",
]

T = TypeVar("T")


class Transaction(Protocol):
    """Everything a unit of work can reach."""

    @property
    def tokens(self) -> Tokens:
        """Tokens."""

    @property
    def accounts(self) -> Accounts:
        """Accounts."""

    @property
    def policies(self) -> Policies:
        """Security policies."""

    @property
    def job_policies(self) -> JobPolicies:
        """Policies of jobs."""

    @property
    def portals(self) -> Portals:
        """Portals and their codes."""

    @property
    def exchanges(self) -> Exchanges:
        """Applications that exchange assertions."""

    @property
    def workloads(self) -> Workloads:
        """Trusted issuers, used identity tokens, agents' identities."""

    @property
    def members(self) -> Members:
        """Members, invitations, banners."""

    @property
    def directory(self) -> Directory:
        """Members, and how they come in."""

    @property
    def teams(self) -> Teams:
        """Teams and maintainers."""

    @property
    def rotations(self) -> Rotations:
        """Rotations."""

    @property
    def incidents(self) -> Incidents:
        """Incidents."""

    @property
    def deployments(self) -> Deployments:
        """Deployments of Dagster+."""

    @property
    def code_locations(self) -> CodeLocations:
        """Code locations of deployments."""

    @property
    def work_items(self) -> WorkItems:
        """Work of Dagster agents."""

    @property
    def dagster_agents(self) -> DagsterAgents:
        """Dagster agents."""

    @property
    def dagster_runs(self) -> DagsterRuns:
        """Runs of Dagster jobs, and their events."""

    @property
    def dagster_uploads(self) -> DagsterUploads:
        """What Dagster agents put into the object store."""

    @property
    def leaks(self) -> Leaks:
        """Leaks."""

    @property
    def registries(self) -> Registries:
        """Package registries."""

    @property
    def packages(self) -> Packages:
        """Packages in registries, and their files."""

    @property
    def pipelines(self) -> Pipelines:
        """Whole pipelines."""

    @property
    def queues(self) -> Queues:
        """Changes of queues."""

    @property
    def secrets(self) -> Secrets:
        """Cluster secrets."""

    @property
    def repositories(self) -> Repositories:
        """Where credentials for repositories come from."""

    @property
    def caches(self) -> Caches:
        """The index of caches."""

    @property
    def people(self) -> People:
        """People."""

    @property
    def sessions(self) -> Sessions:
        """People's sessions."""

    @property
    def proofs(self) -> Proofs:
        """Passkeys, identities at single sign-on, used tickets."""

    @property
    def mails(self) -> Mails:
        """Mail."""

    @property
    def oauth(self) -> OAuth:
        """Applications of OAuth, and what they were let do."""

    @property
    def sealed(self) -> SealedValues:
        """Values that may be revealed."""

    @property
    def revocations(self) -> Revocations:
        """Revocations."""

    @property
    def fleet(self) -> Fleet:
        """Agents."""

    @property
    def rosters(self) -> Rosters:
        """Lists of agents."""

    @property
    def builds(self) -> Builds:
        """Builds."""

    @property
    def steps(self) -> Steps:
        """Steps of builds."""

    @property
    def stacks(self) -> Stacks:
        """Stacks, and what they say of jobs."""

    @property
    def reservations(self) -> Reservations:
        """Jobs as stacks take them."""

    @property
    def assignments(self) -> Assignments:
        """Assignments."""

    @property
    def logs(self) -> Logs:
        """Logs."""

    @property
    def artifacts(self) -> Artifacts:
        """Artifacts."""

    @property
    def hooks(self) -> Hooks:
        """Notification services and deliveries."""

    @property
    def house(self) -> House:
        """What retention asks."""

    @property
    def hygiene(self) -> Hygiene:
        """What lists of API access tokens and hygiene ask."""

    @property
    def tallies(self) -> Tallies:
        """Hourly counts."""

    @property
    def token_search(self) -> TokenSearch:
        """One list of tokens of all kinds."""

    @property
    def audit(self) -> Audit:
        """Audit."""

    @property
    def trail(self) -> Trail:
        """Audit trails, as they are read and sealed."""


Work = Callable[[Transaction], Awaitable[T]]


class Store(Protocol):
    """A database."""

    async def write(self, work: Work[T]) -> T:
        """Run a unit of work; returns after it is durable and its notices are published.

        Raises:
            Unavailable: the database cannot take it now.
        """

    async def read(self, work: Work[T]) -> T:
        """Run a read-only unit on the newest committed state."""

    async def close(self) -> None:
        """Finish what is queued and let go of the database."""
