"""`python -m bentoml serve strategies.frameworks.bentoml_service:Sums`, in an environment of its own.

One worker with one thread, BentoML's default: without batching one request at a time. With batching it decides for
itself how long to wait for more requests, from what it has seen; a window cannot be given.
"""

import bentoml

from strategies.frameworks.model import Form, OneRow, predict

FORM = Form()


@bentoml.service(workers=1, threads=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Sums:
    """Sums of rows."""

    # It refuses a largest batch of one, even where nothing is batched.
    @bentoml.api(  # type: ignore[untyped-decorator]
        route="/api/v1/score", batchable=FORM.max_batch > 1, max_batch_size=max(FORM.max_batch, 2)
    )
    def score(self, rows: OneRow) -> list[float]:
        return predict(rows, FORM)
