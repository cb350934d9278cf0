"""A periodic task that refreshes features: it draws new ones, and writes them all at once."""

import time
from typing import Any, Final

from huey import crontab

from feature_store.codec import StoreInfo, encode_features
from feature_store.keys import feature_key
from feature_store.seed import draw_block

ENTITIES: Final = 200
EVERY_MIN: Final = 5  # minutes
REFRESHED: Final = "jobs:features_refreshed"  # how often
_TASK: Final = "refresh_features"


def add_refresh(huey: Any) -> Any:
    """Let a huey refresh the features, and return the task. To do it twice costs time, and changes nothing."""

    def refresh_features() -> None:
        info = StoreInfo(ENTITIES, features=32, seed=int(time.time()))
        drawn = map(encode_features, draw_block(info, 0))
        with huey.storage.conn.pipeline(transaction=True) as pipeline:
            pipeline.mset(dict(zip(map(feature_key, range(ENTITIES)), drawn, strict=True)))
            pipeline.incr(REFRESHED)
            pipeline.execute()

    return huey.periodic_task(crontab(minute=f"*/{EVERY_MIN}"), name=_TASK)(refresh_features)
