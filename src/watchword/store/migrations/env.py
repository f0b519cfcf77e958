"""Alembic's entry: on SQLite one transaction on the file, on PostgreSQL the SQL as text (decision 0027)."""

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


def write() -> None:
    """Write the SQL of the chosen migrations for PostgreSQL."""
    from watchword.store.postgres_schema import make_dialect  # noqa: PLC0415 - needed for PostgreSQL only

    context.configure(
        url=context.config.get_main_option("sqlalchemy.url"),
        target_metadata=metadata,
        literal_binds=True,
        transactional_ddl=False,  # whoever runs the text has begun a transaction
    )
    context.get_context().dialect.type_compiler_instance = make_dialect().type_compiler_instance
    context.run_migrations()


if context.is_offline_mode():
    write()
else:
    run()
