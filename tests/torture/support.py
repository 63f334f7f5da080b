"""Where the parts of tests/integration are found."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))

from cluster import ClusterError  # noqa: E402,F401
