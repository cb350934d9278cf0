"""`python -m benchmark`: the command line; `--help` explains each command."""

import sys

try:
    from benchmark.cli import app
except ModuleNotFoundError as error:
    if (error.name or "").startswith("benchmark"):  # a mistake of ours, which no installation mends
        raise
    sys.exit(f"{error.name} is not installed here: run `make install`, then `.venv/bin/python -m benchmark`")

if __name__ == "__main__":
    app(prog_name="python -m benchmark")
