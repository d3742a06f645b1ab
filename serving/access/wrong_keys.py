"""Wrong keys: counted, logged at a bounded rate by address, and slowed.

Owns how long the answer to a wrong key is held back: each address may send a few at once and then one a second; for
what is more, the answer waits. The right key is never held back, whatever else its address sends. A key is 256 random
bits, so this protects no key from being guessed: it keeps a broken or hostile client cheap, and visible in the log.
Each worker counts its own. Leaves to others: what a wrong key is (`serving.access.authenticator`), and waiting.
"""

import ipaddress
import logging
import threading
import time
from collections import Counter as Counts
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from serving.metrics import metrics

AT_ONCE = 10  # wrong keys that an address may send at once
PER_S = 1.0  # and from then on
MAX_HOLD_S = 2.0  # seconds that an answer waits
MAX_DEBT_S = 60.0  # seconds after which the worst address may send wrong keys at once again
MAX_ADDRESSES = 4096  # that are remembered; beyond them the one that was quiet for longest is forgotten
LINE_INTERVAL_S = 10.0  # between two lines of the log
IPV6_SITE_BITS = 64  # of an address; the rest is one customer's own to choose
NO_ADDRESS = "an unknown address"  # what a proxy says may be any text

logger = logging.getLogger("bentoml.scorer")


class WrongKeys:
    """The wrong keys that one worker has seen.

    Args:
        now_s: a clock that only goes forwards, in seconds.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._free_at_s: OrderedDict[str, float] = (
            OrderedDict()
        )  # by address; a token bucket each, as in `authenticator`
        self._lock = threading.Lock()  # of what follows, which another thread reports
        self._unreported: Counts[str] = Counts()
        self._next_line_s = 0.0

    def __len__(self) -> int:
        return len(self._free_at_s)

    def hold_s(self, address: str, reason: str) -> float:
        """Count one wrong key; the seconds to wait before its answer.

        Args:
            address: of the caller.
            reason: `unknown` or `expired`.
        """
        metrics().wrong_keys.labels(reason).inc()
        site, now_s = site_of(address), self._now_s()
        with self._lock:
            if site in self._unreported or len(self._unreported) < MAX_ADDRESSES:
                self._unreported[site] += 1
            else:
                self._unreported[NO_ADDRESS] += 1
        free_at_s = max(self._free_at_s.pop(site, 0.0), now_s)
        hold_s = free_at_s - now_s - (AT_ONCE - 1) / PER_S
        self._free_at_s[site] = min(free_at_s + 1 / PER_S, now_s + MAX_DEBT_S)
        if len(self._free_at_s) > MAX_ADDRESSES:
            self._free_at_s.popitem(last=False)
        return min(max(hold_s, 0.0), MAX_HOLD_S)

    def report(self) -> None:
        """Log what was counted since the last line, if there is something and a line is due."""
        now_s = self._now_s()
        with self._lock:
            if not self._unreported or now_s < self._next_line_s:
                return
            counted, self._unreported = self._unreported, Counts()
        self._next_line_s = now_s + LINE_INTERVAL_S
        ((site, most),) = counted.most_common(1)
        total, others = counted.total(), len(counted) - 1
        logger.warning(
            "%d wrong keys: %d from %s%s", total, most, site, f", the others from {others} more" if others else ""
        )


@lru_cache(maxsize=1024)
def site_of(address: str) -> str:
    r"""What is counted as one caller: an IPv4 address, or the network of an IPv6 address.

    >>> site_of("192.0.2.7"), site_of("::ffff:192.0.2.7"), site_of("2001:db8::a:1"), site_of("x\n")
    ('192.0.2.7', '192.0.2.7', '2001:db8::/64', 'an unknown address')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return NO_ADDRESS
    found = getattr(found, "ipv4_mapped", None) or found
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), IPV6_SITE_BITS), strict=False))
