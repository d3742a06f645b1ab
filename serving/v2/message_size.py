"""How large the message of a gRPC call may be: as large as the largest that makes sense, and no larger.

That follows from the schema and `max_rows`, so that a caller cannot have 16 MiB read where 8 are more than enough.
"""

from configs.feature import Feature
from models.schema import MAX_ID_LENGTH, Schema

# Beside its values: names, shapes, parameters, and some texts that are longer than any that is valid, for a message
# that says so.
REST_BYTES = 1 << 20
TEXT_BYTES = 6  # tag and length of a text; its length alone, in raw contents, takes 4
NUMBER_BYTES = 10  # the longest whole number of protobuf; raw ones take 8
UTF8_BYTES = 4  # of a character, at most


def largest_message(schema: Schema, max_rows: int, max_body_bytes: int) -> int:
    """The size in bytes of the largest message that is read."""
    row = sum(map(_value_bytes, schema.dataset.features)) + TEXT_BYTES + UTF8_BYTES * MAX_ID_LENGTH
    return min(REST_BYTES + max_rows * row, max_body_bytes)


def _value_bytes(feature: Feature) -> int:
    if feature.type != "categorical":
        return NUMBER_BYTES
    return TEXT_BYTES + max(len(category.encode()) for category in feature.categories)
