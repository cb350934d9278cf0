"""`python -m feature_store`: fills the feature store, or runs one; `--help` explains both."""

import sys


def main() -> None:
    """Run the command that the arguments name, and exit with its status."""
    try:
        from feature_store.cli import app  # here, since a Ctrl-C may come during it
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="python -m feature_store")


if __name__ == "__main__":
    main()
