"""The keys of clients: `server.keys_env` names each client and the variable that holds its key."""

import hmac
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from app.errors import ApiError
from core.errors import Fault, InputError
from engine.settings.model import Settings

HEADER = "Segue-Key"


class ClientKeys:
    """The check of a client's key. Only the client's name is ever logged or counted.

    Args:
        keys: Client's name -> its key.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._hashes = {name: _hash(key.encode()) for name, key in keys.items()}

    def check(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the name of the client whose key a request carries.

        Raises:
            ApiError: 401 if the request has no key or an unknown one.
        """
        sent = _hash(next((value for name, value in headers if name == b"segue-key"), b""))
        # Every key, and hashes of one length: the time taken says nothing about any key.
        found = [name for name, key in self._hashes.items() if hmac.compare_digest(key, sent)]
        if not found:
            raise ApiError(
                401,
                "unauthorized",
                "must be the key of a client that server.keys_env names; the request has none or "
                "an unknown one",
                HEADER,
            )
        return found[0]


def client_keys(settings: Settings, environment: Mapping[str, str]) -> ClientKeys | None:
    """Read the clients' keys; None if the config names no client.

    Raises:
        InputError: A variable is not set, holds no usable key, or holds the key of a second client.
    """
    keys: dict[str, str] = {}
    faults = []
    for name, variable in settings.server.keys_env.items():
        key = environment.get(variable, "")
        if problem := _problem_of(key, keys):
            faults.append(
                Fault(f"{settings.path}: server.keys_env.{name}", f"{variable} {problem}")
            )
        keys[name] = key
    if faults:
        raise InputError(faults)
    return ClientKeys(keys) if keys else None


def _problem_of(key: str, taken: Mapping[str, str]) -> str | None:
    if not key:
        return "is not set; set this environment variable to the client's key, and start again"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "must hold printable ASCII characters without spaces, as a header can carry"
    for name, other in taken.items():
        if key == other:
            return f"holds the key of the client '{name}' too; give each client its own key"
    return None


def _hash(key: bytes) -> bytes:
    return blake2b(key, digest_size=32).digest()
