"""Settings: one frozen object; each comes from a flag, the environment or a TOML file, in that order."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from watchword.crypto.values import Secret
from watchword.domain.addresses import Block
from watchword.domain.destinations import Reach
from watchword.domain.errors import Invalid
from watchword.domain.kinds import DEFAULT_BRAND, DEFAULT_CELL
from watchword.domain.leakpolicy import Breaker
from watchword.domain.quotas import GIB, Quotas
from watchword.domain.ratelimits import RateLimits
from watchword.domain.retention import Retention
from watchword.services.leakreporters import Reporter, read_reporters
from watchword.services.providers import Provider, read_providers
from watchword.settingchecks import SettingsError as SettingsError  # noqa: PLC0414 - part of this module's interface
from watchword.settingchecks import check

PREFIX = "WATCHWORD_"


_NONE = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an operator can set.

    Attributes:
        data: Folder of the key file, the lock and the SQLite database.
        database: PostgreSQL database to use instead, as postgresql://USER@HOST/NAME; a password in it
            belongs into the variable or the file, never on a command line.
        listen: Address and port to listen on, as HOST:PORT; port 0 takes a free one.
        url: Public address of the server; made of `listen` unless set.
        brand: Prefix of new token values.
        former_brands: Brands of older values that stay verifiable.
        cell: Number of this installation in new values.
        trusted_proxies: Address blocks of proxies whose X-Forwarded-For is heeded.
        tls_cert: Certificate chain (PEM) to serve TLS with.
        tls_key: Private key (PEM) to serve TLS with.
        ping_interval: Seconds that agents wait between pings.
        job_status_interval: Seconds between an agent's looks at the state of its job.
        heartbeat_interval: Seconds between heartbeats; three minutes of silence lose an agent.
        ping_streams: Agents that may keep a stream open on which they hear of work at once; 0 has all of them
            ask every few seconds.
        session_on_job_routes: Whether agents older than 3.39 may use their session token for their job.
        flush_interval: Seconds between writes of the use ledger; a crash loses as much.
        sweep_interval: Seconds between looks for silent agents and overdue jobs.
        object_store: Where artifacts are kept: s3://bucket/prefix, gs://… or az://…; else in `data`.
        object_store_direct: Whether agents and people are sent to that store itself by signed addresses.
        max_organization_artifact_bytes: Bytes of artifacts that an organization may keep; 0 sets no limit.
        max_build_artifact_bytes: Bytes of artifacts that a build may keep; 0 sets no limit.
        max_build_artifacts: Artifacts that a build may have; 0 sets no limit.
        max_build_jobs: Jobs that a build may have, retries included; 0 sets no limit.
        max_job_log_bytes: Bytes of a job's log, after which it is cut off with a mark; 0 sets no limit.
        max_package_file_bytes: Bytes of one file that is uploaded to a package registry; 0 sets no limit.
        max_registry_bytes: Bytes that one package registry may keep; 0 sets no limit.
        max_organization_agents: Agents that an organization may have at the same time; 0 sets no limit.
        max_organization_builds: Builds of an organization that have not ended; 0 sets no limit.
        max_cluster_cache_entries: Caches that the jobs of a cluster may have saved; 0 sets no limit.
        max_cluster_cache_bytes: Bytes of the caches of a cluster, wherever they are; 0 sets no limit.
        max_organization_stacks: Stacks that an organization may have registered; 0 sets no limit.
        limit_rest_organization: REST requests that an organization may make in 60 seconds; 0 sets no limit.
        limit_rest_user: REST requests that a person may make in 60 seconds; 0 sets no limit.
        limit_graphql_organization: Points of GraphQL complexity that an organization may use in 300
            seconds; 0 sets no limit.
        limit_graphql_user: Points of GraphQL complexity that a person may use in 300 seconds; 0 sets no
            limit.
        limit_portal_organization: Runs of portals that an organization may ask for in 60 seconds; 0 sets no
            limit.
        limit_portal_codes: Codes and tokens that one address may ask portals for in 60 seconds; 0 sets no
            limit.
        limit_leak_revocations: Values of tokens that one address may show in 60 seconds to have them
            revoked; 0 sets no limit. IPv6 addresses are counted by their /64, here as below.
        limit_leak_lookups: Digest prefixes that one address may ask for in 60 seconds; 0 sets no limit.
        limit_job_secrets: Secrets and repository tokens that a job may ask for in 60 seconds; 0 sets
            no limit.
        limit_oauth_failures: Wrong secrets, codes and refresh tokens of OAuth that one address may show in
            60 seconds; 0 sets no limit.
        limit_oauth_devices: Device authorizations that one address may begin in 60 seconds; 0 sets no
            limit.
        limit_stack_list_jobs: Lists of scheduled jobs that a stack may ask for in a second; 0 sets no limit,
            here as below.
        limit_stack_reserve_jobs: Batches of reservations that a stack may ask for in a second.
        limit_stack_show_job: Single jobs that a stack may ask for in a second.
        limit_stack_job_states: Batches of job states that a stack may ask for in a second.
        limit_stack_finish_job: Jobs that a stack may end in a second.
        limit_stack_notifications: Batches of notifications that a stack may send in a second.
        limit_stack_other: Times that a stack may register, or deregister, in a second.
        keep_logs: Days that logs of ended jobs are kept; 0 keeps for ever, here as below.
        keep_artifacts: Days that artifacts of ended builds are kept.
        keep_builds: Days that builds are kept after their end, with everything in them.
        keep_agents: Days that records of agents are kept after they left.
        keep_uses: Days that the ledger of use is kept; the last use of each token stays.
        keep_audit: Days that audit events are kept.
        audit_heads: File outside the database to which signed heads of the audit trail are appended; best on
            another disk. In `data` unless set.
        audit_seal_interval: Seconds between sealings of the audit trail.
        audit_publish_grace: Seconds for which the file may fail before nothing is issued or revealed any more
            and no right granted; 0 never refuses them.
        smtp_url: Mail server, as smtp://USER@HOST:PORT (STARTTLS) or smtps://USER@HOST:PORT; a password in it
            belongs into the variable or the file. Without one, mail is written to `mail/` in `data`.
        mail_from: Address that mail comes from; watchword@ and the host of the public address unless set.
        session_idle_hours: Hours after which a person's session that was not used ends.
        session_days: Days after which a person signs in again, however much the session was used.
        single_sign_on: OpenID Connect providers at which people sign in, each a table; in the variable a list
            in JSON. See signing-in.md.
        webhook_ips: Addresses from which webhooks leave, told to the public so that receivers can admit them.
        egress_allow: Address blocks that webhooks may call although they are not public, also without TLS.
        allow_insecure_webhooks: Whether webhooks may be called over http.
        leak_breaker_per_minute: Tokens that one reporter of leaks may have taken away within a minute before
            the rest is held for a person, for an hour at most; 0 sets no limit. What is live and public is
            never held.
        leak_breaker_percent: The same as a share of all live tokens, where that is more than a handful; 0
            sets no limit.
        leak_reporters: Whose reports of leaked tokens are taken, each a table with name, type (github,
            gitlab or signed), and how it proves that a report is its own; in the variable a list in JSON.
            See leaks-partners.md.
        leak_possession: What follows when somebody without an account shows the whole value of a token:
            revoke it, whatever the policies say; report it, so that the policy decides; or off.
        leak_lookup: Who may ask by digest prefix whether a found value is live: public, authenticated
            (with an API access token), or off.
        job_identity_seconds: Seconds that an identity token lives at most, which a job asks for to show to
            others; 300 unless it asks for more.
        job_identity_algorithm: RS256 or ES256, with which new keys of job identity sign; a key in use goes on
            until it is rotated.
        drill_interval_days: Days between drills of a leak and of a rotation, which the server holds by itself
            in each organization; 0 for none.
        log_level: debug, info, warning or error.
        log_format: text for people, json for machines.
    """

    data: Path = Path("watchword-data")
    database: Secret = _NONE
    listen: str = "127.0.0.1:8080"
    url: str = ""
    brand: str = DEFAULT_BRAND
    former_brands: tuple[str, ...] = ()
    cell: int = DEFAULT_CELL
    trusted_proxies: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    ping_interval: int = 2
    job_status_interval: int = 2
    heartbeat_interval: int = 60
    ping_streams: int = 20_000
    session_on_job_routes: bool = True
    flush_interval: int = 15
    sweep_interval: int = 5
    object_store: str = ""
    object_store_direct: bool = True
    max_organization_artifact_bytes: int = 1000 * GIB
    max_build_artifact_bytes: int = 100 * GIB
    max_build_artifacts: int = 100_000
    max_build_jobs: int = 10_000
    max_job_log_bytes: int = GIB
    max_package_file_bytes: int = GIB
    max_registry_bytes: int = 100 * GIB
    max_organization_agents: int = 100_000
    max_organization_builds: int = 10_000
    max_cluster_cache_entries: int = 10_000
    max_cluster_cache_bytes: int = 1000 * GIB
    max_organization_stacks: int = 1_000
    limit_rest_organization: int = 12_000
    limit_rest_user: int = 3_000
    limit_graphql_organization: int = 1_200_000
    limit_graphql_user: int = 300_000
    limit_portal_organization: int = 12_000
    limit_portal_codes: int = 600
    limit_leak_revocations: int = 600
    limit_leak_lookups: int = 60_000
    limit_job_secrets: int = 600
    limit_oauth_failures: int = 60
    limit_oauth_devices: int = 60
    limit_stack_list_jobs: int = 10
    limit_stack_reserve_jobs: int = 10
    limit_stack_show_job: int = 1000
    limit_stack_job_states: int = 20
    limit_stack_finish_job: int = 100
    limit_stack_notifications: int = 200
    limit_stack_other: int = 10
    keep_logs: int = 365
    keep_artifacts: int = 180
    keep_builds: int = 0
    keep_agents: int = 90
    keep_uses: int = 400
    keep_audit: int = 0
    audit_heads: str = ""
    audit_seal_interval: int = 10
    audit_publish_grace: int = 900
    smtp_url: Secret = _NONE
    mail_from: str = ""
    session_idle_hours: int = 12
    session_days: int = 14
    single_sign_on: tuple[Provider, ...] = ()
    webhook_ips: tuple[str, ...] = ()
    egress_allow: tuple[str, ...] = ()
    allow_insecure_webhooks: bool = False
    leak_breaker_per_minute: int = 50
    leak_breaker_percent: int = 1
    leak_reporters: tuple[Reporter, ...] = ()
    leak_possession: str = "revoke"
    leak_lookup: str = "public"
    job_identity_seconds: int = 3600
    job_identity_algorithm: str = "RS256"
    drill_interval_days: int = 0
    log_level: str = "warning"
    log_format: str = "text"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def public_url(self) -> str:
        """`url`, or what `listen` makes of it."""
        if self.url:
            return self.url.rstrip("/")
        host, port = self.address
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - a name, no socket
        scheme = "https" if self.tls_cert else "http"
        return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"

    @property
    def head_file(self) -> Path:
        """Where signed heads of the audit trail are published."""
        return Path(self.audit_heads) if self.audit_heads else self.data / "audit-heads.jsonl"

    @property
    def mail_sender(self) -> str:
        """`mail_from`, or an address at the host of the public address."""
        return self.mail_from or f"watchword@{urlsplit(self.public_url).hostname or 'localhost'}"

    @property
    def reach(self) -> Reach:
        """What requests to addresses that tenants name may reach."""
        blocks = tuple(Block.parse(text) for text in self.egress_allow)
        return Reach(blocks, self.allow_insecure_webhooks)

    @property
    def quotas(self) -> Quotas:
        """The settings `max_…` together."""
        names = [field.name for field in fields(Quotas)]
        return Quotas(**{name: getattr(self, f"max_{name}") for name in names})

    @property
    def rate_limits(self) -> RateLimits:
        """The settings `limit_…` together."""
        names = [field.name for field in fields(RateLimits)]
        return RateLimits(**{name: getattr(self, f"limit_{name}") for name in names})

    @property
    def retention(self) -> Retention:
        """The settings `keep_…` together."""
        return Retention(**{field.name: getattr(self, f"keep_{field.name}") for field in fields(Retention)})

    @property
    def breaker(self) -> Breaker:
        """The settings `leak_breaker_…` together."""
        return Breaker(self.leak_breaker_per_minute, self.leak_breaker_percent)

    @property
    def proxies(self) -> tuple[Block, ...]:
        """`trusted_proxies` as blocks."""
        return tuple(Block.parse(text) for text in self.trusted_proxies)


