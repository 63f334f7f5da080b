"""The page in a real browser shares clusters, daemons and helpers with tests/integration.

    ONCED_PICTURES  directory for the screenshots (default: none are kept)
"""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
