"""What services and laws agree on."""

from typing import Final

POISON: Final = -1313.0  # a job that begins with this number fails however often it is tried
MODEL_MS: Final = 45.0  # that the model takes, give or take SPREAD_MS
SPREAD_MS: Final = 5.0
SLOW_MS: Final = 300.0  # the same, of the contender whose one slot is to be overloaded
IN_FLIGHT: Final = 16  # messages that are pushed at the same time
ATTEMPTS: Final = 5  # before a message is a dead letter
BACKOFFS_MS: Final = (100.0, 200.0, 400.0, 800.0)  # between them
KNOWN: Final = 1000  # summaries that are known from the start
NEW_EVERY: Final = 30  # of the mixed requests, one in so many is new
NEIGHBOURS: Final = 9  # jobs between two that are poisonous
