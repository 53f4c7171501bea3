"""Admin rights: the token that allows reloads and forced arms, and the arms that a tester names."""

import hmac
import os
from collections.abc import Iterable, Mapping

from app.errors import ApiError
from core.allocation import Allocation
from core.errors import InputError, unknown_name

FORCE = "Segue-Force"
"""Header by which a tester chooses arms: `experiment=arm`, separated by commas."""


class Admin:
    """The check of the admin token.

    Args:
        token: The token that a request must carry as `Authorization: Bearer`; an empty one turns
            admin off.
        env: Environment variable that holds the token; error messages name it.
    """

    def __init__(self, token: str = "", env: str = "SEGUE_ADMIN_TOKEN") -> None:
        self._token = token.encode()
        self._env = env

    @property
    def has_token(self) -> bool:
        """Say whether the server was started with a token."""
        return bool(self._token)

    def check(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Accept a request that carries the token.

        Raises:
            ApiError: 403 if the server has no token, 401 if the request has none or a wrong one.
        """
        if not self._token:
            raise ApiError(
                403,
                "admin_off",
                "this needs the admin token, and the server was started without one. Set the "
                f"environment variable {self._env} and restart the server",
            )
        credentials = next((value for name, value in headers if name == b"authorization"), b"")
        scheme, _, token = credentials.partition(b" ")
        # The whole token, in constant time, and for any scheme: the time taken reveals nothing.
        same = hmac.compare_digest(token.strip(), self._token)
        if scheme.lower() != b"bearer" or not same:
            raise ApiError(
                401,
                "unauthorized",
                f"must be `Bearer` and the token in the server's {self._env}; the request has none "
                "or a wrong one",
                "Authorization",
            )


def read_token(env: str) -> str:
    """Read the admin token; "" if the variable is not set or is empty, so that admin is off.

    White space around it is no part of it: a file with a secret often ends in a new line.

    Raises:
        InputError: No header can carry the token.
    """
    given = os.environ.get(env, "")
    token = given.strip()
    where = f"environment variable {env}"
    if given and not token:
        raise InputError.one(
            where, "must be a token, has only white space. Set a token, or unset the variable"
        )
    wrong = next((place for place, each in enumerate(token) if not each.isprintable()), None)
    if wrong is not None:
        raise InputError.one(
            where,
            "must be one line of printable characters, has a different one at "
            f"place {wrong + 1} of {len(token)}. Make a token with `openssl rand -hex 32`",
        )
    return token


def requested_arms(value: bytes, allocation: Allocation) -> Mapping[str, str]:
    """Read experiment -> arm from the header's value.

    Raises:
        ApiError: 422 if the value is malformed, names an experiment or an arm that does not run,
            or names two experiments of one layer.
    """
    experiments = {experiment.name: experiment for experiment in allocation.experiments}
    requested: dict[str, str] = {}
    layers: dict[str, str] = {}
    for part in value.decode("latin-1").split(","):
        name, equals, arm = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise _invalid(f"must be experiment=arm, separated by commas, got {part.strip()!r:.80}")
        if name not in experiments:
            raise _invalid(unknown_name("experiment", name[:64], experiments))
        experiment = experiments[name]
        arms = [each.name for each in experiment.arms]
        if arm not in arms:
            raise _invalid(f"experiment '{name}': {unknown_name('arm', arm[:64], arms)}")
        if experiment.layer in layers:
            raise _invalid(
                f"'{layers[experiment.layer]}' and '{name}' share layer '{experiment.layer}', and "
                "no listener is in both; name one of them"
            )
        layers[experiment.layer] = name
        requested[name] = arm
    return requested


def _invalid(message: str) -> ApiError:
    return ApiError(422, "invalid", message, FORCE)
