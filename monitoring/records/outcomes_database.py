"""Connections to the database of outcomes: SQLite in a file of ours, or PostgreSQL by URL.

Owns: how each is opened, so that a transaction is on disk when it ends and writers take turns, and how a URL is shown.
Leaves to others: what is in it (outcomes).
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from configs.source import ConfigError
from monitoring.records import private

WAIT_S = 10  # seconds for which a writer waits for another, and a connection for its server
DRIVERS = {"postgresql": "postgresql+pg8000", "postgres": "postgresql+pg8000"}
KEY = "outcomes_url"
READS = "reads"  # the execution option of a connection that writes nothing


def open_database(url: str, path: Path) -> Engine:
    """Return the engine of a database; it connects when it is used.

    Args:
        url: `postgresql://user:password@host/name`; empty for SQLite.
        path: of SQLite's file, which is made private.

    Raises:
        ConfigError: the URL is of no database that outcomes can be kept in.
    """
    return _postgresql(_parsed(url)) if url else _sqlite(path)


def check_url(url: str) -> None:
    """Return if outcomes can be kept at `url`, or if it is empty.

    Raises:
        ConfigError: they cannot.
    """
    if url:
        _parsed(url)


def shown_url(url: str) -> str:
    """A URL without its password.

    >>> shown_url("postgresql://scorer:secret@db/outcomes")
    'postgresql://scorer:***@db/outcomes'
    """
    return _parsed(url).set(drivername="postgresql").render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    remedy = "give postgresql://user:password@host/name in SCORER_OUTCOMES_URL, or leave it empty for SQLite"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # whose message would show the URL
        raise ConfigError("configs/monitoring.yaml", KEY, "is no URL of a database", remedy) from None
    driver = DRIVERS.get(parsed.drivername.partition("+")[0])
    if driver is None:
        problem = f"{parsed.drivername} is no database that outcomes can be kept in"
        raise ConfigError("configs/monitoring.yaml", KEY, problem, remedy)
    return parsed.set(drivername=driver)


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url,
        pool_size=1,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"timeout": WAIT_S, "application_name": "credit-scorer"},
    )


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)), hide_parameters=True, connect_args={"timeout": WAIT_S}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        connection.execute("PRAGMA journal_mode=WAL")  # who reads keeps nobody from writing
        connection.execute("PRAGMA synchronous=FULL")  # what was accepted survives a power failure

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        reads = connection.get_execution_options().get(READS)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")  # two that have read cannot both write

    if not path.parent.exists():
        private.make_folder(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, private.FILE))
    return engine
