"""The job that `spark-submit` takes: `spark-submit batch/spark_submit.py score TABLE --out DIR`, with `--engine spark`.

Owns finding the code beside it. Master, cores, memory and everything else are those that `spark-submit` is given.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python puts the folder of a script first, in which modules are named like packages of others.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

    from batch.__main__ import main

    sys.exit(main([*sys.argv[1:], "--engine", "spark"]))
