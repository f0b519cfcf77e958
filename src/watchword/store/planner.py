"""Statistics for SQLite's planner: what a grown installation looks like, known from its first row.

Without them SQLite takes the first column of a primary key, the organization, for nearly unique, and
reads all rows of an organization where an index would find a few.
"""

from collections.abc import Callable

# Table, index (a table's own name is its primary key), and: rows, then rows per distinct prefix of one
# column, of two columns and so on (sqlite.org/fileformat2.html §2.6.3).
STATISTICS = (
    ("tokens", "tokens", "1000000 10000 1"),
    ("tokens", "tokens_listed", "100000 500 300 20 1"),
    ("tokens", "tokens_expiry", "100000 2 1"),
    ("token_grants", "token_grants", "100000 500 1"),
    ("token_grants", "token_grants_token", "100000 2"),
    ("uses", "uses", "1000000 10000 100 20 10 5 1"),
    ("uses", "uses_hour", "1000000 10000 100 5"),
    ("agents", "agents", "1000000 10000 1"),
    ("agents", "agents_live", "10000 500 50 1"),
    ("jobs", "jobs", "1000000 10000 1"),
    ("jobs", "jobs_build", "1000000 10000 5 1"),
    ("jobs", "jobs_id", "1000000 1"),
    ("jobs", "jobs_group", "10000 500 20 1"),
    ("steps", "steps", "1000000 10000 1"),
    ("steps", "steps_build", "1000000 10000 5 1"),
    ("steps", "steps_unblocked", "1000 50 2 1"),
    ("jobs", "jobs_state", "1000000 1000 20 1"),
    ("jobs", "jobs_waiting", "10000 500 50 10 5 2 1"),
    ("jobs", "jobs_scheduled", "10000 500 50 2 1"),
    ("jobs", "jobs_reserved", "1000 1"),
    ("builds", "builds", "500000 5000 1"),
    ("builds", "builds_number", "500000 5000 500 1"),
    ("jobs", "jobs_log_age", "1000000 1"),
    ("builds", "builds_age", "500000 1"),
    ("agents", "agents_age", "1000000 1"),
    ("artifacts", "artifacts_age", "1000000 1"),
    ("artifacts", "artifacts", "1000000 10000 1"),
    ("artifacts", "artifacts_batch", "1000000 10000 50 10 1"),
    ("artifacts", "artifacts_build", "1000000 10000 100 1"),
    ("rotations", "rotations", "100000 1000 1"),
    ("rotations", "rotations_predecessor", "100000 1000 2 1"),
    ("rotations", "rotations_open", "100 5 1"),
    ("incidents", "incidents", "10000 100 1"),
    ("incidents", "incidents_token", "10000 100 2 1"),
    ("incidents", "incidents_open", "100 5 1"),
    ("queues", "queues", "1000 50 1"),
    ("queues", "queues_key", "1000 50 10 1"),
    ("members", "members", "10000 200 1"),
    ("members", "members_user", "10000 2"),
    ("teams", "teams", "1000 50 1"),
    ("teams", "teams_slug", "1000 50 1"),
    ("team_members", "team_members", "10000 500 20 1"),
    ("team_members", "team_members_id", "10000 500 1"),
    ("team_members", "team_members_user", "10000 500 3 1"),
    ("maintainers", "maintainers", "1000 100 1"),
    ("maintainers", "maintainers_cluster", "1000 100 5 1"),
    ("maintainers", "maintainers_user", "1000 100 2 1"),
    ("maintainers", "maintainers_team", "1000 100 2 1"),
    ("cache_entries", "cache_entries", "100000 5000 1"),
    ("cache_entries", "cache_entries_address", "100000 5000 1000 2 1 1"),
    ("cache_entries", "cache_entries_family", "100000 5000 1000 50 10 1"),
    ("cache_entries", "cache_entries_cluster", "100000 5000 1000 1"),
    ("cache_entries", "cache_entries_expiry", "100000 1"),
    ("oauth_grants", "oauth_grants", "100000 1000 1"),
    ("oauth_grants", "oauth_grants_user", "100000 50 5 1"),
    ("oauth_grants", "oauth_grants_client", "100000 1000 500 50 1"),
    ("invitations", "invitations", "10000 500 1"),
    ("invitations", "invitations_pending", "200 10 1"),
    ("invitations", "invitations_digest", "10000 1"),
    ("packages", "packages", "100000 10000 1"),
    ("packages", "packages_version", "100000 10000 1000 10 1"),
    ("packages", "packages_listed", "100000 10000 1000 1"),
    ("package_files", "package_files", "100000 10000 1"),
    ("package_files", "package_files_name", "100000 10000 1000 1"),
    ("package_files", "package_files_project", "100000 10000 1000 20 1"),
    ("package_files", "package_files_package", "100000 10000 3"),
    ("package_files", "package_files_doomed", "100 1"),
)


def advise(execute: Callable[[str], object]) -> None:
    """Write the statistics, in place of what was gathered.

    Args:
        execute: runs one SQL statement.
    """
    execute("ANALYZE")  # makes the table
    execute("DELETE FROM sqlite_stat1")
    for table, index, statistics in STATISTICS:
        execute(f"INSERT INTO sqlite_stat1 VALUES ('{table}', '{index}', '{statistics}')")  # noqa: S608 - constants
