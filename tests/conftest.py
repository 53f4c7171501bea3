"""Fixtures that tests of all parts share."""

import pytest
from hypothesis import settings

from core.catalog import Catalog
from segue.testing import small_world
from strategies.base import Artifacts

# The same examples in every run, and no deadline: the machine may be busy.
settings.register_profile("segue", deadline=None, derandomize=True)
settings.load_profile("segue")


@pytest.fixture(scope="session")
def small_catalog() -> Catalog:
    return small_world.small_catalog()


@pytest.fixture(scope="session")
def small_artifacts() -> Artifacts:
    return small_world.small_artifacts()
