"""The process manager of BentoML as this project changes it; fails where BentoML names it otherwise."""

import json
import subprocess
import sys

from serving.process_control import CHECK_S
from tests.conftest import ROOT

# In a process of its own, as a process manager takes the signals of the process that it is made in.
MADE = """
import json, os, stat, sys
from bentoml._internal.utils import circus
from serving.process_control import keep_processes_private

keep_processes_private(24)
plugin = {"use": "bentoml._internal.utils.circus.watchfilesplugin.ServiceReloaderPlugin"}
found = []
for plugins in ([], [plugin]):
    arbiter = circus.create_standalone_arbiter([], plugins=plugins)
    places = [arbiter.endpoint, arbiter.pubsub_endpoint]
    folders = {os.path.dirname(place.removeprefix("ipc://")) for place in places if place.startswith("ipc://")}
    modes = [stat.S_IMODE(os.stat(folder).st_mode) for folder in folders]
    arbiter.exit_stack.close()
    found.append([places, arbiter.check_delay, modes, [os.path.exists(folder) for folder in folders]])
print(json.dumps(found), flush=True)
os._exit(0)
"""


def test_bentoml_makes_a_process_manager_without_a_port_and_for_reload_in_a_folder_that_others_may_not_enter():
    done = subprocess.run(
        [sys.executable, "-c", MADE], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    (places, check_s, modes, _), (reload_places, reload_check_s, reload_modes, left) = json.loads(done.stdout)
    assert places == ["inproc://control", "inproc://events"]
    assert modes == []
    assert all(place.startswith("ipc:///") for place in reload_places)
    assert reload_modes == [0o700]
    assert left == [False]
    assert check_s == reload_check_s == CHECK_S
