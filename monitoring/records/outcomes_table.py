"""The table of outcomes: its columns, reading rows by their names and writing them, in SQLite and PostgreSQL.

Owns these. Leaves what becomes of an outcome to outcomes, and connections to outcomes_database.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeDecorator

CHUNK = 500  # names per query: SQLite takes 32,766 parameters


class _UtcTime(TypeDecorator[datetime]):
    """A time in UTC, which SQLite keeps as text without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Any) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Any) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData()
OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("application", Text, primary_key=True),  # the id, or its keyed digest
    Column("event", Boolean, nullable=False),
    Column("observed_at", _UtcTime, nullable=False),
    Column("received_at", _UtcTime, nullable=False),  # when the value came that counts
    Column("reported_by", Text, nullable=False),  # the caller who reported it
    Column("corrections", Integer, nullable=False),  # how often another value has taken its place
)


def known_outcomes(connection: Connection, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The rows of those names that are there, by name."""
    asked, found = list(names), {}
    for start in range(0, len(asked), CHUNK):
        query = select(OUTCOMES).where(OUTCOMES.c.application.in_(asked[start : start + CHUNK]))
        for row in connection.execute(query).mappings():
            found[row["application"]] = dict(row)
    return found


def write_outcomes(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace rows."""
    if not rows:
        return
    names = [column.name for column in OUTCOMES.c]
    if connection.dialect.name == "sqlite":
        new = sqlite.insert(OUTCOMES)
        replaced = {name: new.excluded[name] for name in names[1:]}
        connection.execute(new.on_conflict_do_update(index_elements=names[:1], set_=replaced), list(rows))
        return
    # One statement with an array per column: the driver would send as many statements as there are rows.
    arrays = [
        func.unnest(bindparam(column.name, type_=postgresql.ARRAY(column.type))).label(column.name)
        for column in OUTCOMES.c
    ]
    several = postgresql.insert(OUTCOMES).from_select(names, select(*arrays))
    replaced = {name: several.excluded[name] for name in names[1:]}
    upsert = several.on_conflict_do_update(index_elements=names[:1], set_=replaced)
    connection.execute(upsert, {name: [row[name] for row in rows] for name in names})
