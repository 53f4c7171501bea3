"""Strategy types, which propose the next track: one small file for each, which registers itself.

This module imports every public module of the folder, so a new file needs no entry anywhere.
"""

import importlib
import pkgutil

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    if not _module.startswith("_"):
        importlib.import_module(f"{__name__}.{_module}")
