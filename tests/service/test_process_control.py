"""Who may speak to a running service: its clients, by HTTP and gRPC, and nobody to what manages its processes."""

import os
import subprocess
import sys

import psutil

from tests.conftest import Server

NOBODY = 65534
# Asks circus, at each port, which programs it runs; as another user where this one may become another.
ATTACK = f"""
import json, os, sys
from circus.client import CircusClient
from circus.exc import CallError

if os.geteuid() == 0:
    os.setuid({NOBODY})
told = []
for port in map(int, sys.argv[1:]):
    try:
        told.append(CircusClient(endpoint=f"tcp://127.0.0.1:{{port}}", timeout=1).send_message("list"))
    except CallError:
        continue
print(json.dumps(told), flush=True)
os._exit(0)
"""


def listening(server: Server) -> set[object]:
    """Where the processes of a service listen: ports, and paths of sockets."""
    parent = psutil.Process(server.process.pid)
    processes = (parent, *parent.children(recursive=True))
    ports = {
        connection.laddr.port
        for process in processes
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    return ports | {connection.laddr for each in processes for connection in each.net_connections("unix")} - {""}


def test_a_service_listens_for_its_clients_alone(service):
    assert listening(service) == {service.port, int(service.grpc.rpartition(":")[2])}


def test_no_port_of_a_service_tells_anybody_which_programs_it_runs(service):
    ports = [str(place) for place in listening(service) if isinstance(place, int)]
    done = subprocess.run(
        [sys.executable, "-c", ATTACK, *ports], capture_output=True, text=True, check=True, timeout=60, env=os.environ
    )
    assert done.stdout == "[]\n"
