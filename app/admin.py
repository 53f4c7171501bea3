"""Who may change what is served: whoever brings the token, and which arms they may ask for."""

import hmac
from collections.abc import Iterable, Mapping

from app.errors import ApiError
from core.allocation import Allocation
from core.errors import unknown_name

FORCE = "Segue-Force"
"""Header of a request whose arms a tester chooses: `experiment=arm`, several with commas."""


class Admin:
    """Holds the token.

    Args:
        token: What a request must bring as `Authorization: Bearer`; empty turns admin off.
        env: Name of the environment variable that it came from, for whoever needs to set it.
    """

    def __init__(self, token: str = "", env: str = "SEGUE_ADMIN_TOKEN") -> None:
        self._token = token.encode()
        self._env = env

    def check(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Let a request with the token pass.

        Raises:
            Refusal: 403 where there is no token to bring, 401 where another or none was brought.
        """
        if not self._token:
            raise ApiError(
                403,
                "admin_off",
                f"nobody may do this: the server was started without a token. Put one into the "
                f"environment variable {self._env} and start it again",
            )
        brought = next((value for name, value in headers if name == b"authorization"), b"")
        scheme, _, token = brought.partition(b" ")
        # Compared whole and in constant time, whatever the scheme, so that timing tells nothing.
        same = hmac.compare_digest(token.strip(), self._token)
        if scheme.lower() != b"bearer" or not same:
            raise ApiError(
                401,
                "unauthorized",
                f"must be `Bearer` and the token that the server has in {self._env}",
                "Authorization",
            )


def requested_arms(value: bytes, allocation: Allocation) -> Mapping[str, str]:
    """Experiment -> arm from the header's value.

    Raises:
        Refusal: 422 where it is malformed, names what does not run, or two arms of one layer.
    """
    experiments = {experiment.name: experiment for experiment in allocation.experiments}
    asked: dict[str, str] = {}
    layers: dict[str, str] = {}
    for part in value.decode("latin-1").split(","):
        name, equals, arm = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise _invalid(f"must be experiment=arm, several with commas, got {part.strip()!r:.80}")
        if name not in experiments:
            raise _invalid(unknown_name("experiment", name[:64], experiments))
        experiment = experiments[name]
        arms = [each.name for each in experiment.arms]
        if arm not in arms:
            raise _invalid(f"experiment '{name}': {unknown_name('arm', arm[:64], arms)}")
        if experiment.layer in layers:
            raise _invalid(
                f"'{layers[experiment.layer]}' and '{name}' share layer '{experiment.layer}', so "
                "that nobody is in both; ask for one of them"
            )
        layers[experiment.layer] = name
        asked[name] = arm
    return asked


def _invalid(message: str) -> ApiError:
    return ApiError(422, "invalid", message, FORCE)
