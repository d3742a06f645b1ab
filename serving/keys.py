"""`python -m serving.keys`: the former name of `python -m serving.access`, kept for one version."""

import sys

from serving.access.__main__ import main

if __name__ == "__main__":
    sys.stderr.write("python -m serving.keys is called python -m serving.access now\n")
    sys.exit(main())
