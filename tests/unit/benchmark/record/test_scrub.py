"""Secrets are taken out of every file of a record, and nothing else is changed."""

from pathlib import Path

from benchmark.record.scrub import scrub


def test_a_secret_is_masked_in_every_file_and_what_is_too_short_to_be_one_is_left(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    files = {"logs/a.log": b"key open-sesame\n\xff", "samples.csv": b"1,2,abc\n", "b.json": b'{"a": "open-sesame"}'}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    scrub(tmp_path, ["open-sesame", "abc", ""])
    found = {name: (tmp_path / name).read_bytes() for name in files}
    assert found == {"logs/a.log": b"key ***\n\xff", "samples.csv": b"1,2,abc\n", "b.json": b'{"a": "***"}'}
