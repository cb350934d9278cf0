"""`make docs`: write what is generated from code: doc/settings.md and .env.example."""

import sys
from pathlib import Path

from contract.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
_SET_BY_THE_PROGRAM = {"architecture", "role"}
_HEAD = """# Settings

Every service reads these from the environment. `.env.example` holds the same list. An empty default
depends on the service; its description says how.

| variable | default | meaning |
|---|---|---|
"""


def generated() -> dict[Path, str]:
    """Return the generated files and their contents."""
    fields = [(name, field) for name, field in Settings.model_fields.items() if name not in _SET_BY_THE_PROGRAM]
    rows = [(PREFIX + name.upper(), _text(field.default), field.description or "") for name, field in fields]
    table = "".join(f"| `{name}` | {f'`{value}`' if value else ''} | {meaning} |\n" for name, value, meaning in rows)
    example = "".join(f"# {meaning}\n#{name}={value}\n" for name, value, meaning in rows)
    return {ROOT / "doc" / "settings.md": _HEAD + table, ROOT / ".env.example": example}


def _text(default: object) -> str:
    """Return a default as the environment would hold it; nothing for one that is filled in later."""
    if default in (None, (), 0) and not isinstance(default, bool | float):
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def main() -> int:
    """Write the files, or with --check only say whether they are up to date."""
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        print("\n".join(f"{path} is out of date; run `make docs`" for path in stale))
        return 1 if stale else 0
    for path in stale:
        path.write_text(generated()[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
