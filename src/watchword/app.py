"""The composition root: settings → store → services → surfaces → server. The only module that knows all."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from watchword import agentapi, oauth
from watchword.agentapi import app as agentapi_app
from watchword.backup import require_settled
from watchword.dagster import app as dagster_app
from watchword.domain.errors import WatchwordError
from watchword.domain.leakdoors import LookupBy, Possession
from watchword.domain.notifications import Occurrence
from watchword.domain.portals import StoredOperation
from watchword.edge import ops
from watchword.edge.app import Edge
from watchword.edge.http import Asgi
from watchword.edge.meter import Meter
from watchword.edge.router import Router
from watchword.feed.local import LocalFeed
from watchword.host.desk import Desk
from watchword.host.sockets import listening
from watchword.leaks_api import app as leaks_app
from watchword.oauth import app as oauth_app
from watchword.objects.stored import open_objects
from watchword.opening import DatabaseLost, DataInUse, Opened, open_database
from watchword.packages import app as packages_app
from watchword.portal import app as portal_app
from watchword.services.announcing import Matter, Renderer
from watchword.services.authority import Authority
from watchword.services.context import LOCAL, Clock, Context, Installation
from watchword.services.drillhouse import DrillHouse
from watchword.services.house import House
from watchword.services.keeping import Keeper
from watchword.services.leaktelling import Teller
from watchword.services.mail import Postman
from watchword.services.portaldocuments import Documents, Run
from watchword.services.sealing import Sealer
from watchword.settings import Settings
from watchword.store.base import Transaction
from watchword.workers.frontdoor import FrontDoor
from watchword.workers.headfile import HeadFile
from watchword.workers.headhooks import HeadHooks
from watchword.workers.loop import Periodic, Workers
from watchword.workers.post import open_post

__all__ = ["Application", "DataInUse", "SystemClock", "agentapi", "oauth"]

OBJECTS = "objects"
MAIL = "mail"
_REST = "watchword.rest.app"
_GRAPHQL = "watchword.graphql.app"
_CONSOLE = "watchword.web.app"
_DOCUMENTS = "watchword.graphql.stored"
_PAYLOADS = "watchword.rest.hookshapes"
# Agents keep idle connections for 90 s (contract agent-api §1.6, trap 22).
IDLE_MS = 120_000
_MAX_HEADER_BYTES = 32 * 1024
_BACKLOG = 4096
_MAX_CONNECTIONS = 100_000
# How soon uploads that are worked off in the background are looked for.
_UPLOADS_SECONDS = 0.25
# How soon jobs are offered on streams that were kept for other agents, or whose offer was lost.
_STREAMS_SECONDS = 1
# How soon mail that was queued leaves.
_MAIL_SECONDS = 2
# How soon people are told of leaks.
_LEAKS_SECONDS = 1
# How soon deliveries to webhooks are looked for.
_HOOKS_SECONDS = 0.5
# How soon the server sees that a drill is due; those count in days.
_DRILLS_SECONDS = 600
# Retention counts in days.
_HOUSE_SECONDS = 1800
# So do reminders and inactivity.
_KEEPER_SECONDS = 3600
_SECOND_US = 1_000_000


# The server's own threads and the loop take turns at the interpreter this often; the usual 5 ms would
# let a request wait that long for each hand-over (measured: p99 of 55 ms against 12).
_SWITCH_SECONDS = 0.0005


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end, on the loop and with the settings of the interpreter that suit one."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    uvloop.run(work)


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000


def _lazy(module: str, authority: Authority) -> Callable[[], Asgi]:
    """A surface that is made when the first request for it comes: agents need not wait for it at a start."""

    @cache
    def make() -> Asgi:
        application: Asgi = import_module(module).build(authority)
        return application

    return make


def _lazy_payloads(url: str) -> Renderer:
    """Payloads of webhooks, whose shapes are those of REST and imported with them."""

    async def render(tx: Transaction, occurrence: Occurrence, matter: Matter) -> Mapping[str, object]:
        said: Mapping[str, object] = await import_module(_PAYLOADS).Payloads(url)(tx, occurrence, matter)
        return said

    return render


class LazyDocuments:
    """What runs portals' documents; imported with the first one, since GraphQL takes its time."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    @cached_property
    def _made(self) -> Documents:
        made: Documents = import_module(_DOCUMENTS).build(self._authority)
        return made

    def outline(self, document: str) -> tuple[StoredOperation, ...]:
        """The operations of a document; raises `Invalid` where it does not fit."""
        return self._made.outline(document)

    async def run(self, run: Run) -> Mapping[str, object]:
        """A GraphQL answer."""
        return await self._made.run(run)


