"""`backup` and `restore`: an installation in a folder of its own, and back."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from watchword.app import Application, run
from watchword.backup import BackupError, back_up, bring_back, settle
from watchword.edge.logging import configure
from watchword.services.restoring import Renewed, renew
from watchword.settings import Settings, load

_File = Annotated[Path | None, Parameter(show_default=False)]
_Choice = Annotated[Literal["keep", "revoke"] | None, Parameter(show_default=False)]


def backup(
    target: Path, /, *, data: _File = None, config: _File = None, with_keys: bool = False, quiet: bool = False
) -> None:
    """Back an installation up into a new folder, while its server runs or not.

    Args:
        target: Folder to make.
        data: Folder of the installation; watchword-data unless set.
        config: Settings file (TOML).
        with_keys: Put the key file in it too. Kept together, database and keys give away what is sealed.
        quiet: Say nothing of how far it is.
    """
    settings = load(config, given={"data": data})
    manifest = back_up(settings, target, with_keys=with_keys, tell=_silent if quiet else _tell)
    print(f"Backed up to {target}: schema {manifest.schema}, {manifest.files} files of artifacts.")
    if not with_keys:
        print(f"The keys are not in it: keep a copy of {settings.data / 'keys.json'} apart.")
    if manifest.object_store:
        print(f"Artifacts are in {manifest.object_store} and not in it.")


def restore(
    source: Path,
    /,
    *,
    tokens: _Choice = None,
    data: _File = None,
    config: _File = None,
    keys: _File = None,
    force: bool = False,
) -> None:
    """Bring a backup back, where no server runs.

    A backup knows nothing of what was revoked after it was taken, so say what becomes of its tokens.

    Args:
        source: Folder that `watchword backup` made.
        tokens: revoke ends every token and agent in it and prints a new token for each organization's
            administrator; keep says that nothing was revoked since it was taken.
        data: Folder to restore to; watchword-data unless set.
        config: Settings file (TOML).
        keys: Key file, if it was kept apart.
        force: Restore also where there is something; it is moved aside.
    """
    settings = load(config, given={"data": data})
    configure(settings.log_level, settings.log_format, (settings.brand, *settings.former_brands))
    if settings.database.reveal():
        raise BackupError(
            "this installation is on PostgreSQL: restore it with pg_restore (docs/operating.md)"
        )
    if tokens is None:
        raise BackupError(
            "tokens that were revoked after the backup would pass again; "
            "say --tokens revoke, or --tokens keep if there were none"
        )
    restored = bring_back(source, settings, keys=keys, force=force, settled=tokens == "keep")
    if restored.aside is not None:
        print(f"What was there before is in {restored.aside}.")
    if tokens == "revoke":
        run(_renew(settings))
    print(f"Restored to {settings.data}.")


async def _renew(settings: Settings) -> None:
    application = await Application.open(settings)
    try:
        renewed = await renew(application.authority)
        settle(settings.data)
        _show(renewed)
    finally:
        await application.close()


def _show(renewed: Renewed) -> None:
    print(f"Revoked {renewed.tokens} tokens, ended {renewed.agents} agents.")
    for slug, issued in renewed.issued:
        print(f"API access token of {slug}, shown once: {issued.value.reveal()}")


def _tell(progress: str) -> None:
    print(f"\r{progress:<60}", end="\n" if progress.endswith("100 %") else "", file=sys.stderr, flush=True)


def _silent(_progress: str) -> None:
    pass
