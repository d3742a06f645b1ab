"""No usage reports, however the service is started: `bentoml serve` asks for its own before it loads `service.py`.

Touches a private part of BentoML, the answer that it remembers, because there is no public way to change it from within
the process. `tests/test_usage_reports.py` fails when that part changes.
"""

import os

from bentoml._internal.utils.analytics.usage_stats import do_not_track

from configs.opt_outs import opt_out


def stop_usage_reports() -> None:
    """Set what is not set, here and for the workers, and have BentoML look again."""
    opt_out(os.environ)
    do_not_track.cache_clear()