@dataclass(slots=True)
class Application:
    """One server process: made by `open`, served by `serve`, ended by `close`."""

    settings: Settings
    authority: Authority
    edge: Edge
    routes: Router
    meter: Meter
    database: Opened
    workers: Workers
    sealer: Sealer
    drills: DrillHouse
    _cold: tuple[Callable[[], Asgi], ...]
    _server: Server | None = field(default=None)

    @classmethod
    async def open(cls, settings: Settings, clock: Clock | None = None) -> "Application":
        """Open the data folder and wire everything; starts nothing.

        Raises:
            DataInUse: another server runs on the folder or the database.
            KeyFileError: the key file is missing, open to others or damaged.
            DatabaseError: PostgreSQL cannot be used.
            SchemaError: the database is of a newer version.
        """
        feed = LocalFeed()
        database = await open_database(settings, feed)
        installation = Installation(
            url=settings.public_url,
            brand=settings.brand,
            former_brands=settings.former_brands,
            cell=settings.cell,
            ping_interval=settings.ping_interval,
            job_status_interval=settings.job_status_interval,
            heartbeat_interval=settings.heartbeat_interval,
            ping_streams=settings.ping_streams,
            session_on_job_routes=settings.session_on_job_routes,
            session_idle_hours=settings.session_idle_hours,
            session_days=settings.session_days,
            quotas=settings.quotas,
            rate_limits=settings.rate_limits,
            retention=settings.retention,
            reach=settings.reach,
            webhook_ips=settings.webhook_ips,
            single_sign_on=settings.single_sign_on,
            breaker=settings.breaker,
            leak_reporters=settings.leak_reporters,
            leak_possession=Possession(settings.leak_possession),
            leak_lookup=LookupBy(settings.leak_lookup),
            job_identity_seconds=settings.job_identity_seconds,
            job_identity_algorithm=settings.job_identity_algorithm,
        )
        objects = open_objects(
            settings.object_store, settings.data / OBJECTS, direct=settings.object_store_direct
        )
        context = Context(
            database.store, feed, clock or SystemClock(), database.keys, installation, objects=objects
        )
        context.announcer.renderer = _lazy_payloads(settings.public_url)
        authority = Authority.wire(context)
        authority.portals.documents = LazyDocuments(authority)
        await authority.load()
        meter = _meter(authority)

        async def ready() -> str:
            await context.store.read(lambda tx: tx.accounts.organizations())
            return ""

        routes = Router(
            [
                *agentapi_app.routes(authority),
                *oauth_app.routes(authority),
                *leaks_app.routes(authority),
                *portal_app.routes(authority),
                *dagster_app.routes(authority),
                *packages_app.routes(authority),
                *ops.routes(meter, ready, context.clock.now),
            ]
        )
        postman = Postman(context, open_post(settings.smtp_url, settings.data / MAIL, settings.mail_sender))
        graphql = _lazy(_GRAPHQL, authority)
        mounts = {"/v2": _lazy(_REST, authority), "/v1": graphql, "/graphql": graphql}
        console = _lazy(_CONSOLE, authority)
        edge = Edge(routes, mounts, settings.proxies, meter, console=console)
        head_file = HeadFile(settings.head_file)
        authority.trail_checks.published = head_file
        sealer = Sealer(
            context,
            [head_file, HeadHooks(context)],
            settings.audit_publish_grace * _SECOND_US,
        )
        drills = DrillHouse(authority, settings.drill_interval_days)
        workers = Workers(
            [
                Periodic("flush", settings.flush_interval, authority.flush),
                Periodic("sweep", settings.sweep_interval, lambda: authority.sweep(LOCAL)),
                Periodic("streams", _STREAMS_SECONDS, authority.streams.look_again),
                Periodic("uploads", _UPLOADS_SECONDS, authority.uploader.work_off),
                Periodic("hooks", _HOOKS_SECONDS, authority.deliverer.work_off),
                Periodic("house", _HOUSE_SECONDS, House(context).keep),
                Periodic("keeper", _KEEPER_SECONDS, Keeper(context, authority.ledger).keep),
                Periodic("seal", settings.audit_seal_interval, sealer.seal),
                Periodic("leaks", _LEAKS_SECONDS, Teller(context).work_off),
                Periodic("drills", _DRILLS_SECONDS, drills.keep),
                Periodic("mail", _MAIL_SECONDS, postman.work_off),
                Periodic("old mail", _HOUSE_SECONDS, postman.forget),
                Periodic("resets", _MAIL_SECONDS, authority.resets.work_off),
                Periodic("old sessions", _HOUSE_SECONDS, authority.signing_in.forget),
            ]
        )
        return cls(
            settings, authority, edge, routes, meter, database, workers, sealer, drills, (graphql, console)
        )

    async def serve(self, started: Callable[[], None] | None = None) -> None:
        """Serve until `stop`; returns after the last answer.

        Raises:
            DatabaseLost: the database was no longer ours, which ended the server.
            BackupError: a restore on this folder did not end.
        """
        require_settled(self.settings.data)
        host, port = self.settings.address
        self._server = Server(
            self.edge,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto if self.settings.tls_cert else HTTPModes.http1,
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_MAX_CONNECTIONS,
            http1_settings=HTTP1Settings(
                header_read_timeout=IDLE_MS, max_buffer_size=_MAX_HEADER_BYTES, pipeline_flush=True
            ),
            log_enabled=False,
            ssl_cert=self.settings.tls_cert,
            ssl_key=self.settings.tls_key,
        )
        self.workers.start()
        serving = asyncio.create_task(self._server.serve())
        try:
            # What start-up made stays: the collector need not walk over it again and again.
            gc.collect()
            gc.freeze()
            await _listening(host, port, serving)
            self.drills.door = FrontDoor(_own_url(self.settings))
            async with listening(self.settings.data, Desk(self.authority, self.drills).answer):
                if started is not None:
                    started()
                # After the start, beside it: the first call of a person need not wait for these imports.
                await asyncio.to_thread(import_module, _REST)
                for surface in (*self._cold, dagster_app.warm):
                    await asyncio.to_thread(surface)
                ending = asyncio.create_task(self._end_when_lost())
                await serving
                ending.cancel()
        finally:
            await self.workers.stop()
            await self.authority.deliverer.stop()
            await self.authority.trail_checks.stop()
        if self.database.lost.is_set():
            raise DatabaseLost("the server ended: its lock on the database was lost; start it again")

    async def _end_when_lost(self) -> None:
        """Fail closed: what memory holds may be wrong as soon as another server may write."""
        await self.database.lost.wait()
        self.stop()

    def stop(self) -> None:
        """Ask `serve` to end; pages that are kept up to date are let go first."""
        self.authority.following.stop()
        self.authority.streams.stop()
        self.authority.windows.stop()
        if self._server is not None:
            self._server.stop()  # type: ignore[no-untyped-call] # Granian has no annotation here

    async def close(self) -> None:
        """Write what memory holds, let go of database and folder."""
        with suppress(WatchwordError):
            await self.authority.flush(everything=True)
            await self.sealer.seal()
        await self.database.release()


