"""The address of a cluster: whether somebody listens there, before an engine waits for minutes to find out."""

import ipaddress
import re
import socket

from batch.errors import BatchError

CONNECT_S = 10.0  # a machine that answers at all does so within one or two


def check_reachable(address: str, what: str, start: str) -> None:
    """Raise `BatchError` where no host of `host:port`, with or without a scheme and further hosts, takes a connection.

    Args:
        address: of the cluster; what has no port in it is left to the engine.
        what: listens there.
        start: how it is started.
    """
    reasons = []
    for host, port in hosts_of(address):
        try:
            socket.create_connection((host, port), timeout=CONNECT_S).close()
        except OSError as error:
            reasons.append(f"{host}:{port}: {error.strerror or error}")
        else:
            return
    if reasons:
        problem = f"--address {address}: {what} does not answer ({'; '.join(reasons)})"
        raise BatchError(f"{problem}; start it: {start}, or leave --address out for this machine alone")


def hosts_of(address: str) -> list[tuple[str, int]]:
    """Host and port of each host that an address names.

    >>> hosts_of("spark://a.internal:7077,[fd00::1]:7077"), hosts_of("127.0.0.1:6379"), hosts_of("yarn")
    ([('a.internal', 7077), ('fd00::1', 7077)], [('127.0.0.1', 6379)], [])
    """
    hosts = address.rpartition("://")[2].rstrip("/").split(",")
    found = [re.fullmatch(r"\[?([^\[\]]+?)\]?:(\d{1,5})", host) for host in hosts]
    return [(each[1], int(each[2])) for each in found if each]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("10.0.0.7"), is_loopback("head.internal")
    (True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
