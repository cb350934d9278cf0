"""The settings of all services: name, unit, default. Read from the environment as SERVING_<NAME>."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from contract.schema import predict_path
from contract.secrets import MASK, is_secret_name, masked

PREFIX = "SERVING_"

Architecture = Literal["sync", "async"]
Role = Literal["scoring", "model"]

# The defaults that differ between the four services.
PORTS: dict[tuple[str, str], int] = {
    ("sync", "scoring"): 5001,
    ("sync", "model"): 5000,
    ("async", "scoring"): 8001,
    ("async", "model"): 8000,
}
_FAN_OUT = {"sync": "sequential", "async": "concurrent"}
_HTTP_CLIENTS = {"sync": ("requests", "urllib3"), "async": ("httpx", "aiohttp", "httpx2")}
# The model is called twice per request, so it gets twice the threads of the scoring handler.
_THREADS = {"scoring": 64, "model": 128}
# Requests beyond this number would only wait, so they are refused early. In the async twin that is what is in flight
# where its rate, with aiohttp, stops rising. In the sync twin as many may wait as it has threads, at most 16, or a
# quarter of the threads if that is more: with fewer places, a few threads would refuse requests that come at random
# long before they are busy.
_SYNC_WAITING = 16
_ASYNC_IN_FLIGHT = 128
_MODEL_IN_FLIGHT = 1024  # it may be called by several handlers
# In the async twin the pool is as large as anything that may be in flight. httpx and its successor httpx2 search their
# queue and all their connections for every request, so in a pool of their own few idle ones are kept. A thread of the
# sync twin calls each model at most once at a time, so its pool needs one connection per thread and model.
_ASYNC_POOL = 2048
_HTTPX_IDLE = 20
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
_UNSET = (None, "", 0, "0")


class SettingsError(Exception):
    """A setting is invalid; the message says which and why."""


class Settings(BaseSettings):
    """The settings of one service process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    architecture: Architecture = Field("sync", description="which twin; set by the program itself")
    role: Role = Field("scoring", description="which service; set by the program itself")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(0, ge=0, le=65535, description="port to listen on; default 5001, 5000, 8001, 8000")
    workers: int = Field(1, ge=1, le=64, description="worker processes")
    threads: int = Field(0, ge=0, le=4096, description="threads per worker (sync); default 64 scoring, 128 model")
    backlog: int = Field(2048, ge=1, description="connections that may wait to be accepted")
    keep_alive_s: int = Field(75, ge=1, description="seconds that an idle connection is kept")
    drain_timeout_s: int = Field(30, ge=0, description="seconds that a stopping process waits for its requests")
    max_in_flight: int = Field(
        0,
        ge=1,
        description="requests in one worker before 503, including those that wait; "
        "default 80 for 64 threads (sync scoring; see contract.md), 128 (async scoring), 1024 (model)",
    )
    request_timeout_s: int = Field(
        10, ge=1, description="seconds that a request may take to arrive, from its first byte to its last, before 408"
    )
    max_body_bytes: int = Field(16384, ge=2, description="bytes of a request body before 413")
    stage_clock: bool = Field(True, description="answer with Server-Timing")
    gc_freeze: bool = Field(
        True, description="exclude what was created at startup from garbage collection, which stops all requests"
    )
    lag_sample_ms: int = Field(
        0, ge=0, le=1000, description="ms between samples of this process's scheduling delay; 0 is off"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="verbosity of the log")
    log_format: Literal["text", "json"] = Field("text", description="of the log: lines of text, or one JSON per line")
    log_file: str = Field(
        "",
        description="the log's file, by default stderr; each process has its own, with its number, or {pid}, and the "
        "day in its name; {service} is the name of the service",
    )
    log_requests: bool = Field(False, description="log one line per predict: status, ms, stages")

    api_keys: str = Field(
        "",
        description="API keys that a scoring handler asks for: a file, or entries of the form "
        "name:scope[,scope]:sha256, separated by semicolons; by default it asks for none",
    )

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="the feature store")
    redis_timeout_ms: int = Field(500, ge=1, description="ms for a whole exchange with Redis before 503")
    redis_pool_size: int = Field(1024, ge=1, description="connections to Redis per worker")

    model_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="predict URLs of the models, separated by commas; default this twin's model, twice"
    )
    model_timeout_ms: int = Field(2000, ge=1, description="ms for a whole exchange with a model before 504")
    model_pool_size: int = Field(
        0,
        ge=0,
        description="connections to the models per worker; default 2048 (async), threads x models (sync)",
    )
    model_pool_idle: int = Field(
        0,
        ge=0,
        description="idle ones of these that are kept; default all, or 20 with httpx's own queue, as its own",
    )
    model_pool_queue: Literal["fifo", "client"] = Field(
        "fifo", description="where requests wait for one of them (async): in a queue of ours, or in the HTTP client's"
    )
    model_idle_s: int = Field(30, ge=1, description="seconds that a client keeps an idle connection (async)")
    fan_out: Literal["sequential", "concurrent"] | None = Field(
        None, description="ask the models one after the other or at once; default sequential (sync), concurrent (async)"
    )
    http_client: Literal["requests", "urllib3", "httpx", "aiohttp", "httpx2"] | None = Field(
        None, description="requests or urllib3 (sync), httpx, aiohttp or httpx2 (async); default the first"
    )
    client_reuse: Literal["pooled", "per-request"] = Field(
        "pooled", description="one HTTP client per worker, or (a common mistake, to be measured) one per request"
    )

    model_law: Literal["uniform", "constant", "lognormal"] = Field("uniform", description="law of a model's duration")
    model_min_ms: float = Field(40.0, ge=0, le=60_000, description="shortest duration in ms")
    model_max_ms: float = Field(50.0, ge=0, le=60_000, description="longest duration in ms")
    model_sigma: float = Field(0.1, ge=0, le=3, description="sd of the logarithm (lognormal)")
    model_cpu_ms: float = Field(0.0, ge=0, le=10_000, description="ms of CPU that a model burns per answer")
    model_seed: int = Field(42, description="seed of the durations")

    @field_validator("model_urls", mode="before")
    @classmethod
    def _split_urls(cls, value: object) -> object:
        return _split(value)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Fill in the defaults that depend on the architecture and the role."""
        architecture, role = values.get("architecture", "sync"), values.get("role", "scoring")
        if values.get("port") in _UNSET:
            values["port"] = PORTS[architecture, role]
        if values.get("threads") in _UNSET:
            values["threads"] = _THREADS[role]
        if values.get("max_in_flight") in (None, ""):
            values["max_in_flight"] = default_in_flight(architecture, role, values["threads"])
        values["fan_out"] = values.get("fan_out") or _FAN_OUT[architecture]
        values["http_client"] = values.get("http_client") or _HTTP_CLIENTS[architecture][0]
        if not _split(values.get("model_urls")):
            model = f"http://127.0.0.1:{PORTS[architecture, 'model']}{predict_path(architecture)}"
            values["model_urls"] = (model, model)
        return values

    @model_validator(mode="after")
    def _size_pool(self) -> "Settings":
        """Set the default pool size, which depends on the architecture, the client, the threads and the models."""
        sized = _ASYNC_POOL if self.architecture == "async" else self.threads * len(self.model_urls)
        size = self.model_pool_size or sized
        searches = self.http_client in ("httpx", "httpx2") and self.model_pool_queue == "client"
        idle = self.model_pool_idle or (_HTTPX_IDLE if searches else size)
        object.__setattr__(self, "model_pool_size", size)
        object.__setattr__(self, "model_pool_idle", min(idle, size))
        return self

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        if self.model_max_ms < self.model_min_ms:
            raise ValueError(f"model_max_ms is {self.model_max_ms:g}, below model_min_ms {self.model_min_ms:g}")
        clients = _HTTP_CLIENTS[self.architecture]
        if self.http_client not in clients:
            raise ValueError(f"http_client is {self.http_client!r}, expected {' or '.join(clients)}")
        if not self.redis_url.startswith(_REDIS_SCHEMES) or _has_space(self.redis_url):
            # Without the value: what has no scheme would be shown with its password.
            raise ValueError(
                f"redis_url is no URL of Redis, expected {' or '.join(_REDIS_SCHEMES)}, then host:port/number"
            )
        for url in self.model_urls:
            if not _is_http_url(url):
                raise ValueError(f"model_urls holds {url!r}, expected http://host:port/path")
        return self


def _split(value: object) -> object:
    return tuple(url.strip() for url in value.split(",") if url.strip()) if isinstance(value, str) else value


def _has_space(url: str) -> bool:
    return any(character.isspace() for character in url)


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return not _has_space(url) and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port
        return False


def default_in_flight(architecture: Architecture, role: Role, threads: object = _THREADS["scoring"]) -> int:
    """Return how many requests a worker lets in by default; of what is no number of threads, those of the usual."""
    if role == "model":
        return _MODEL_IN_FLIGHT
    if architecture == "async":
        return _ASYNC_IN_FLIGHT
    number = int(str(threads)) if str(threads).strip().isdecimal() else _THREADS["scoring"]
    return number + max(min(number, _SYNC_WAITING), number // 4)


def load_settings(architecture: Architecture, role: Role, **overrides: object) -> Settings:
    """Return the settings from the environment; `overrides` take precedence.

    Raises SettingsError with the setting, what was given and what was expected.
    """
    return make_settings(architecture=architecture, role=role, **overrides)


def make_settings(**values: object) -> Settings:
    """Return the settings from values and from the environment. Raises SettingsError."""
    return _checked(Settings, values)


def settings_from(variables: Mapping[str, str], **values: object) -> Settings:
    """Return the settings of a process with these environment variables, ignoring the current environment.

    `values` take precedence. Raises SettingsError.
    """
    given = {
        name.upper().removeprefix(PREFIX).lower(): value
        for name, value in variables.items()
        if name.upper().startswith(PREFIX)
    }
    known = {name: value for name, value in given.items() if name in Settings.model_fields}
    return _checked(_SettingsOfAnother, {**known, **values})


class _SettingsOfAnother(Settings):
    """Settings that ignore the environment of the current process."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls, _: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def loggable(settings: Settings) -> dict[str, Any]:
    """Return the settings with the secrets in their URLs masked."""
    found: dict[str, Any] = masked(settings.model_dump(mode="json"))
    return found


def _checked(kind: type[Settings], values: Mapping[str, object]) -> Settings:
    try:
        return kind(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [
            f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()} is {_shown(e['loc'], e['input'])!r}: {e['msg']}"
            if e["loc"]
            else masked(e["msg"].removeprefix("Value error, "))
            for e in error.errors()
        ]
        raise SettingsError("; ".join(lines)) from error


def _shown(location: tuple[int | str, ...], value: object) -> object:
    """Return a refused value without its secrets."""
    return MASK if is_secret_name(str(location[0])) else masked(value)
