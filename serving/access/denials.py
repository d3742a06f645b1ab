"""Why a caller may not call.

Rejected
└── AccessDenied     401 without a key, 403 without the permission or from elsewhere
    ├── WrongKey     401, counted by address
    └── OverRate     429, with the seconds to wait
"""

from models.errors import Rejected


class AccessDenied(Rejected):
    """A caller that may not call: 401, 403 or 429."""


class WrongKey(AccessDenied):
    """A key that is unknown, was revoked or has expired: 401.

    Attributes:
        reason: `unknown` or `expired`.
        hold_s: seconds to wait before the answer; whoever knows the address sets it.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(401, message)
        self.reason = reason
        self.hold_s = 0.0


class OverRate(AccessDenied):
    """A caller that has to wait: 429."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(429, message)
        self.retry_after_s = retry_after_s
