"""Bringing a database to the schema of this program."""

from hub.storage.connect import open_engine
from hub.storage.schema import METADATA


def migrate(url: str) -> None:
    """Create what is missing."""
    engine = open_engine(url, "write")
    METADATA.create_all(engine)
    engine.dispose()
