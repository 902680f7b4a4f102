"""What Alembic runs: the connection it is given, or (on a developer's command line) the address in alembic.ini."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from app.database import Database
from migrations import metadata


def run(connection: sa.Connection) -> None:
    """Migrate inside the transaction of `connection`."""
    context.configure(
        connection=connection,
        target_metadata=metadata(),
        render_as_batch=True,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given: sa.Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    address = context.get_x_argument(as_dictionary=True).get("url") or context.config.get_main_option(
        "sqlalchemy.url"
    )
    with Database(str(address)).write() as own:
        run(own)
