"""Where files lie: folders of this machine, and buckets of S3 and of servers that speak its protocol.

Owns the way from a path or an `s3://` address to a file system of Arrow. Credentials come by the usual chain of AWS
(environment, profile, role of the machine or the pod), and from nowhere else: they are in no file, message or log of
this project.
"""

import os
from functools import lru_cache
from pathlib import Path

from pyarrow import fs

from configs.batch import read_batch

S3 = "s3://"


def is_remote(place: str) -> bool:
    """Whether a place is in a bucket.

    >>> is_remote("s3://bucket/scores"), is_remote("var/scores")
    (True, False)
    """
    return place.startswith(S3)


def opened(place: str) -> tuple[fs.FileSystem, str]:
    """The file system of a place, and its path there."""
    if is_remote(place):
        return _s3(os.getpid()), place.removeprefix(S3).rstrip("/")
    return fs.LocalFileSystem(), str(Path(place).absolute())


@lru_cache(maxsize=1)
def _s3(_: int) -> fs.FileSystem:
    """The file system, once per process: a connection does not survive a fork."""
    settings = read_batch()
    endpoint = settings.s3_endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    scheme, _mark, host = (endpoint or "").rpartition("://")
    return fs.S3FileSystem(
        endpoint_override=host or None,
        scheme=scheme or None,
        region=settings.s3_region or None,
        allow_bucket_creation=False,
        request_timeout=settings.s3_timeout_s,
        connect_timeout=settings.s3_timeout_s,
    )
