"""Rows of a table as applicants, one by one: what a request with the same values would hold.

Owns the way from cells to a row of the schema. Leaves a single cell to `batch.rows.cells`. The quick way of whole
columns does not come by here: these are rows that may be refused, are explained, or are archived.
"""

from typing import Any

from msgspec import Struct, convert

from batch.rows.cells import Dialect, id_of, value_of
from configs.dataset import RESERVED
from models.schema import Schema


class Applicants:
    """Makes applicants of one schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.dialect = Dialect(schema.dataset.source)

    def values(self, cells: dict[str, Any]) -> dict[str, Any]:
        """The cells of a row, by column, as the values of a request."""
        applicant = {
            feature.name: value_of(feature, cells[feature.name], self.dialect)
            for feature in self.schema.dataset.features
            if feature.name in cells
        }
        return applicant | ({RESERVED: id_of(cells[RESERVED], self.dialect)} if RESERVED in cells else {})

    def row(self, cells: dict[str, Any]) -> Struct:
        """The same as a row of the schema; the cells are valid."""
        return convert(self.values(cells), self.schema.row)
