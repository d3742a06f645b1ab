"""The schemas that codecs are tried on."""

import pytest

from models.schema import Schema
from tests.models.tables import german_credit, hand_made


@pytest.fixture(scope="session", params=["german_credit", "hand_made"])
def schema(request, tmp_path_factory):
    """German Credit, then a table with nullable columns, odd names and odd values."""
    if request.param == "german_credit":
        return Schema(german_credit())
    return Schema(hand_made(tmp_path_factory.mktemp("hand_made")))
