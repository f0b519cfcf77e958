"""`portal` against the world's own server."""

from pathlib import Path

from cli_harness import Shell

QUERY = '{ organization(slug: "acme") { name } }\n'


def test_a_portal_from_creation_to_deletion(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "portal.graphql"
    file.write_text(QUERY)
    made = shell("portal", "create", "Deploys", str(file), "--allow", "127.0.0.0/8")
    assert made.code == 0
    assert made.out.startswith("bkpat_")
    assert "shown this once" in made.err
    shown = shell("portal", "show", "deploys", "--json").json
    assert (shown["query"], shown["allowed_ip_addresses"]) == (QUERY, "127.0.0.0/8")
    assert "token" not in shown
    file.write_text("{ viewer { id } }")
    changed = shell("portal", "update", "deploys", "--file", str(file), "--user-invokable", "--allow", "")
    assert changed.code == 0
    assert "{ viewer { id } }" in changed.out
    (listed,) = shell("portal", "list", "--json").json
    assert (listed["user_invokable"], listed["allowed_ip_addresses"]) == (True, None)
    assert "deploys" in shell("portal", "list").out
    assert shell("portal", "delete", "deploys").code != 0
    assert shell("portal", "delete", "deploys", "--yes").out == "Deleted deploys.\n"
    assert shell("portal", "list", "--json").json == []


def test_what_is_wrong_is_said(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "portal.graphql"
    missing = shell("portal", "create", "Deploys", str(file))
    assert (missing.code, "unreadable_file" in missing.err) == (1, True)
    file.write_text("{ nonsense }")
    unfit = shell("portal", "create", "Deploys", str(file))
    assert (unfit.code, "invalid_query" in unfit.err) == (1, True)
    assert shell("portal", "update", "deploys").code != 0
    assert shell("portal", "show", "nobodys/../x").code == 1
