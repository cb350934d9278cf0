"""What is no promise, and what cannot be searched, is refused before anything starts."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark.cli import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--slo", "fast"), "the objective is 'fast', expected such as 'p99<100ms'"),
        (("--slo", "p99<1s", "--slo", "p99<1s"), "given twice"),
        (("--contenders", "nobody"), "there is no contender 'nobody'; choose from"),
        (("--from", "0"), "greater than or equal to 1"),
        (("--blocks", "0"), "greater than or equal to 1"),
        (("--generators", "99"), "less than or equal to 16"),
    ],
)
def test_what_cannot_be_searched_is_wrong_usage_and_nothing_starts(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = CliRunner().invoke(app, ["capacity", "--contenders", "async", "--results", str(tmp_path), *arguments])
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.replace("│", " ").split())
    assert not list(tmp_path.iterdir())
