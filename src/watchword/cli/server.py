"""`up` and `serve`: start a server; `up` also makes the first things and shows what to do next."""

import asyncio
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from watchword.app import Application, run
from watchword.cli.localagent import LocalAgent
from watchword.cli.ports import free_port
from watchword.crypto.keys import write_private
from watchword.domain.errors import WatchwordError
from watchword.edge.logging import configure
from watchword.opening import has_installation
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.arriving import first_link, somebody_can_sign_in
from watchword.services.context import LOCAL
from watchword.services.onetimelinks import MadeLink
from watchword.settings import Settings, has_password, load

_Text = Annotated[str | None, Parameter(show_default=False)]
_File = Annotated[Path | None, Parameter(show_default=False)]


def up(
    *,
    data: _File = None,
    database: _Text = None,
    listen: _Text = None,
    credentials: _File = None,
    agent: bool = True,
    organization: str = "acme",
    admin_email: str = "admin@example.com",
    config: _File = None,
) -> None:
    """Start a server with everything it needs: data folder, keys, organization, one local agent.

    The first start makes an organization with a cluster, a queue, an agent token and an administrator
    and prints what is shown once. Later starts go on with what is there.

    Args:
        data: Folder of the database and the keys; watchword-data unless set.
        database: PostgreSQL database to use instead, as postgresql://USER@HOST/NAME; an address with
            a password belongs into the variable WATCHWORD_DATABASE.
        listen: HOST:PORT to listen on; 127.0.0.1:8080 unless set.
        credentials: File to write what is shown once to (mode 0600, JSON); never overwritten.
        agent: Start a local agent too; --no-agent leaves it out.
        organization: Slug of the first organization.
        admin_email: Address of the administrator.
        config: Settings file (TOML).
    """
    settings = _settings(config, data, listen, database)
    if credentials is not None and credentials.exists() and not has_installation(settings):
        raise WatchwordError(
            f"{credentials} exists and is never overwritten; remove it or name another file",
            code="credentials_exist",
        )
    run(_up(settings, credentials, organization, admin_email, with_agent=agent))


def serve(
    *,
    data: _File = None,
    database: _Text = None,
    listen: _Text = None,
    config: _File = None,
    tls_cert: _File = None,
    tls_key: _File = None,
) -> None:
    """Serve an installation that `watchword up` made: the production form, without a local agent.

    Exactly one server runs on a data folder.

    Args:
        data: Folder of the database and the keys; watchword-data unless set.
        database: PostgreSQL database to use instead, as postgresql://USER@HOST/NAME; an address with
            a password belongs into the variable WATCHWORD_DATABASE.
        listen: HOST:PORT to listen on; 127.0.0.1:8080 unless set.
        config: Settings file (TOML); every setting is in docs/settings.md.
        tls_cert: Certificate chain (PEM) to serve TLS with.
        tls_key: Its private key (PEM).
    """
    settings = _settings(config, data, listen, database, tls_cert=tls_cert, tls_key=tls_key)
    if not has_installation(settings):
        raise WatchwordError(
            f"there is no installation in {settings.data}; run: watchword up --data {settings.data}",
            code="no_installation",
        )
    run(_serve(settings))


def _settings(
    config: Path | None,
    data: Path | None,
    listen: str | None,
    database: str | None,
    **more: Any,  # noqa: ANN401
) -> Settings:
    if database is not None and has_password(database):
        raise WatchwordError(
            "a command line is seen by everybody on the machine: put an address with a password into "
            "the variable WATCHWORD_DATABASE, or the password into a PGPASSFILE",
            code="password_on_command_line",
        )
    settings = load(config, given={"data": data, "listen": listen, "database": database, **more})
    configure(settings.log_level, settings.log_format, (settings.brand, *settings.former_brands))
    host, port = settings.address
    if port == 0:
        shown = f"[{host}]" if ":" in host else host
        settings = replace(settings, listen=f"{shown}:{free_port(host)}")
    return settings


async def _serve(settings: Settings) -> None:
    application = await Application.open(settings)
    _on_signals(Ending(application, None))
    # What is no terminal is a log, and a log is no place for a link that opens something.
    shown = sys.stderr.isatty()
    link = await first_link(application.authority.context, LOCAL) if shown else None
    hint = "" if shown else await _first_hint(application)

    def started() -> None:
        lines = [f"Watchword serves {settings.public_url}", *_first_lines(link), *([hint] if hint else [])]
        print("\n".join(lines), file=sys.stderr, flush=True)

    try:
        await application.serve(started)
    finally:
        await application.close()


