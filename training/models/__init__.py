"""Models that learn lists from listens: one file each, and each registers itself.

This file imports every public module of the folder, so a new model needs no list to be edited.
"""

import importlib
import pkgutil

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    if not _module.startswith("_"):
        importlib.import_module(f"{__name__}.{_module}")
