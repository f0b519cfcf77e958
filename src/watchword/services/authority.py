"""The authority: every service of one process, made once by the composition root and given to surfaces."""

from dataclasses import dataclass

from watchword.services.alarming import Alarms
from watchword.services.attempts import Attempts
from watchword.services.attention import Attention
from watchword.services.blast import Blast
from watchword.services.budgets import Treasurer
from watchword.services.builds import Builder
from watchword.services.cacheregistries import sweep_caches
from watchword.services.caches import Caches
from watchword.services.codelocations import Locations
from watchword.services.context import Caller, Context
from watchword.services.control import Controller
from watchword.services.dagsteragents import DagsterFleet
from watchword.services.dagsterdoor import Door
from watchword.services.dagsterhouse import DagsterHouse
from watchword.services.dagsteruploads import Uploads
from watchword.services.delivering import Deliverer
from watchword.services.dispatching import Dispatcher
from watchword.services.editing import Editor
from watchword.services.egress import Egress
from watchword.services.finishing import Finisher
from watchword.services.fleet import Fleet
from watchword.services.following import Following
from watchword.services.guarding import Guard
from watchword.services.holding import Holders
from watchword.services.identities import Identities
from watchword.services.jobidentity import JobIdentity
from watchword.services.jobsecrets import JobSecrets
from watchword.services.joining import Joiner
from watchword.services.keysets import KeySets
from watchword.services.leakactions import LeakActions
from watchword.services.leakfinding import Finder
from watchword.services.leakgate import LeakGate
from watchword.services.leaklookup import LeakLookup
from watchword.services.leakpossession import Possessions
from watchword.services.leakreports import Reports
from watchword.services.leakresponding import Responder
from watchword.services.ledger import Ledger
from watchword.services.logwindows import LogWindows
from watchword.services.making import Maker
from watchword.services.notes import Notes
from watchword.services.oauthdoor import OAuthDoor
from watchword.services.overview import Overseer
from watchword.services.own_security import OwnSecurity
from watchword.services.packagedoor import PackageDoor
from watchword.services.packagefiles import purge
from watchword.services.passkey_signing import PasskeySigning
from watchword.services.passkeys import Passkeys
from watchword.services.passwords import Resets
from watchword.services.portaldoor import PortalDoor
from watchword.services.portals import PortalDesk
from watchword.services.reach import Reach
from watchword.services.repositorytokens import RepositoryTokens
from watchword.services.reserving import Reserver
from watchword.services.revoking import Revoker
from watchword.services.rosters import Rosters
from watchword.services.rotating import Rotator
from watchword.services.running import Runner
from watchword.services.scheduling import Scheduler
from watchword.services.sealedvalues import sweep_copies
from watchword.services.signing_in import SigningIn
from watchword.services.single_sign_on import SingleSignOn
from watchword.services.stacklimits import StackLimits, limits_of
from watchword.services.stacknotes import StackNotes
from watchword.services.stacks import Stacks
from watchword.services.stepping import Stepper
from watchword.services.streaming import Streams
from watchword.services.tokensearch import TokenFinder
from watchword.services.trailchecks import TrailChecks
from watchword.services.uploading import Uploader
from watchword.services.verifying import Verifier
from watchword.services.withdrawing import Withdrawer
from watchword.services.workitems import WorkDesk


