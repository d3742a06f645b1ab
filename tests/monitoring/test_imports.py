"""What the monitoring code imports: no training library, nothing heavy before it is needed, and no telemetry."""

import subprocess
import sys

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pandas", "torch", "sklearn", "mlflow", "scipy"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocker())
"""


def run_python(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_thousand_rows_are_logged_and_profiled_without_pandas(tmp_path):
    script = """
import msgspec
from pathlib import Path
from monitoring.records.decision_log import DecisionLog
from monitoring.records.lines import Row
from monitoring.profiles.profiler import catch_up
from monitoring.status import count
directory = Path(sys.argv[1])
Applicant = msgspec.defstruct("Applicant", ["age", "purpose"])
rows = [Row("http", i / 1000, "approve", Applicant(i, None if i % 2 else "car")) for i in range(1000)]
DecisionLog(directory, 2**26).append("m:1", rows)
assert catch_up(directory, 3600, 1024)
print(count(directory).profiled)
"""
    assert run_python(BLOCKED + script, str(tmp_path)) == "1000\n"


def test_training_libraries_are_not_imported_even_if_installed():
    script = """
import sys
import monitoring.__main__, monitoring.profiles.profiler, monitoring.profiles.supervision
print(sorted({"pandas", "torch", "sklearn", "mlflow", "scipy"} & sys.modules.keys()))
import whylogs.api.usage_stats
print(whylogs.api.usage_stats._TELEMETRY_DISABLED)
"""
    assert run_python(script) == "[]\nTrue\n"


def test_modules_that_the_service_imports_do_not_import_whylogs():
    script = """
import sys
import monitoring.records.decision_log, monitoring.profiles.supervision, monitoring.status, monitoring.records.log_keys
print(sorted({"whylogs", "numpy", "pyarrow", "cryptography"} & sys.modules.keys()))
"""
    assert run_python(script) == "[]\n"


def test_commands_import_parquet_and_encryption_only_on_use():
    script = """
import sys
import monitoring.__main__, monitoring.profiles.profiler, monitoring.records.upkeep
import monitoring.records.erasure, monitoring.records.compaction
print(sorted({"pandas", "pyarrow", "cryptography"} & sys.modules.keys()))
"""
    assert run_python(script) == "[]\n"


def test_status_and_the_child_processes_start_without_whylogs():
    script = """
import sys
import monitoring.__main__, monitoring.profiles.process, monitoring.records.archive_search
print(sorted({"whylogs", "numpy", "pyarrow", "cryptography"} & sys.modules.keys()))
"""
    assert run_python(script) == "[]\n"
