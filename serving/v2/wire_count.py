"""What a protobuf message would become, counted on the wire before it is parsed.

Two bytes are an empty tensor: a message of 7.7 MB can become 3.8 million of them, 335 MB and 0.6 s of the event loop.
Owns counting, in the order in which protobuf parses, so that damage further on hides nothing. Leaves how many are too
many to `grpc_codec`.
"""

from typing import Any

VARINT, LENGTH = 0, 2  # types of the wire
WIDTHS = {1: 8, 3: 0, 4: 0, 5: 4}  # the bytes of others: numbers, and the marks of a group
NUMBER_BITS = 70  # of ten bytes, the longest number
ONE_BYTE = 127  # the largest number in one byte
MORE = bytes(range(128, 256))  # a byte of a number that others follow

Fields = dict[int, Any]  # by number: the fields of a message within, or the bytes of each number in a run, or None


def fields_of(descriptor: Any) -> Fields:
    """The fields of a message by number: those of a message within it, or the bytes of a number in a run of them."""
    found: Fields = {}
    for field in descriptor.fields:
        if field.message_type:
            found[field.number] = fields_of(field.message_type)
        elif field.cpp_type not in (field.CPPTYPE_STRING, field.CPPTYPE_ENUM):
            found[field.number] = {field.CPPTYPE_DOUBLE: 8, field.CPPTYPE_FLOAT: 4}.get(field.cpp_type, 0)
    return found


def has_more(body: bytes, fields: Fields, most: int, weight: int = 1) -> bool:
    """Whether a message has more than so many fields and numbers, those of the messages within it included.

    Args:
        body: of the message.
        fields: what it may have.
        most: the number.
        weight: as how many fields a message within it counts, which becomes more than a text or a number does.

    >>> two = bytes([10, 1, 65, 10, 1, 65])
    >>> has_more(two, {}, 2), has_more(two, {}, 1), has_more(bytes([10, 3, 1, 2, 3]), {1: 0}, 3)
    (False, True, True)
    """
    return _left(body, 0, len(body), fields, most, weight) < 0


def _left(body: bytes, at: int, end: int, fields: Fields, left: int, weight: int) -> int:
    """How many more there may be after `body[at:end]`; it stops at the first that is damaged."""
    try:
        while at < end and left >= 0:
            tag = body[at]
            at += 1
            if tag > ONE_BYTE:
                tag, at = _number(body, at - 1)
            left -= 1
            if tag & 7 != LENGTH:
                at = _after(body, at, tag & 7, end)
                continue
            size = body[at]
            at += 1
            if size > ONE_BYTE:
                size, at = _number(body, at - 1)
            within = fields.get(tag >> 3)
            if within is not None and at + size <= end:
                left = _left_within(body, at, at + size, within, left, weight)
            at += size
    except IndexError:  # it ends within a number
        pass
    return left


def _after(body: bytes, at: int, kind: int, end: int) -> int:
    """Where a field ends that is not of bytes; the end of all where there is no such kind."""
    if kind == VARINT:
        return _number(body, at)[1]
    return at + WIDTHS.get(kind, end)


def _left_within(body: bytes, at: int, end: int, within: Any, left: int, weight: int) -> int:
    if isinstance(within, dict):
        return _left(body, at, end, within, left - weight + 1, weight)
    return left - ((end - at) // within if within else len(body[at:end].translate(None, MORE)))


def _number(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 127) << shift
        if byte <= ONE_BYTE:
            return number, at
        shift += 7
        if shift >= NUMBER_BITS:  # protobuf refuses it; adding them up would take hours
            raise IndexError
