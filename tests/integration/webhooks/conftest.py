"""Processes that the checks share."""

from collections.abc import Iterator

import pytest

from tests.integration.webhooks.processes import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks hub processes that can be killed."""
    made = Nursery()
    yield made
    made.close()
