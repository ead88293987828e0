"""What the conformance tests share: Python environments with other people's controllers, and their logs."""

import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
sys.path.insert(0, os.path.join(ROOT, "perf"))
