"""The form of config.yaml: its sections and their defaults, and the checked settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from core.allocation import SERVING, SLOTS, Arm, Experiment
from core.draw import FinalDraw
from strategies.base import Params
from strategies.registry import Registered

NAME_PATTERN = r"^[\w.+-]+$"
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME_PATTERN)]


# A bare number, which YAML reads as one, is in the metric's unit.
MARGIN_PATTERN = r"^\d+(\.\d+)?\s*(ms|%|pp)?$"
Margin = Annotated[
    str,
    BeforeValidator(str),
    Field(pattern=MARGIN_PATTERN),
    WithJsonSchema({"type": ["number", "string"], "pattern": MARGIN_PATTERN, "minimum": 0}),
]


HostName = Annotated[str, Field(pattern=r"^([^\s:/\[\]]+|\[[0-9A-Fa-f:.]+\])$")]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^\s/]+)$")]


def checked_address(address: str) -> str:
    """Return an address that is HOST:PORT.

    Raises:
        ValueError: It is not.
    """
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    in_brackets = host == f"[{bare}]"
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else -1
    if not (colon and bare and in_brackets == (":" in bare) and 0 <= number <= 65535):
        raise ValueError("must be HOST:PORT, for instance 127.0.0.1:8001 or [::1]:8001")
    return address


class Section(BaseModel):
    # Defaults are validated too, so that 1800 becomes 1800.0 whether the file has the key or not:
    # both must have one digest.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )


class CatalogSettings(Section):
    """The files of the data; paths are relative to the config file.

    Attributes:
        tracks: Catalog, JSON lines.
        top: Popularity list, a JSON array of track ids.
        lists: Name -> list file, .npz or JSON lines.
        vectors: Name -> vector file, .npz.
        tables: Name -> table by listener, .npz.
        learnt: Folder of `segue learn`. The lists, vectors, tables and the popularity list of the
            version that serves stand in for those of the same name. Nothing need be there.
    """

    tracks: Path
    top: Path | None = None
    lists: dict[Name, Path] = {}
    vectors: dict[Name, Path] = {}
    tables: dict[Name, Path] = {}
    learnt: Path = Path("artifacts")


class ArmSettings(Section):
    """One arm.

    Attributes:
        strategy: Name of the strategy that answers; absent in a layer of labels.
        weight: Share of the experiment's listeners; the weights add up to 100 or to 1.
        draw: Draw at the end of the chain: by `score`, `uniform`, the `first` only, or by `rank`.
            Without it, each strategy's own `draw` counts.
    """

    strategy: str | None = None
    weight: float = Field(ge=0)
    draw: FinalDraw | None = None


class ExperimentSettings(Section):
    """One experiment.

    Attributes:
        name: Unique among experiments; every event and answer names it.
        arms: Name -> strategy and weight; the first arm is the control.
        salt: With a new salt, listeners get new arms; `segue design` finds one that splits evenly.
        version: With a new version, listeners get new arms; raise it when a started experiment
            changes.
        layer: Experiments of a layer never share a listener.
        slots: The layer's slots that this experiment may take: the first, and one past the last.
        traffic: Share of the listeners in those slots that enter, in [0, 1].
        hash: `segue`, or `botify` for the assignment of botify, bit for bit.
        targeting: Attribute -> allowed values; listeners without them are in no arm.
        forced: Listener id -> arm, for testing.
        planned: The plan that `segue design` wrote, for the report; decisions ignore it.
        question: What the experiment is to find out, for people: the board shows it.
    """

    name: Name
    arms: dict[Name, ArmSettings] = Field(min_length=1)
    salt: str | None = None
    version: int = Field(1, ge=1)
    layer: Name = SERVING
    slots: tuple[int, int] = (0, SLOTS)
    traffic: float = Field(1.0, ge=0, le=1)
    hash: Literal["segue", "botify"] = "segue"
    targeting: dict[str, str | int | bool | list[str | int | bool]] = {}
    forced: dict[str | int, str] = {}
    planned: dict[str, Any] = {}
    question: str | None = Field(None, min_length=1, max_length=500)

    def experiment(self) -> Experiment:
        """Return the definition for the allocation."""
        return Experiment(
            name=self.name,
            arms=tuple(
                Arm(name, arm.weight, arm.strategy, arm.draw) for name, arm in self.arms.items()
            ),
            salt=self.name if self.salt is None else self.salt,
            version=self.version,
            layer=self.layer,
            slots=self.slots,
            traffic=self.traffic,
            hash=self.hash,
            targeting={
                key: tuple(allowed) if isinstance(allowed, list) else (allowed,)
                for key, allowed in self.targeting.items()
            },
            forced={str(listener): arm for listener, arm in self.forced.items()},
        )


class HoldoutSettings(Section):
    """Listeners who are in no experiment.

    Attributes:
        share: Share of all listeners, in [0, 1].
        salt: A new salt holds out different listeners.
    """

    share: float = Field(0.0, ge=0, le=1)
    salt: str = ""


class StateSettings(Section):
    """The server's memory of listeners.

    Attributes:
        backend: Where it is: `memory` is that of one process; processes share it on `redis`.
        url: The Redis: `redis://host:6379/0`, `rediss://` with TLS, `unix:///path`. Several hosts
            are separated by commas. It has no password.
        url_env: Environment variable with the url, which may have a user and a password.
        sentinel: Name of the master, if the hosts of the url are Sentinels.
        cluster: Whether the hosts of the url are nodes of a Redis Cluster.
        prefix: Every key on Redis begins with it.
        timeout_ms: Time that a turn waits for Redis, in ms; then it is decided without state.
        max_listeners: Number of listeners in memory; beyond it the server forgets the least
            recently seen. Redis has its own limit.
        ttl_s: The server forgets a listener whom it has not seen for this long, in seconds.
        history: Number of listens kept per listener.
        session_gap_s: Silence after which a new session begins, in seconds.
        reset_state_on_new_experiment: Whether the server forgets a listener who enters an
            experiment, so that no experiment starts with a history that an earlier one shaped.
        idempotency_keys: Number of answers kept for retried requests.
        idempotency_ttl_s: Time that an answer is kept for them, in seconds.
        idempotency_mb: Memory for them, in MB; the oldest go when it is full.
    """

    backend: Literal["memory", "redis"] = "memory"
    url: str | None = None
    url_env: str | None = Field(None, pattern=r"^\w+$")
    sentinel: str | None = Field(None, min_length=1)
    cluster: bool = False
    prefix: str = Field("segue:", max_length=64, pattern=r"^[^{}\s]*$")
    timeout_ms: float = Field(50, gt=0, le=60_000)
    max_listeners: int = Field(100_000, ge=1)
    ttl_s: float = Field(86_400, gt=0)
    history: int = Field(100, ge=1, le=10_000)
    session_gap_s: float = Field(1_800, gt=0)
    reset_state_on_new_experiment: bool = False
    idempotency_keys: int = Field(50_000, ge=1)
    idempotency_ttl_s: float = Field(600, gt=0)
    idempotency_mb: float = Field(64, gt=0)


class EventsSettings(Section):
    """The event log.

    Attributes:
        dir: Folder, relative to the config file; every process writes its own files there.
        rotate_mb: Size at which a new file begins, in MB.
        fsync_s: Time between two forced writes to the disk, in seconds.
        keep_days: Age at which `segue logs compact --remove` removes an event file that Parquet
            holds, in days; None for never. The server itself removes nothing.
    """

    dir: Path = Path("log")
    rotate_mb: float = Field(100, gt=0)
    fsync_s: float = Field(1.0, gt=0)
    keep_days: float | None = Field(None, gt=0)


class ServerSettings(Section):
    """The server's address and limits, read at its start; decisions ignore them.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 for one that is free.
        door: `own` answers hot routes without ASGI; `plain` is uvicorn's protocol as it is, with
            the same answers and without the three limits below.
        request_timeout_s: Time for a request to arrive whole, in seconds.
        keep_alive_s: Time that a connection may be silent, in seconds.
        shutdown_s: Time that clients may delay the end of the server, in seconds.
        connections: Connections at once, a count; each worker has its own.
        hosts: Names that a Host header may have while the server listens on a loopback address.
        cors: Origins whose pages may call the server from a browser; `*` for every one.
        keys_env: Client's name -> environment variable with its key. With any, each turn and each
            question about a track must carry one in the header `Segue-Key`.
        reload_timeout_s: Time that a reload may take, in seconds.
        workers: Processes that serve, a count; more than one needs shared state.
        log: Form of the server's own log on stderr.
        check_candidates: Whether every proposal is checked whole, to try a strategy out; it costs
            time in proportion to the candidates.
    """

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    door: Literal["own", "plain"] = "own"
    request_timeout_s: float = Field(10.0, gt=0)
    keep_alive_s: float = Field(5.0, gt=0)
    shutdown_s: float = Field(5.0, gt=0)
    connections: int = Field(10_000, ge=1)
    hosts: tuple[HostName, ...] = ("localhost", "127.0.0.1", "[::1]")
    cors: tuple[Origin, ...] = ()
    keys_env: dict[Name, Annotated[str, Field(pattern=r"^\w+$")]] = {}
    reload_timeout_s: float = Field(120.0, gt=0)
    workers: int = Field(1, ge=1, le=256)
    log: Literal["text", "json"] = "text"
    check_candidates: bool = False


class AdminSettings(Section):
    """The right to reload the config and to force arms, and the address of operations.

    Attributes:
        token_env: Environment variable with the token; if it is unset, nobody has the right.
        address: HOST:PORT of `/admin/*`, `/metrics`, `/experiments`, `/docs` and `/board`, which
            the main address then has no longer; None for the main address.
        board: Whether `/board` is served.
    """

    token_env: str = Field("SEGUE_ADMIN_TOKEN", pattern=r"^\w+$")
    address: Annotated[str, AfterValidator(checked_address)] | None = None
    board: bool = True


class ReportSettings(Section):
    """The metrics that `segue report` shows of the config's experiments; decisions ignore them.

    Attributes:
        primary: Metric of the verdict; mean session time by default.
        metrics: More metrics, name -> SQL over the listener table, or a mapping with `value` and
            optional `per`, `label`, `better` and `role`; see docs/statistics.md.
        guardrails: Metric -> how much worse it may get: `1 ms`, `5 %` of the control's value,
            `1 pp` (percentage points of a share), or a number in the metric's unit. A metric that
            stands here is a guardrail.
        own_choice: Whether listeners also choose tracks themselves, so that they may hear tracks
            that nobody recommended.
    """

    primary: str | None = None
    metrics: dict[Name, str | dict[str, str]] = {}
    guardrails: dict[Name, Margin] = {}
    own_choice: bool = False


class ConfigFile(Section):
    """The whole file; its names are not checked yet.

    Attributes:
        catalog: The files of the data: the catalog, the popularity list, and the lists.
        strategies: Name -> `type` and its params, and `fallback`, the strategy that is asked next
            if this one abstains. `segue strategies` lists the types.
        default: Name of the strategy for listeners who are in no experiment.
        experiments: The experiments, each with its arms.
        holdout: Listeners who are in no experiment.
        modules: Python modules to import at start, for strategies that live elsewhere.
        state: The server's memory of listeners.
        events: The event log.
        started: Folder of the record of started experiments; by default beside the events.
        server: The server's address and limits.
        admin: The right to reload the config and to force arms.
        watch: Whether the server reloads this file when it changes.
        report: What `segue report` shows.
    """

    catalog: CatalogSettings
    strategies: dict[Name, dict[str, Any]] = Field(min_length=1)
    default: str
    default_draw: FinalDraw | None = None
    experiments: list[ExperimentSettings] = []
    holdout: HoldoutSettings = HoldoutSettings()
    modules: list[str] = []
    state: StateSettings = StateSettings()
    events: EventsSettings = EventsSettings()
    started: Path | None = None
    server: ServerSettings = ServerSettings()
    admin: AdminSettings = AdminSettings()
    watch: bool = False
    report: ReportSettings = ReportSettings()


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """One named strategy.

    Attributes:
        type: Its registered type.
        params: Its validated params.
        fallback: Name of the strategy that is next in the chain if it abstains.
        uses: Names of the strategies that its params name.
        timeout_ms: Time after which its proposal is late, in ms; None for no bound.
    """

    type: Registered
    params: Params
    fallback: str | None
    uses: tuple[str, ...]
    timeout_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked config.

    Attributes:
        path: The config file; relative paths in it start at its folder.
        strategies: By name, each after those that it uses.
        experiments: Definitions, in the order of the file.
        planned: Experiment -> its plan.
        questions: Experiment -> what it is to find out.
        default_draw: Draw at the end of the chain of `default`; None for the strategies' own.
        server: How the server listens.
        watch: Whether the server reloads the file when it changes.
        modules: Modules to import, for the strategy types that they register.
        started: Folder of the experiment ledger; None for the folder beside the events.
        report: What `segue report` shows.
    """

    path: Path
    catalog: CatalogSettings
    strategies: dict[str, StrategySettings]
    default: str
    experiments: tuple[Experiment, ...]
    holdout: HoldoutSettings
    state: StateSettings
    events: EventsSettings
    planned: dict[str, dict[str, Any]]
    server: ServerSettings
    admin: AdminSettings
    watch: bool
    report: ReportSettings
    modules: tuple[str, ...] = ()
    started: Path | None = None
    default_draw: FinalDraw | None = None
    questions: Mapping[str, str] = field(default_factory=dict)

    @property
    def started_folder(self) -> Path:
        """Return the folder of the experiment ledger."""
        return self.resolve(self.started or self.events.dir / "started")

    def resolve(self, path: Path) -> Path:
        """Resolve a path in the config file against the file's folder."""
        return self.path.parent / path
