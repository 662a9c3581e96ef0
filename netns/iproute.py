"""pyroute2's IPRoute without the rest of pyroute2.

The package's __init__ imports every subsystem it has (databases, wireless, 9P, ...: 163 modules, 80 ms, 23 MB). Here the package stands
in sys.modules before its __init__ could run, and IPRoute's own submodule brings the 98 that it needs (17 MB). `from pyroute2 import X`
therefore finds no class after this; import from the submodule, as here.
"""

from __future__ import annotations

import importlib.util
import sys

if "pyroute2" not in sys.modules:
    _package = importlib.util.find_spec("pyroute2")
    assert _package is not None, "pyroute2 is not installed"
    sys.modules["pyroute2"] = importlib.util.module_from_spec(_package)

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

__all__ = ["IPRoute", "NetlinkError"]
