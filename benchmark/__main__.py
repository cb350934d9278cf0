"""`python -m benchmark`: one command per verb; `--help` teaches each."""

from benchmark.cli import app

if __name__ == "__main__":
    app(prog_name="python -m benchmark")
