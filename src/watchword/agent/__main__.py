"""`python -m watchword.agent`: the agent commands alone, without the rest of the program."""

from watchword.agent.commands import app

if __name__ == "__main__":
    app()
