"""Memory of the workers: in pages of 2 MB where the C library is glibc.

Looking up small pages took a tenth of a worker's time.
"""

HUGE_PAGES = {"name": "GLIBC_TUNABLES", "value": "glibc.malloc.hugetlb=1"}  # a variable, read when a process starts
