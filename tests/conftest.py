"""Fixtures that tests of all parts share."""

import pytest

from core.catalog import Catalog
from strategies.base import Artifacts
from tests import worlds


@pytest.fixture(scope="session")
def small_catalog() -> Catalog:
    return worlds.small_catalog()


@pytest.fixture(scope="session")
def small_artifacts() -> Artifacts:
    return worlds.small_artifacts()
