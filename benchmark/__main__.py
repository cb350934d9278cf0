"""`python -m benchmark`: the command line; `--help` explains each command."""

from benchmark.cli import app

if __name__ == "__main__":
    app(prog_name="python -m benchmark")
