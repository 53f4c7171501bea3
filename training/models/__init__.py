"""Models that learn lists from listens: one file each, each registering itself.

Every public module of this folder is imported here, so a new file needs no list to be edited.
"""

import importlib
import pkgutil

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    if not _module.startswith("_"):
        importlib.import_module(f"{__name__}.{_module}")
