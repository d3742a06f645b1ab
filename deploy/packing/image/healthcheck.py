"""Whether the service in this container is ready, by its exit code; for the health check of the image."""

import os
import sys
import urllib.error
import urllib.request


def main() -> int:
    """Ask /readyz."""
    try:
        url = f"http://127.0.0.1:{os.environ['BENTOML_PORT']}/readyz"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever http_proxy says
        with direct.open(url, timeout=4) as answer:
            return int(answer.status != 200)
    except (OSError, urllib.error.URLError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
