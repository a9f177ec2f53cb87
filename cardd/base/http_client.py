"""httpx without its command line.

The library imports that wherever it finds click, which `cardctl` brings along: 2.5 MiB of the daemon's memory that it
never uses.
"""

import sys
from types import ModuleType
from typing import Final, cast

_LEFT_OUT: Final = "httpx._main"

# None is what the import system takes for a module that is not there
sys.modules.setdefault(_LEFT_OUT, cast("ModuleType", None))

import httpx as httpx  # noqa: E402, PLC0414 - after the line above, and to be had from here
