"""Alembic's entry: one database, one transaction."""

from alembic import context
from sqlalchemy import create_engine

from watchword.store.tables import metadata


def run() -> None:
    """Run the chosen migrations."""
    engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "")
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # SQLite's driver alone would begin none for DDL
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
