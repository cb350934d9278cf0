"""Takes secrets out of a record: what a service says may hold what it was told."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from contract.secrets import MASK

_SHORTEST: Final = 4  # characters of a secret; a shorter one stands everywhere by chance


def scrub(folder: Path, secrets: Iterable[str]) -> None:
    """Replace every secret in every file of a folder."""
    sought = [secret.encode() for secret in secrets if len(secret) >= _SHORTEST]
    for path in sorted(folder.rglob("*")) if sought else ():
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        cleaned = content
        for secret in sought:
            cleaned = cleaned.replace(secret, MASK.encode())
        if cleaned != content:
            path.write_bytes(cleaned)
