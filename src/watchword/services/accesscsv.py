"""The API access audit as CSV, the same for every surface."""

import csv
import io
from collections.abc import Iterable

from watchword.domain.formats import instant
from watchword.services.apitokenlists import MAX_SIFTED, Listed
from watchword.store.base import Page

COLUMNS = (
    "Owner",
    "Owner Email",
    "Owner ID",
    "Token UUID",
    "Token Description",
    "Last Used At",
    "Last Request IP",
    "Created At",
    "Scopes",
)
FILE_NAME = "api-access-audit.csv"
# All that a filter looks at.
EVERY_TOKEN = Page(MAX_SIFTED)
# A program for tables takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def access_csv(rows: Iterable[Listed]) -> str:
    """A head and a line for each token; cells that a program for tables would run get a quote in front."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_plain(cell) for cell in _cells(row)] for row in rows)
    return out.getvalue()


def _cells(listed: Listed) -> tuple[str, ...]:
    token, owner, used = listed.reaching.token, listed.reaching.owner, listed.used
    return (
        owner.name if owner is not None else "",
        owner.email if owner is not None else "",
        token.user_id or "",
        token.id,
        token.description,
        instant(used.last_at) if used is not None else "",
        used.address if used is not None else "",
        instant(token.created_at),
        " ".join(sorted(token.scopes.split())),
    )


def _plain(cell: str) -> str:
    """A cell that no program for tables takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
