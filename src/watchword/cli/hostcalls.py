"""How `watchword admin` reaches an installation: by the running server, else by opening it itself."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from watchword.app import Application, run
from watchword.domain.errors import WatchwordError
from watchword.edge.logging import configure
from watchword.host.desk import Answered, Asked, Desk
from watchword.host.sockets import ask, login_of
from watchword.opening import DataInUse, has_installation
from watchword.settings import Settings, load

DataFolder = Annotated[Path | None, Parameter(name="--data", show_default=False)]
ConfigFile = Annotated[Path | None, Parameter(name="--config", show_default=False)]

# A server that starts or ends holds the folder for a moment without listening.
_TRIES = 20
_PAUSE_SECONDS = 0.25


class AdminError(WatchwordError):
    """What was asked of the host cannot be done."""

    code = "admin"


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation on this machine."""

    settings: Settings

    @classmethod
    def find(cls, data: Path | None, config: Path | None) -> "Installation":
        """The installation of a data folder and a settings file.

        Raises:
            AdminError: there is none.
        """
        settings = load(config, given={"data": data})
        configure(settings.log_level, settings.log_format, (settings.brand, *settings.former_brands))
        if not has_installation(settings):
            raise AdminError(
                f"there is no installation in {settings.data}; name its folder with --data",
                code="no_installation",
            )
        return cls(settings)

    def call(self, operation: str, **arguments: str | int | bool) -> dict[str, Any]:
        """Do something and return its result.

        Raises:
            AdminError: it was refused, or the installation cannot be reached.
        """
        answered = msgspec.json.decode(self._ask(Asked(operation, arguments)), type=Answered)
        if answered.result is None:
            raise AdminError(answered.error, code=answered.code)
        return answered.result

    def _ask(self, asked: Asked) -> bytes:
        request = msgspec.json.encode(asked)
        for attempt in range(_TRIES):
            try:
                answer = ask(self.settings.data, request)
            except PermissionError:
                raise AdminError(
                    f"only the user who runs the server, and root, may do this: {self.settings.data}",
                    code="not_permitted",
                ) from None
            except OSError as error:
                raise AdminError(
                    f"the server did not answer ({error}); look whether it was done before you repeat it",
                    code="no_answer",
                ) from None
            if answer is not None:
                return answer
            try:
                return self._ask_here(request)
            except DataInUse:
                if attempt == _TRIES - 1:
                    raise
                time.sleep(_PAUSE_SECONDS)
        raise AssertionError

    def _ask_here(self, request: bytes) -> bytes:
        """Open the installation for this one request."""
        answers: list[bytes] = []

        async def work() -> None:
            application = await Application.open(self.settings)
            try:
                answers.append(await Desk(application.authority).answer(login_of(os.getuid()), request))
            finally:
                await application.close()

        run(work())
        return answers[0]
