"""Progress of training and importing; see `core.progress`."""

from core.progress import SILENT, Progress, Silent

__all__ = ["SILENT", "Progress", "Silent"]
