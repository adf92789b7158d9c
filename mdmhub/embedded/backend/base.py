"""Django's PostgreSQL backend, except that a connection that finds no server starts it and tries again."""

from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from django.db.utils import OperationalError
from psycopg import OperationalError as NoAnswer

from mdmhub import embedded
from mdmhub.embedded.postgres import Postgres


class DatabaseWrapper(PostgresWrapper):
    """A connection to the hub's own PostgreSQL; its address is read from HUB_HOME when it is needed."""

    @property
    def queries_logged(self) -> bool:
        # Debug pages are worth having on a laptop, a log of every query of a bulk load is not.
        return bool(self.force_debug_cursor)

    def get_connection_params(self) -> dict[str, Any]:
        known = Postgres(embedded.home()).connection(self.settings_dict["NAME"] or "postgres")
        params: dict[str, Any] = super().get_connection_params()
        return {**params, **known}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except (NoAnswer, OperationalError) as error:
            if getattr(error, "sqlstate", None) is not None:
                raise
            embedded.ensure_running()
            return super().get_new_connection(self.get_connection_params())
