"""Where outcomes are kept, for who need not read them: SQLAlchemy takes 0.3 s to import.

Owns the path of SQLite's file, and whether there can be outcomes at all. Leaves the rest to outcomes.
"""

from pathlib import Path

from configs.monitoring import Monitoring


def outcomes_path(directory: Path) -> Path:
    """Return the path of the store of a service without `outcomes_url`."""
    return directory / "outcomes.db"


def has_outcomes(settings: Monitoring) -> bool:
    """Return whether there is a store; that of `outcomes_url` is taken to exist."""
    return bool(settings.outcomes_url) or outcomes_path(Path(settings.directory)).exists()
