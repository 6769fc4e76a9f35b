"""A pair of coordinators, for every test here that asks for one."""

from __future__ import annotations

import pytest

from tests.aggregator.pairs import Pair, make_pair
from tests.conftest import Neighbourhood


@pytest.fixture
def pair(neighbourhood: Neighbourhood) -> Pair:
    """Return a new pair whose study both publish."""
    return make_pair(neighbourhood)
