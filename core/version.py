"""The version of Segue that is installed."""

from importlib import metadata

UNINSTALLED = "0+uninstalled"
"""The version of a checkout that was never installed: a valid version, below every release."""


def version() -> str:
    """Read the version from the metadata of the installed distribution."""
    try:
        return metadata.version("segue")
    except metadata.PackageNotFoundError:
        return UNINSTALLED
