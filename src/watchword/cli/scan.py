"""`scan`: find values of tokens in files, archives, git histories and streams, offline."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from watchword.cli.client import CredentialsFile
from watchword.cli.scanning import run
from watchword.cli.scanwords import Asked

_Text = Annotated[str | None, Parameter(show_default=False)]
_Switch = Annotated[bool, Parameter(negative=())]


def scan(
    *paths: str,
    git: _Switch = False,
    since: _Text = None,
    staged: _Switch = False,
    stdin: _Switch = False,
    archive: _Switch = False,
    format: Literal["text", "json", "sarif"] = "text",  # noqa: A002 - the flag's name
    verify: _Switch = False,
    reveal: _Switch = False,
    checksum_only: _Switch = False,
    shape_only: _Switch = False,
    brand: Annotated[list[str] | None, Parameter(negative=(), show_default=False)] = None,
    baseline: _Text = None,
    write_baseline: _Text = None,
    allow: _Text = None,
    respect_gitignore: _Switch = False,
    no_decode: Annotated[bool, Parameter(negative=())] = False,
    jobs: int = 0,
    output: _Text = None,
    install_hook: _Switch = False,
    credentials: CredentialsFile = None,
) -> None:
    """Find values of tokens in files and folders, offline, and say where they stand; never the values.

    The exit status is 0 where nothing is found, 1 where something is, 2 where it could not be looked.

    Args:
        paths: Files and folders; the current folder unless given. A file that is an archive is opened.
        git: Look at all of the history of the repositories instead of at files.
        since: With --git, look only at what came after this revision.
        staged: Look at what the next commit would bring in, as a pre-commit hook does.
        stdin: Look at standard input.
        archive: Open archives, compressed files and container images that are found on the way.
        format: How to write the findings.
        verify: Ask the server whether they are live; it is sent 10 hex digits of their digests, no more.
        reveal: Show the values.
        checksum_only: Only what a checksum proves to be a value.
        shape_only: Only what no checksum proves.
        brand: Brand of the installation; may be repeated. bk unless given.
        baseline: File with findings that are known; .watchword-baseline.json at the root unless given.
        write_baseline: Write what is found to this file, as known from now on.
        allow: File with fingerprints and paths that may be; .watchword-allow at the root unless given.
        respect_gitignore: Leave out what git ignores.
        no_decode: Look for plainly written values alone, not for base64, UTF-16 and escapes.
        jobs: Processes; as many as there are processors unless given.
        output: Write the findings to this file.
        install_hook: Make this repository look before each commit.
        credentials: File with the server's address and an API access token, for --verify.
    """
    asked = Asked(
        paths=paths,
        git=git,
        since=since,
        staged=staged,
        stdin=stdin,
        archive=archive,
        format=format,
        verify=verify,
        reveal=reveal,
        checksum_only=checksum_only,
        shape_only=shape_only,
        brand=tuple(brand or ()),
        baseline=baseline,
        write_baseline=write_baseline,
        allow=allow,
        respect_gitignore=respect_gitignore,
        no_decode=no_decode,
        jobs=jobs,
        output=output,
        install_hook=install_hook,
        credentials=None if credentials is None else str(Path(credentials)),
    )
    sys.exit(run(asked))
