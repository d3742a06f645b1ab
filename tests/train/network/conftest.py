"""The schemas that graphs are built for: those of the contract."""

from tests.models.conftest import schema

__all__ = ["schema"]