def _target(host: str) -> str:
    """Where a server that listens there can be reached from this machine."""
    return "127.0.0.1" if host in ("0.0.0.0", "") else "::1" if host == "::" else host  # noqa: S104


def _own_url(settings: Settings) -> str:
    """The address at which this process serves, whatever it is called outside."""
    host, port = settings.address
    target = _target(host)
    shown = f"[{target}]" if ":" in target else target
    return f"{'https' if settings.tls_cert else 'http'}://{shown}:{port}"


async def _listening(host: str, port: int, serving: "asyncio.Task[None]") -> None:
    """Wait until the server takes connections."""
    target = _target(host)
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(target, port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        return


def _meter(authority: Authority) -> Meter:
    meter = Meter()
    fleet, dispatcher = authority.fleet, authority.dispatcher
    meter.gauge("watchword_agents", "Agents in memory.", lambda: len(fleet.agents))
    streams = authority.streams.by_agent
    meter.gauge("watchword_ping_streams", "Agents that listen on a stream.", lambda: len(streams))
    meter.gauge("watchword_jobs_held", "Jobs in agents' hands.", lambda: len(dispatcher.held))
    meter.gauge(
        "watchword_jobs_waiting",
        "Jobs that wait for an agent.",
        lambda: sum(len(line) for line in dispatcher.lines.waiting.values()),
    )
    meter.gauge("watchword_tokens_cached", "Live tokens in the cache.", lambda: authority.verifier.cached)
    return meter
