"""The command `watchword`: finds the command, imports no more than it needs, shapes errors."""

import sys

from cyclopts import App

from watchword import __doc__ as purpose
from watchword.domain.errors import WatchwordError

app = App(name="watchword", help=purpose)
app.command("watchword.cli.server:up", name="up")
app.command("watchword.cli.server:serve", name="serve")
app.command("watchword.cli.tour:tour", name="tour")
app.command("watchword.cli.tokens:app", name="token")
app.command("watchword.cli.agents:app", name="agent")
app.command("watchword.cli.builds:app", name="build")


def main() -> None:
    """Run the command line; an error of ours becomes one line and exit status 1."""
    try:
        app()
    except WatchwordError as error:
        print(f"watchword: {error.message} ({error.code})", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
