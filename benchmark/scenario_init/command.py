"""The command `scenario init`."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli_options import EXIT_FAILED, EXIT_USAGE, examples, help_of

app = typer.Typer(
    help="Write scenario files: what is asked of a service, and what a right answer is.", no_args_is_help=True
)
_EXAMPLES = examples(
    "scenario init http://127.0.0.1:9000 --header X-API-Key=env:MY_TOKEN > mine.toml",
    "scenario init http://127.0.0.1:9000 --operation 'POST /v2/score' --bodies requests.jsonl > mine.toml",
    "scenario init \"curl http://127.0.0.1:9000/v2/score -d '[1, 2]'\" > mine.toml",
)


@app.callback()
def scenario() -> None:
    """Write scenario files: what is asked of a service, and what a right answer is."""


def init(
    source: Annotated[
        str,
        typer.Argument(
            help="The URL of a service, which must have an /openapi.json, or a curl command in quotes.",
            metavar='URL|"curl ..."',
            show_default=False,
        ),
    ],
    header: Annotated[
        list[str] | None,
        typer.Option(help="A header, such as X-API-Key=env:MY_TOKEN; repeatable. The variable's value goes nowhere."),
    ] = None,
    openapi: Annotated[
        str, typer.Option(help="Where the OpenAPI document is: a URL or a file. Default: URL/openapi.json.")
    ] = "",
    operation: Annotated[
        str, typer.Option(help="What to ask, such as 'POST /v2/score'. Default: the first that can be asked.")
    ] = "",
    bodies: Annotated[
        Path | None, typer.Option(help="Also write 64 bodies to this file, the examples first: one per line.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bodies that are made.")] = 1,
) -> None:
    """Print a scenario file with comments, from a service's OpenAPI document or from a curl command. Takes seconds.

    A request is the document's example, or else made from its schema. Nothing is asked but the document.

    Exit status: 0 printed, 1 the document cannot be had, 2 it cannot be used.
    """
    from benchmark.errors import BenchmarkError, ScenarioError
    from benchmark.scenario_init.asked import parse_headers, with_headers
    from benchmark.scenario_init.curl import is_curl, read_curl
    from benchmark.scenario_init.from_service import asked_of
    from benchmark.scenario_init.writing import scenario_text

    try:
        given = parse_headers(header or [])
        asked = read_curl(source) if is_curl(source) else asked_of(source, given, openapi, operation, seed, bodies)
        asked.headers = with_headers(asked.headers, given)
        text = scenario_text(asked, str(bodies) if bodies and asked.body is not None else "")
        if bodies and asked.body is not None:
            bodies.write_text("\n".join([asked.body, *asked.more_bodies]) + "\n")
    except (BenchmarkError, OSError) as error:  # not where the file goes
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE if isinstance(error, ScenarioError) else EXIT_FAILED) from None
    typer.echo(text, nl=False)


app.command(help=help_of(init), epilog=_EXAMPLES)(init)
