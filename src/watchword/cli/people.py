"""People, teams and roles as they are typed: by id, by address, by slug."""

from typing import Any

from watchword.cli.client import Client, CommandError
from watchword.cli.naming import pick
from watchword.domain.ids import is_uuid


def pick_person(client: Client, text: str) -> dict[str, Any]:
    """A member of the organization by id or by e-mail address, in whatever case.

    Raises:
        CommandError: there is none.
    """
    if is_uuid(text):
        found: dict[str, Any] = client.call("GET", f"members/{text.lower()}")
        return found
    wanted = text.strip().lower()
    for member in client.every("members"):
        if str(member["email"]).lower() == wanted:
            return member
    raise CommandError(f"there is no member with the address {text!r}", code="not_found")


def pick_team(client: Client, text: str) -> dict[str, Any]:
    """A team by id or slug.

    Raises:
        CommandError: there is none.
    """
    return pick(client, "teams", text, "slug", "team")
