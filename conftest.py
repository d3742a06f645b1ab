"""Before anything is collected: no test and no doctest may import a library that reports its use."""

import os

from configs.opt_outs import opt_out

opt_out(os.environ)
