"""The command `watchword`: finds the command, imports no more than it needs, shapes errors."""

import sys

from cyclopts import App

from watchword import __doc__ as purpose
from watchword.domain.errors import WatchwordError

app = App(name="watchword", help=purpose)
_COMMANDS = {
    "up": ("watchword.cli.server:up", "Start a server with everything it needs, and one local agent."),
    "serve": ("watchword.cli.server:serve", "Serve an installation that `up` made: the production form."),
    "backup": ("watchword.cli.backups:backup", "Back an installation up, while its server runs."),
    "restore": ("watchword.cli.backups:restore", "Bring a backup back."),
    "drill": (
        "watchword.cli.drill:app",
        "Prove, on the running server, that leaks and rotations are answered.",
    ),
    "tour": ("watchword.cli.tour:app", "Play the life of a token, or a rotation, on a scratch folder."),
    "token": (
        "watchword.cli.tokens:app",
        "Create, import, list, change, rotate, revoke agent tokens; print patterns.",
    ),
    "scan": ("watchword.cli.scan:scan", "Find leaked values in files, archives, git and streams, offline."),
    "what": (
        "watchword.cli.what:what",
        "Explain a string: which token's value it is, and what is wrong with it.",
    ),
    "admin": ("watchword.cli.admin:app", "Look after people, mail and reveals on the host."),
    "api-token": ("watchword.cli.apitokens:app", "Create, list, change and revoke API access tokens."),
    "hygiene": ("watchword.cli.security:hygiene", "List tokens that need attention."),
    "access-audit": ("watchword.cli.security:access_audit", "List whose API access tokens reach in."),
    "settings": ("watchword.cli.security:settings", "Show and change the organization's security settings."),
    "incident": ("watchword.cli.incidents:app", "List, show and close incidents."),
    "leak": ("watchword.cli.leaks:app", "List, answer, close and report leaks of tokens."),
    "agent": ("watchword.cli.fleet:app", "Run an agent, list agents, talk to the server inside a job."),
    "audit": ("watchword.cli.audit:app", "Read, check and export the audit trail."),
    "cluster": ("watchword.cli.clusters:app", "List, show, create, update and delete clusters."),
    "queue": ("watchword.cli.queues:app", "List, create, update, delete, pause and resume queues."),
    "fleet": ("watchword.cli.fleetcommands:app", "List, show, stop, pause and resume agents."),
    "issuer": ("watchword.cli.issuers:app", "Let agents join with identity tokens of trusted issuers."),
    "secret": ("watchword.cli.secrets:app", "List, create, update and delete secrets of a cluster."),
    "portal": ("watchword.cli.portals:app", "List, show, create, update and delete portals."),
    "member": ("watchword.cli.members:app", "List, change and remove members of the organization."),
    "invitation": ("watchword.cli.invitations:app", "List, create and revoke invitations."),
    "team": ("watchword.cli.teams:app", "Manage teams and who is in them."),
    "maintainer": ("watchword.cli.maintainers:app", "Give clusters to people and teams, and take them."),
    "dagster": (
        "watchword.cli.dagster:app",
        "Manage Dagster+ tokens, permissions, deployments and roles.",
    ),
    "pipeline": (
        "watchword.cli.pipelines:app",
        "List, show, create, update, archive and delete pipelines.",
    ),
    "partner": ("watchword.cli.partner:app", "Play a partner that reports leaked tokens, for trying it out."),
    "webhook": (
        "watchword.cli.webhooks:app",
        "Tell other systems what happens to agents, builds and tokens.",
    ),
    "build": (
        "watchword.cli.buildactions:app",
        "Create, watch, list, show, unblock, retry and cancel builds.",
    ),
}
for _name, (_where, _help) in _COMMANDS.items():
    # By name, so that a command imports what it needs and nothing else.
    app.command(_where, name=_name, help=_help)
app.register_install_completion_command(help="Complete commands in this shell from now on.")


def main() -> None:
    """Run the command line; exit statuses are those of `docs/cli.md`."""
    try:
        app()
    except WatchwordError as error:
        print(f"watchword: {error.message} ({error.code})", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