async def _first_hint(application: Application) -> str:
    if await somebody_can_sign_in(application.authority.context):
        return ""
    return "Nobody can sign in on the console yet; for a link: watchword admin first-link"


def _first_lines(link: MadeLink | None) -> list[str]:
    if link is None:
        return []
    return [
        "Sign in for the first time, once, within 15 minutes (again: watchword admin first-link):",
        f"  {link.url.reveal()}",
    ]


async def _up(
    settings: Settings, credentials: Path | None, slug: str, email: str, *, with_agent: bool
) -> None:
    application = await Application.open(settings)
    first = await _first_things(application, slug, email)
    if first is not None and credentials is not None:
        credentials = _write_credentials(settings, first, credentials)
    link = await first_link(application.authority.context, LOCAL)
    local = LocalAgent(application.authority, settings) if with_agent else None
    _on_signals(Ending(application, local))

    def started() -> None:
        _welcome(settings, first, credentials, link)
        if local is not None:
            local.start()

    try:
        await application.serve(started)
    finally:
        await application.close()


async def _first_things(application: Application, slug: str, email: str) -> FirstThings | None:
    """What a fresh installation gets; None where there is an organization already."""
    context = application.authority.context
    if await context.store.read(lambda tx: tx.accounts.organizations()):
        return None
    name = slug.replace("-", " ").title()
    return await create_organization(context, LOCAL, slug, name, email, "Administrator")


def credentials_document(settings: Settings, first: FirstThings) -> dict[str, str]:
    """What `--credentials` writes: where the server is, and the two values that are shown once."""
    url = settings.public_url
    return {
        "url": url,
        "organization": first.organization.slug,
        "cluster_id": first.cluster.id,
        "queue": first.queue.key,
        "admin_email": first.admin.email,
        "api_access_token": first.api_token.value.reveal(),
        "agent_token": first.agent_token.value.reveal(),
        "agent_endpoint": f"{url}/v3",
        "rest_url": url,
        "graphql_url": f"{url}/v1",
    }


def _write_credentials(settings: Settings, first: FirstThings, path: Path) -> Path | None:
    """Write the file; where that fails, None, so that the values are shown instead and not lost."""
    try:
        write_private(path, json.dumps(credentials_document(settings, first), indent=2) + "\n")
    except OSError as error:
        print(f"watchword: {path} cannot be written ({error}); see below", file=sys.stderr)
        return None
    return path


def _welcome(
    settings: Settings, first: FirstThings | None, credentials: Path | None, link: MadeLink | None
) -> None:
    """Say where the server is, what is shown once, and what to do next."""
    url = settings.public_url
    lines = [f"Watchword serves {url}   (data: {settings.data})"]
    if credentials is not None and credentials.exists():
        lines.append(f"Tokens and addresses are in {credentials} (mode 0600).")
    elif first is None:
        lines.append("This installation exists already: its token values were shown at its first start.")
    else:
        lines += [
            "Shown once, now; keep them in a safe place:",
            f"  agent token       {first.agent_token.value.reveal()}",
            f"  API access token  {first.api_token.value.reveal()}   ({first.admin.email}, every scope)",
        ]
    lines += _first_lines(link)
    hint = f"  export WATCHWORD_URL={url} WATCHWORD_TOKEN=<API access token>"
    if credentials is not None:
        hint = f"  export WATCHWORD_CREDENTIALS={credentials.resolve()}"
    lines += [
        "Next, in another terminal:",
        hint,
        "  watchword build create --command 'echo hello' --watch      run a job",
        "  watchword token create --description 'build machines'      let an agent join",
        f"  buildkite-agent start --endpoint {url}/v3 --token …        join with any agent",
    ]
    print("\n".join(lines), flush=True)


class Ending:
    """Ends a server on a signal: the local agent leaves first, while the server still answers it."""

    def __init__(self, application: Application, local: LocalAgent | None) -> None:
        self._application = application
        self._local = local
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The first signal waits for the agent, a second one does not."""
        if self._local is None or self._task is not None:
            self._application.stop()
            return
        self._task = asyncio.create_task(self._end(self._local))

    async def _end(self, local: LocalAgent) -> None:
        try:
            await local.stop()
        finally:
            self._application.stop()


def _on_signals(ending: Ending) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.begin)
    # A pipe that closed is no reason to die.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
