"""The first use of a database that several machines share: one of them makes MLflow's tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

# Any number will do that nothing else in the database takes: these are the letters "uda".
_LOCK = 0x756461


@contextmanager
def made_once(uri: str) -> Iterator[None]:
    """Hold a lock of the database while its tables are looked at and made; only Postgres has one.

    MLflow's own lock is a file, which other machines do not see, and of several that make the same
    tables all but one fail. Postgres frees the lock when the connection ends.
    """
    if not uri.startswith("postgresql"):
        yield
        return
    engine = create_engine(uri, poolclass=NullPool)
    with engine.connect() as base:
        base.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        # A transaction left open would wait for nothing and keep others from tidying up.
        base.commit()
        try:
            yield
        finally:
            base.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            base.commit()
