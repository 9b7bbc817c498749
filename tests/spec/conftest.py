from pathlib import Path

import pytest
from hypothesis import settings

from tests.spec.desk import Desk

# A busy machine is slow now and then; that says nothing of the code.
settings.register_profile("hearth", deadline=None)
settings.load_profile("hearth")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A project with a good record and no stack yet."""
    return Desk(tmp_path)
