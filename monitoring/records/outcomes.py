"""The store of outcomes: whether the event happened that a decision gave a probability of.

Owns: what becomes of an outcome that is known already, and that a store which fails has said so. Leaves to others: the
table (outcomes_table), connections (outcomes_database), what a valid outcome is (`serving.http.feedback`), whether a
decision exists (known_ids), what is made of outcomes (`monitoring.performance`).

SQLite in `<directory>/outcomes.db`, or the database of `outcomes_url`. The newest observation counts, in whatever order
they arrive, so that the same requests in any order and any number of times leave the same store. Where the log is
encrypted, ids are kept as a keyed digest: whoever has the database alone cannot tell whose outcomes they are.

SQLAlchemy takes 0.3 s to import: import this module when outcomes are needed, never on the way of a prediction.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Engine, delete, inspect, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from configs.monitoring import Monitoring
from monitoring.records.log_keys import NO_KEYS, LogKeys
from monitoring.records.outcomes_database import READS, open_database, shown_url
from monitoring.records.outcomes_place import has_outcomes, outcomes_path
from monitoring.records.outcomes_table import METADATA, OUTCOMES, known_outcomes, write_outcomes

_LOCK = 0x5C0_0E5  # of PostgreSQL's advisory locks: who writes outcomes, one transaction at a time


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """Whether the event happened to an applicant.

    Attributes:
        application_id: of the decision.
        event: whether the dataset's event happened.
        observed_at: when that was seen, in UTC; of several observations the newest counts.
    """

    application_id: str
    event: bool
    observed_at: datetime


class Kept(NamedTuple):
    """What became of outcomes: `repeated` ones change nothing, being known or older than what is known."""

    accepted: int
    repeated: int
    corrected: int


class Contradiction(Exception):  # noqa: N818 - named after what is wrong
    """Two observations of one moment differ; nothing of the request was kept.

    Attributes:
        rows: the places of the outcomes that contradict what was known, the first being 0.
    """

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__(f"{len(rows)} outcomes contradict an observation of the same moment")
        self.rows = rows


class OutcomesUnavailable(OSError):  # noqa: N818 - a state that ends when the database is back
    """The database of outcomes cannot be used."""

    def __init__(self, where: str, error: Exception) -> None:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()
        super().__init__(f"outcomes cannot be read or kept in {where}: {reason[0] if reason else type(error).__name__}")


class OutcomeStore:
    """The outcomes of one service, for any number of processes.

    Args:
        settings: where the store is.
        keys: of the decision log.
    """

    def __init__(self, settings: Monitoring, keys: LogKeys = NO_KEYS) -> None:
        self._path = outcomes_path(Path(settings.directory))
        self._settings, self._url = settings, settings.outcomes_url
        self._where = shown_url(settings.outcomes_url) if settings.outcomes_url else str(self._path)
        self._secrets = [_secret(secret) for secret in keys.secrets]
        self._engine: Engine | None = None

    def __enter__(self) -> "OutcomeStore":
        """Return the store, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def keep(self, outcomes: Sequence[Outcome], reported_by: str = "", now: datetime | None = None) -> Kept:
        """Keep outcomes, all or none; they are on disk when this returns.

        Args:
            outcomes: in any order.
            reported_by: the caller.
            now: by default the time it is.

        Raises:
            Contradiction: an observation of the same moment says otherwise.
            OutcomesUnavailable: the database cannot be used; nothing was kept.
        """
        received_at = now or datetime.now(UTC)
        with self._transaction() as connection:
            names = [self._names(one.application_id) for one in outcomes]
            known = known_outcomes(connection, {name for several in names for name in several})
            accepted = repeated = corrected = 0
            changed: dict[str, dict[str, Any]] = {}
            wrong = []
            for row in sorted(range(len(outcomes)), key=lambda row: outcomes[row].observed_at):
                one = outcomes[row]
                name = next((name for name in names[row] if name in known), names[row][0])
                before = known.get(name)
                if before is None:
                    accepted, corrections = accepted + 1, 0
                elif before["event"] == one.event:
                    repeated += 1
                    if one.observed_at > before["observed_at"]:  # seen again, which older observations cannot change
                        known[name] = changed[name] = before | {"observed_at": one.observed_at}
                    continue
                elif one.observed_at == before["observed_at"]:
                    wrong.append(row)
                    continue
                elif one.observed_at < before["observed_at"]:
                    repeated += 1
                    continue
                else:
                    corrected, corrections = corrected + 1, before["corrections"] + 1
                known[name] = changed[name] = {
                    "application": name,
                    "event": one.event,
                    "observed_at": one.observed_at,
                    "received_at": received_at,
                    "reported_by": reported_by,
                    "corrections": corrections,
                }
            if wrong:
                raise Contradiction(sorted(wrong))
            write_outcomes(connection, list(changed.values()))
        return Kept(accepted, repeated, corrected)

    def events(self, application_ids: Iterable[str]) -> dict[str, tuple[bool, datetime]]:
        """Whether the event happened and when that was observed, of those applicants whose outcome is known."""
        asked = {name: one for one in application_ids for name in self._names(one)}
        with self._reading() as connection:
            found = {} if connection is None else known_outcomes(connection, asked)
        return {asked[name]: (row["event"], row["observed_at"]) for name, row in found.items()}

    def all_events(self, since: datetime | None = None) -> dict[str, tuple[bool, datetime]]:
        """Every outcome by its name in the store (`name_of`), or those whose value came at `since` or later."""
        query = select(OUTCOMES.c.application, OUTCOMES.c.event, OUTCOMES.c.observed_at)
        if since is not None:
            query = query.where(OUTCOMES.c.received_at >= since)
        with self._reading() as connection:
            rows = [] if connection is None else connection.execute(query).all()
        return {row[0]: (row[1], row[2]) for row in rows}

    def named_events(self) -> tuple[list[str], list[bool]]:
        """The names of all outcomes, as in `names`, and for each whether the event happened: all that figures need."""
        with self._reading() as connection:
            query = select(OUTCOMES.c.application, OUTCOMES.c.event)
            rows = [] if connection is None else connection.execute(query).all()
        return [row[0] for row in rows], [row[1] for row in rows]

    def names(self, application_id: str) -> list[str]:
        """The names under which an applicant's outcome may be in the store."""
        return self._names(application_id)

    def erase(self, application_id: str) -> int:
        """Delete the outcome of an applicant; return how many there were."""
        return self._delete(OUTCOMES.c.application.in_(self._names(application_id)))

    def retain(self, retention_days: int, now: datetime | None = None) -> int:
        """Delete outcomes that came more than `retention_days` ago, none if 0; return how many."""
        if not retention_days:
            return 0
        return self._delete(OUTCOMES.c.received_at < (now or datetime.now(UTC)) - timedelta(days=retention_days))

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _names(self, application_id: str) -> list[str]:
        """The name of a new outcome, and those that one may have from times of other keys, or of none."""
        encoded = application_id.encode("utf-8", "surrogatepass")
        digests = [f"hmac:{hmac.digest(secret, encoded, hashlib.sha256).hex()}" for secret in self._secrets]
        plain = application_id.replace("\\", "\\\\").replace("\0", "\\0")  # PostgreSQL keeps no text with a null
        return [*digests, f"id:{plain}"]

    def _delete(self, condition: Any) -> int:
        with self._reading() as connection:
            if connection is None:
                return 0
        with self._transaction() as connection:
            return int(connection.execute(delete(OUTCOMES).where(condition)).rowcount)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction that no other writes beside, in a database with the table."""
        with self._reported():
            fresh = self._engine is None
            with self._open().begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                if fresh or not inspect(connection).has_table(OUTCOMES.name):
                    METADATA.create_all(connection)
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """A connection that writes nothing; None where there is no store yet."""
        if not has_outcomes(self._settings):
            yield None
            return
        with self._reported(), self._open().connect().execution_options(**{READS: True}) as connection:
            yield connection if inspect(connection).has_table(OUTCOMES.name) else None

    def _open(self) -> Engine:
        if self._engine is None:
            self._engine = open_database(self._url, self._path)
        return self._engine

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            if isinstance(error, OutcomesUnavailable):
                raise
            self.close()  # the next call connects anew
            raise OutcomesUnavailable(self._where, error) from None


def _secret(log_key: bytes) -> bytes:
    """The key of ids in the store, which tells nothing about that of the log."""
    return hmac.digest(log_key, b"credit-scorer outcomes", hashlib.sha256)
