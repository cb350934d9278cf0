"""How much room a service must have for a load."""

import pytest

from benchmark.load.plan import Arrivals, Level, Pause, Waves
from benchmark.measure.levels import Levels


@pytest.mark.parametrize(
    ("levels", "at_once"),
    [
        (Levels((Level(1, 1, 1), Level(64, 1, 1))), 64),
        (Levels((Level(1, 1, 1),), climb=(Level(128, 1, 1), Level(256, 1, 1))), 256),
        (Levels((), loads=(Waves(300, 2), Level(8, 1, 1))), 300),
        (Levels((), loads=(Arrivals(5000.0, 10.0), Pause(1.0))), 0),
        (Levels((), loads=(Waves(300, 2),), room=1024), 1024),
    ],
)
def test_a_closed_loop_needs_room_for_all_its_users_and_an_open_one_takes_what_there_is(
    levels: Levels, at_once: int
) -> None:
    assert levels.at_once == at_once