@dataclass(frozen=True, slots=True)
class Authority:
    """All services, wired."""

    context: Context
    ledger: Ledger
    verifier: Verifier
    fleet: Fleet
    dispatcher: Dispatcher
    streams: Streams
    finisher: Finisher
    scheduler: Scheduler
    builder: Builder
    uploader: Uploader
    stepper: Stepper
    attempts: Attempts
    controller: Controller
    runner: Runner
    attention: Attention
    rotator: Rotator
    alarms: Alarms
    budgets: Treasurer
    reach: Reach
    signing_in: SigningIn
    single_sign_on: SingleSignOn
    passkeys: Passkeys
    passkey_signing: PasskeySigning
    resets: Resets
    own_security: OwnSecurity
    deliverer: Deliverer
    revoker: Revoker
    editor: Editor
    blast: Blast
    following: Following
    trail_checks: TrailChecks
    finder: TokenFinder
    overseer: Overseer
    windows: LogWindows
    notes: Notes
    rosters: Rosters
    responder: Responder
    leak_reports: Reports
    dagster_door: Door
    leak_actions: LeakActions
    leak_gate: LeakGate
    possessions: Possessions
    leak_lookup: LeakLookup
    dagster_fleet: DagsterFleet
    work_desk: WorkDesk
    locations: Locations
    uploads: Uploads
    dagster_house: DagsterHouse
    job_secrets: JobSecrets
    job_identity: JobIdentity
    oauth: OAuthDoor
    portals: PortalDesk
    caches: Caches
    repository_tokens: RepositoryTokens
    portal_door: PortalDoor
    key_sets: KeySets
    identities: Identities
    joiner: Joiner
    package_door: PackageDoor
    stacks: Stacks
    reserver: Reserver
    stack_notes: StackNotes
    stack_limits: StackLimits

    @classmethod
    def wire(cls, context: Context) -> "Authority":
        """Build the services on a context."""
        context.announcer.follow(context.feed)
        ledger = Ledger(context)
        verifier = Verifier(context, ledger)
        attention = Attention(context)
        rotator = Rotator(context, attention, Holders(context, ledger))
        alarms = Alarms(context, attention, ledger)
        verifier.heed(Guard(attention, rotator, alarms))
        fleet = Fleet(context)
        dispatcher = Dispatcher(context, fleet)
        streams = Streams(context, fleet, dispatcher)
        streams.follow()
        scheduler = Scheduler(context, dispatcher)
        finisher = Finisher(context, fleet, dispatcher, scheduler, rotator.left)
        maker = Maker(context)
        builder = Builder(context, scheduler, maker)
        uploader = Uploader(context, scheduler, maker)
        stepper = Stepper(context, scheduler)
        controller = Controller(context, fleet, dispatcher, finisher)
        runner = Runner(context, dispatcher)
        withdrawer = Withdrawer(context, fleet, finisher, ledger)
        revoker = Revoker(context, withdrawer)
        signing_in = SigningIn(context)
        finder = TokenFinder(context, ledger, fleet, attention)
        responder = Responder(context, revoker, rotator, finisher, context.installation.breaker)
        found = Finder(context)
        reports = Reports(context, found, responder)
        job_secrets, egress = JobSecrets(context, ledger), Egress(context.installation.reach)
        dagster_fleet, uploads = DagsterFleet(context), Uploads(context)
        egress = Egress(context.installation.reach)
        key_sets = KeySets(context.clock, egress)
        identities = Identities(context, key_sets, ledger)
        return cls(
            context,
            ledger,
            verifier,
            fleet,
            dispatcher,
            streams,
            finisher,
            scheduler,
            builder,
            uploader,
            stepper,
            Attempts(context, scheduler),
            controller,
            runner,
            attention,
            rotator,
            alarms,
            Treasurer(context),
            Reach(context),
            signing_in,
            SingleSignOn(context),
            Passkeys(context),
            PasskeySigning(context, signing_in),
            Resets(context),
            OwnSecurity(context, signing_in),
            Deliverer(context, egress),
            revoker,
            Editor(context, revoker),
            Blast(context, ledger, withdrawer, dagster_fleet),
            Following(context, {"dagster_agent": dagster_fleet.pulse}),
            TrailChecks(context),
            finder,
            Overseer(context, ledger, fleet, dispatcher, finder),
            LogWindows(context),
            Notes(),
            Rosters(context, fleet, dispatcher, ledger),
            responder,
            reports,
            Door(context, verifier),
            LeakActions(context, responder, reports),
            LeakGate(context),
            Possessions(context, found, reports, attention),
            LeakLookup(context, attention),
            dagster_fleet,
            WorkDesk(context),
            Locations(context),
            uploads,
            DagsterHouse(context, dagster_fleet, uploads),
            job_secrets,
            JobIdentity(context),
            OAuthDoor.of(context, verifier),
            PortalDesk(context),
            Caches(context),
            RepositoryTokens(context, job_secrets, egress),
            PortalDoor(context, verifier),
            key_sets,
            identities,
            Joiner(context, fleet, identities),
            PackageDoor(context, verifier),
            Stacks(context),
            Reserver(context, scheduler),
            StackNotes(context),
            StackLimits(context.clock, limits_of(context.installation.rate_limits)),
        )

    async def load(self) -> None:
        """Read what lives in memory: agents and open jobs."""
        await self.context.announcer.load(self.context.store)
        await self.verifier.load()
        await self.fleet.load()
        await self.dispatcher.load()
        await self.uploader.load()
        await self.attention.load()
        await self.dagster_fleet.load()
        await self.work_desk.load()

    async def flush(self, *, everything: bool = False) -> None:
        """Write what memory holds and the database does not: use, signs of life.

        Args:
            everything: at the end of a process; else recent signs of life may wait for a later round.
        """
        await self.ledger.flush()
        await self.fleet.flush(everything=everything)
        await self.alarms.flush()
        await self.signing_in.flush()
        await self.dagster_fleet.flush()
        await self.stacks.flush(everything=everything)

    async def sweep(self, caller: Caller) -> None:
        """End what is overdue and forget what has expired."""
        await self.finisher.sweep(caller)
        await self.controller.sweep(caller)
        await self.reserver.sweep(caller)
        await self.rotator.sweep(caller)
        await self.alarms.raise_clones()
        await self.verifier.blocks.record()
        await self.revoker.sweep(caller)
        await self.responder.sweep()
        await self.dagster_house.keep()
        await self.joiner.sweep()
        await purge(self.context)
        now = self.context.clock.now()
        await self.context.store.write(lambda tx: tx.audit.forget(now))
        await self.oauth.forget()
        await sweep_copies(self.context)
        await sweep_caches(self.context)