def load(
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings: `given` wins over the environment, the environment over the file.

    Args:
        config: a TOML file with the names of the fields as keys.
        environment: variables `WATCHWORD_<FIELD>`; lists are comma-separated.
        given: values of flags; None counts as not given.

    Raises:
        SettingsError: a name is unknown or a value is not acceptable.
    """
    variables = os.environ if environment is None else environment
    known = {field.name: field.type for field in fields(Settings)}
    values: dict[str, Any] = {}
    if config is not None:
        try:
            document = tomllib.loads(config.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"the settings file {config} cannot be read: {error}") from None
        for name, value in document.items():
            if name not in known:
                raise SettingsError(f"{config}: there is no setting {name!r}")
            values[name] = _convert(name, value)
    for name in known:
        text = variables.get(PREFIX + name.upper())
        if text is not None:
            values[name] = _convert(name, text)
    values |= {name: _convert(name, value) for name, value in (given or {}).items() if value is not None}
    return check(replace(Settings(), **values))


def _convert(name: str, value: Any) -> Any:  # noqa: ANN401 - from TOML, text or a flag
    reads = {"single_sign_on": read_providers, "leak_reporters": read_reporters}
    if name not in reads:
        return _plain(name, value)
    try:
        return reads[name](value)
    except Invalid as error:
        raise SettingsError(error.message) from None


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401 - the same
    default = getattr(Settings(), name)
    try:
        if isinstance(default, bool):
            return value if isinstance(value, bool) else _BOOLEANS[str(value).lower()]
        if isinstance(default, int):
            return int(value)
        if isinstance(default, tuple):
            items = value.split(",") if isinstance(value, str) else value
            return tuple(str(item).strip() for item in items if str(item).strip())
        if isinstance(default, Secret):
            return value if isinstance(value, Secret) else Secret(str(value))
        if isinstance(default, Path) or name in ("tls_cert", "tls_key"):
            return Path(value)
        return str(value)
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"the setting {name} does not take {value!r}") from None


_BOOLEANS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def has_password(url: str) -> bool:
    """Whether a database's address carries a password."""
    parts = urlsplit(url)
    return bool(parts.password) or "password" in parse_qs(parts.query)
