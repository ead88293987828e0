"""Runs inside an environment: `python launch.py ARGUMENTS` is os-ken's `osken-manager ARGUMENTS` made to run on the Python of today.

os-ken 1.4 asks eventlet for a constant that it no longer has (a response that the application has sent itself is now told by the request's
environment), and Python 3.12 no longer has some aliases of `inspect` and `collections`.
"""

import collections
import collections.abc
import inspect
import sys
import warnings

warnings.simplefilter("ignore")

import eventlet.wsgi  # noqa: E402

if not hasattr(eventlet.wsgi, "ALREADY_HANDLED"):
    class _AlreadyHandled:
        def __iter__(self):
            return self

        def __next__(self):
            raise StopIteration

    eventlet.wsgi.ALREADY_HANDLED = _AlreadyHandled()
if not hasattr(inspect, "getargspec"):
    inspect.getargspec = inspect.getfullargspec
for alias in ("Mapping", "MutableMapping", "Iterable", "Callable"):
    if not hasattr(collections, alias):
        setattr(collections, alias, getattr(collections.abc, alias))

from os_ken.cmd.manager import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
