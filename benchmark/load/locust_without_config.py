"""`python -m benchmark.load.locust_without_config`: the command `locust` without anybody's configuration files.

Locust by itself reads ~/.locust.conf, locust.conf and pyproject.toml, for every option that the command line leaves
out: a host would send the load elsewhere, a run time end it early, tags change what is asked.
"""

from typing import Any

from locust import argument_parser
from locust.main import main as run_locust


class UnconfiguredParser(argument_parser.LocustArgumentParser):
    """Locust's own parser, which looks for no files."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "default_config_files": []})


def main() -> None:
    """Run Locust on the command line of this process; does not return."""
    argument_parser.LocustArgumentParser = UnconfiguredParser  # type: ignore[misc]  # it is looked up when it is used
    run_locust()


if __name__ == "__main__":
    main()
