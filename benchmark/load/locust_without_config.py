"""`python -m benchmark.load.locust_without_config`: the command `locust`, ignoring all configuration files.

Locust reads ~/.locust.conf, locust.conf and pyproject.toml for every option that is not on the command line. A host
in one of them would redirect the load, a run time would end it early, tags would change the requests.
"""

from typing import Any

from locust import argument_parser
from locust.main import main as run_locust


class UnconfiguredParser(argument_parser.LocustArgumentParser):
    """Locust's parser without its search for configuration files."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "default_config_files": []})


def main() -> None:
    """Run Locust with this process's arguments; does not return."""
    argument_parser.LocustArgumentParser = UnconfiguredParser  # type: ignore[misc]  # Locust looks it up at each use
    run_locust()


if __name__ == "__main__":
    main()
