"""A unit of work's reach: every repository on one connection."""

from watchword.domain.events import Notice
from watchword.store.accounts import AccountRows
from watchword.store.artifacts import ArtifactRows
from watchword.store.assignments import AssignmentRows
from watchword.store.audit import AuditRows
from watchword.store.builds import BuildRows
from watchword.store.caches import CacheRows
from watchword.store.dagster import CodeLocationRows, DagsterAgentRows, WorkItemRows
from watchword.store.dagsterruns import DagsterRunRows, DagsterUploadRows
from watchword.store.deployments import DeploymentRows
from watchword.store.directory import DirectoryRows
from watchword.store.engine import Connection
from watchword.store.exchanges import ExchangeRows
from watchword.store.fleet import FleetRows
from watchword.store.hooks import HookRows
from watchword.store.house import HouseRows
from watchword.store.hygiene import HygieneRows
from watchword.store.jobpolicies import JobPolicyRows
from watchword.store.leaks import LeakRows
from watchword.store.logs import LogRows
from watchword.store.mails import MailRows
from watchword.store.members import MemberRows
from watchword.store.oauth import OAuthRows
from watchword.store.packages import PackageRows
from watchword.store.people import PeopleRows, SessionRows
from watchword.store.pipelines import PipelineRows
from watchword.store.policies import PolicyRows
from watchword.store.portals import PortalRows
from watchword.store.proofs import ProofRows
from watchword.store.queues import QueueRows
from watchword.store.registries import RegistryRows
from watchword.store.repositories import RepositoryRows
from watchword.store.reservations import ReservationRows
from watchword.store.revocations import RevocationRows
from watchword.store.rosters import RosterRows
from watchword.store.rotations import IncidentRows, RotationRows
from watchword.store.sealed import SealedRows
from watchword.store.secrets import SecretRows
from watchword.store.stacks import StackRows
from watchword.store.steps import StepRows
from watchword.store.tallies import TallyRows
from watchword.store.teams import TeamRows
from watchword.store.tokens import TokenRows
from watchword.store.tokensearch import TokenSearchRows
from watchword.store.trail import TrailRows
from watchword.store.workloads import WorkloadRows


class Rows:
    """`store.base.Transaction` on a connection; `posted` holds the notices of the unit under way."""

    def __init__(self, connection: Connection) -> None:
        self.posted: list[Notice] = []
        self.tokens = TokenRows(connection)
        self.accounts = AccountRows(connection)
        self.registries = RegistryRows(connection)
        self.packages = PackageRows(connection)
        self.pipelines = PipelineRows(connection)
        self.policies = PolicyRows(connection)
        self.job_policies = JobPolicyRows(connection)
        self.portals = PortalRows(connection)
        self.exchanges = ExchangeRows(connection)
        self.workloads = WorkloadRows(connection)
        self.rotations = RotationRows(connection)
        self.incidents = IncidentRows(connection)
        self.deployments = DeploymentRows(connection)
        self.code_locations = CodeLocationRows(connection)
        self.work_items = WorkItemRows(connection)
        self.dagster_agents = DagsterAgentRows(connection)
        self.dagster_runs = DagsterRunRows(connection)
        self.dagster_uploads = DagsterUploadRows(connection)
        self.leaks = LeakRows(connection)
        self.queues = QueueRows(connection)
        self.secrets = SecretRows(connection)
        self.caches = CacheRows(connection)
        self.repositories = RepositoryRows(connection)
        self.people = PeopleRows(connection)
        self.sessions = SessionRows(connection)
        self.proofs = ProofRows(connection)
        self.mails = MailRows(connection)
        self.oauth = OAuthRows(connection)
        self.sealed = SealedRows(connection)
        self.members = MemberRows(connection)
        self.directory = DirectoryRows(connection)
        self.teams = TeamRows(connection)
        self.revocations = RevocationRows(connection)
        self.fleet = FleetRows(connection)
        self.rosters = RosterRows(connection)
        self.builds = BuildRows(connection)
        self.steps = StepRows(connection)
        self.stacks = StackRows(connection)
        self.reservations = ReservationRows(connection)
        self.assignments = AssignmentRows(connection)
        self.logs = LogRows(connection)
        self.artifacts = ArtifactRows(connection)
        self.hooks = HookRows(connection)
        self.house = HouseRows(connection)
        self.hygiene = HygieneRows(connection)
        self.tallies = TallyRows(connection)
        self.token_search = TokenSearchRows(connection)
        self.audit = AuditRows(connection, self.posted)
        self.trail = TrailRows(connection)
