"""`python -m watchword.agent`: the agent commands alone, without the rest of the program."""

import sys

from watchword.agent.commands import app
from watchword.agent.commonflags import take_common_flags

if __name__ == "__main__":
    app(take_common_flags(sys.argv[1:]))
