"""The config that serves and the file, as OpenAPI describes them."""

from typing import Any

from pydantic import BaseModel

from app.board.schemas.parts import BoardExample


class ServedConfig(BaseModel):
    """The config that serves."""

    config: str
    path: str | None
    since_ms: int | None = None


class FileConfig(BaseModel):
    """The config file on the disk."""

    config: str | None
    same: bool
    text: str


class ConfigDifference(BaseModel):
    """A key whose value differs."""

    key: str
    served: Any
    file: Any


class ConfigCheck(BaseModel):
    """The findings of `segue check` in the file."""

    sound: bool
    faults: list[BoardExample]
    says: list[str]


class ConfigReload(BaseModel):
    """The right to reload the config here, and the last failure."""

    allowed: bool
    token: str
    failure: str | None


class BoardConfig(BaseModel):
    """The config that serves, and the file."""

    served: ServedConfig
    file: FileConfig | None
    diff: list[ConfigDifference]
    check: ConfigCheck | None
    reload: ConfigReload | None = None
