"""A build step: the wheel carries the embedded world, which lies beside the packages, in data/.

`segue init` writes it into a folder, so that an installed Segue has something to serve.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithWorld(build_py):
    """Copy config.yaml and data/ beside the modules of `cli`; see cli/embedded_world.py."""

    def run(self) -> None:
        """Build the packages, and put the world in unless they stay where they are."""
        super().run()
        if self.editable_mode:
            return
        to = Path(self.build_lib) / "cli" / "embedded"
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(parents=True)
        shutil.copy(ROOT / "config.yaml", to)
        shutil.copytree(ROOT / "data", to / "data")


setup(cmdclass={"build_py": BuildWithWorld})
