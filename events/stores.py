"""Stores: which library reads an object store or HDFS, and what it takes from the environment.

PyArrow knows the stores of Amazon (and what is compatible), Google and Azure, and HDFS. For every
other scheme, and where its package is installed, fsspec brings the file system.
"""

import os
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_PYARROW_ALONE = frozenset({"hdfs", "viewfs"})
_PYARROW = frozenset({"s3", "gs", "abfs", "abfss"})

_OPTIONS = {
    "s3": "?allow_delayed_open=true",  # a file below 5 MB is one request in place of three
    "gs": "?retry_limit_seconds=30",  # PyArrow would ask for 15 minutes before it gives up
}
"""Scheme -> options that PyArrow reads from the URL of a store."""

_SETTINGS = ("AWS_", "AZURE_", "GOOGLE_")
_HINTS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION and, for a store that is "
    "not Amazon's, AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "abfs": "AZURE_STORAGE_ACCOUNT_NAME",
    "hdfs": "HADOOP_HOME and CLASSPATH, by which PyArrow finds libhdfs",
}


def store_settings() -> dict[str, str]:
    """List the variables of the environment from which stores take credentials and addresses."""
    return {name: os.environ[name] for name in sorted(os.environ) if name.startswith(_SETTINGS)}


def connect(scheme: str, place: str) -> "tuple[FileSystem, str]":
    """Give the file system of a store, and the path of a bucket or host in it.

    The connection is kept for as long as the settings in the environment are the same.

    Args:
        scheme: Of the URL.
        place: Bucket or host.
    """
    return _connect(scheme, place, tuple(store_settings().items()))


def describe_refusal(scheme: str, error: Exception) -> str:
    """Say what a store refused, and where to look; each store raises errors of its own."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:240]
    hint = _HINTS.get(scheme, "the variables that its package reads")
    return f"cannot be reached: {said}. Check the URL, and the environment: {hint}"


@lru_cache(maxsize=16)
def _connect(scheme: str, place: str, settings: object) -> "tuple[FileSystem, str]":
    from pyarrow import fs

    url = f"{scheme}://{place}/"
    if scheme not in _PYARROW_ALONE:
        import fsspec

        try:
            # A listing that is kept would hide what was written meanwhile.
            system, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError:
            if scheme not in _PYARROW:
                raise
        else:
            return fs.PyFileSystem(fs.FSSpecHandler(system)), root
    found, root = fs.FileSystem.from_uri(url + _OPTIONS.get(scheme, ""))
    return found, root
