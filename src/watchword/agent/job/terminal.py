"""The terminal of a job: programs see one, and write colours and progress as they would for a person."""

import fcntl
import os
import pty
import struct
import termios

ROWS, COLUMNS = 100, 160
TERM = {"TERM": "xterm-256color"}
TERMINAL_VARIABLES = {"PAGER": "cat"}
"""Unless the job says otherwise: a pager would wait for a key, and nobody is there to press it."""

_OUTPUT_FLAGS = 1


def open_terminal() -> tuple[int, int]:
    """A new terminal: the end to read from, and the end for the job.

    It leaves line ends as they are written. A terminal's usual CR LF would keep a secret of several
    lines from being recognised in the log.

    Raises:
        OSError: there is none to be had.
    """
    reader, writer = pty.openpty()
    try:
        attributes = termios.tcgetattr(writer)
        attributes[_OUTPUT_FLAGS] &= ~termios.ONLCR
        termios.tcsetattr(writer, termios.TCSANOW, attributes)
        fcntl.ioctl(reader, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    except BaseException:
        os.close(reader)
        os.close(writer)
        raise
    return reader, writer
