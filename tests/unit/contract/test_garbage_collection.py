"""What is set aside is not looked through again: seen on real objects, in a process of its own."""

import subprocess
import sys

PROGRAM = """
import gc
from contract.garbage_collection import freeze_startup_objects
class Loop: pass
kept, loop = [[] for _ in range(1000)], Loop()
loop.itself = loop
del loop
freeze_startup_objects()
print(gc.get_freeze_count() >= 1000, len(gc.get_objects()) < 1000, any(isinstance(o, Loop) for o in gc.get_objects()))
gc.unfreeze()
print(any(isinstance(o, Loop) for o in gc.get_objects()))
"""


def test_startup_objects_are_frozen_and_garbage_is_not_kept() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["True", "True", "False", "False"]
