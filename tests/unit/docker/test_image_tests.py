"""The unit tests that run while an image is built need nothing but what its requirements bring."""

import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "docker" / "service.Dockerfile"
REQUIREMENTS = ROOT / "requirements" / "test.txt"

# Whatever is installed here and not there cannot be imported.
WITHOUT = """
import sys
import pytest

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"the images have no module named {{name!r}}")

sys.meta_path.insert(0, Absent())
plugins = ["-p", "xdist.plugin", "-p", "pytest_timeout", "-p", "no:cacheprovider"]
sys.exit(pytest.main(["--collect-only", "-q", "-n", "0", *plugins, *{folders!r}]))
"""


def _name(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_the_tests_of_the_images_import_nothing_that_the_images_lack() -> None:
    pinned = {_name(name) for name in re.findall(r"^([\w.-]+)==", REQUIREMENTS.read_text(), re.M)}
    ours = {"sync-or-async"}
    installed = {module: set(map(_name, names)) for module, names in packages_distributions().items()}
    absent = sorted(module for module, names in installed.items() if not names & (pinned | ours))
    assert "pandas" in absent
    folders = re.findall(r"tests/unit/\w+", DOCKERFILE.read_text())
    assert folders
    code = WITHOUT.format(absent=absent, folders=folders)
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
