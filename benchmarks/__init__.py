"""Measurements, each with its command; none of them is a test."""

import os

from configs.opt_outs import opt_out

opt_out(os.environ)  # before a benchmark imports what would report its use
