"""Many rows into one table, by the fastest way of each database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table


def insert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, each with a value for every column in the table's order.

    Raises what the database raises: SQLAlchemyError, or an Error of its own module.
    """
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    into = f"{quote(table.name)} ({', '.join(map(quote, table.c.keys()))})"
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(table.c))
        statement = f"INSERT INTO {into} VALUES ({places})"  # noqa: S608 (names of our own)
        connection.exec_driver_sql(statement, [tuple(row) for row in rows])
        return
    raw: Any = connection.connection.driver_connection  # psycopg's, in the same transaction
    with raw.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
