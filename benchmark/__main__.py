"""`python -m benchmark`: the command line; `--help` explains each command."""

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command that the arguments name, and exit with its status."""
    try:
        import signal  # noqa: PLC0415 - a Ctrl-C may come during this

        from benchmark.cli import app  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("benchmark"):  # a mistake of ours, which no installation mends
            raise
        sys.exit(f"{error.name} is not installed here: run `make install`, then `.venv/bin/python -m benchmark`")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    try:
        app(prog_name="python -m benchmark")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # all is done, and the status is known
            signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
