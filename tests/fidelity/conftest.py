"""The fixtures of local Azure's own tests, and the place where clients' tests run."""

from collections.abc import Iterator

import pytest

from tests.fidelity import place as places
from tests.localazure.conftest import azure, cloud

__all__ = ["azure", "cloud"]


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[places.Place]:
    """A local Azure, or real Azure where the environment says so."""
    places.skip_what_costs(request)
    if places.is_real():
        yield places.real()
        return
    with places.local(request.getfixturevalue("azure")) as made:
        yield made
