"""Who asks, by which protocol, under which id: the one value per request that all its rows share.

Owns the types, and the names of callers that have no key. Leaves to others: who may call (`serving.access`), ids
(`serving.request_ids`), and what is recorded (`serving.scoring`, `serving.http.explain`).

No two kinds of callers have a name in common, so that nobody becomes the owner of another's records: a key file refuses
the names `neighbour` and `anyone`, and the name of a key has no colon.
"""

from msgspec import Struct
from starlette.types import Scope

from configs.api_keys import UNNAMED
from serving.access.rates import Rate
from serving.request_ids import id_of

_CALLER = "credit_scorer.caller"  # in the scope, where ASGI lets extensions keep their own
MAX_NAME = 200  # characters of a certificate's name that are recorded


class Caller(Struct, frozen=True, gc=False):
    """Whoever sends a request.

    Attributes:
        name: of the API key, or one of those below; it is recorded with every row.
        reads_all: whether it may see what others scored.
        rows: how many rows it may have scored; None is any number.
        explanations: how many rows it may have explained; None is any number.
    """

    name: str
    reads_all: bool
    rows: Rate | None = None
    explanations: Rate | None = None


class Call(Struct, frozen=True, gc=False):
    """One request, as its rows carry it.

    Attributes:
        protocol: `http`, `v2` or `grpc`, as metrics and records name it.
        caller: the name of the caller.
        request_id: the caller's own, or a generated one.
    """

    protocol: str
    caller: str
    request_id: str


# Without keys callers cannot be told apart, and each sees everything.
NEIGHBOUR, ANYONE = (Caller(name, reads_all=True) for name in UNNAMED)


def certificate_caller(name: str) -> Caller:
    """The caller that a client certificate names.

    >>> certificate_caller("batch.example").name
    'certificate:batch.example'
    """
    return Caller(f"certificate:{name[:MAX_NAME]}", reads_all=True)


def remember_caller(scope: Scope, caller: Caller) -> None:
    """Keep who sent the request of `scope`."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller:
    """Who sent the request of `scope`, which access has admitted."""
    caller: Caller = scope[_CALLER]
    return caller


def call_of(scope: Scope, protocol: str) -> Call:
    """The call of an admitted HTTP request."""
    return Call(protocol, scope[_CALLER].name, id_of(scope))
