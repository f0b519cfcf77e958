"""Flags that every command of the usual agent takes, so that scripts written for it run.

Two of them say which server and which job are meant; they take the place of the variables of a job. The
others are about the usual agent's own messages, of which ours has none, and change nothing.
"""

import os
from collections.abc import MutableMapping, Sequence

_VARIABLES = {
    "--agent-access-token": "BUILDKITE_AGENT_ACCESS_TOKEN",
    "--endpoint": "BUILDKITE_AGENT_ENDPOINT",
    "--redacted-vars": "BUILDKITE_REDACTED_VARS",
}
_WITH_VALUE = ("--log-level", "--experiment", "--profile", "--log-format")
_ALONE = ("--debug", "--debug-http", "--trace-http", "--no-color", "--no-http2", "--strict-single-hooks")


def take_common_flags(words: Sequence[str], environ: MutableMapping[str, str] | None = None) -> list[str]:
    """Take the common flags out of the words of a command, and put what they say into the environment.

    `start` has flags of its own and is left alone, and so is what stands behind `--`.

    Args:
        words: the command and its arguments.
        environ: where to put it; the process's own unless given.
    """
    environ = os.environ if environ is None else environ
    if words and words[0] == "start":
        return list(words)
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        name, mark, value = word.partition("=")
        if word == "--":
            return [*kept, word, *rest]
        if name in _VARIABLES:
            environ[_VARIABLES[name]] = value if mark else next(rest, "")
        elif name in _WITH_VALUE:
            if not mark:
                next(rest, "")
        elif name not in _ALONE:
            kept.append(word)
    return kept
