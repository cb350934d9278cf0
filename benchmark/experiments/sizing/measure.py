"""`plan`: write down what is foretold; then, where it is to be verified, offer each configuration a ladder of rates."""

from time import monotonic_ns
from typing import Any, Final

from benchmark.contenders.variant import with_settings
from benchmark.errors import BenchmarkError, RecordError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.prediction.all_cores import all_cores
from benchmark.experiments.sizing.capacity import Configuration
from benchmark.experiments.sizing.plan import SizingPlan
from benchmark.experiments.sizing.predict import predict
from benchmark.measure.levels import Levels, hold
from benchmark.measure.session import Session
from benchmark.record.run import utc_now

PREDICTION: Final = "prediction.json"


def measure(session: Session, assignment: Assignment[SizingPlan]) -> None:
    """Predict, write the prediction, and measure what it says of this machine; one that fails is recorded."""
    plan = assignment.plan
    found = foretell(plan, session)
    session.run.write_json(PREDICTION, {"written_utc": utc_now(), "written_ns": monotonic_ns(), **found})
    session.progress.trials_begin()
    contenders = {each.label: each for each in assignment.contenders}
    for name, row in found["contenders"].items():
        for each in row["here"] if name in contenders else ():
            if not each["rps"]:
                continue  # it keeps the promise at no rate, so there is none to offer
            configuration = Configuration(each["threads"], each["workers"])
            contender = with_settings(contenders[name], configuration.settings)
            load = Levels((), loads=plan.loads(each["rps"]))
            try:
                cell = hold(session, contender, load, part=configuration.part)
            except RecordError:
                raise
            except BenchmarkError:
                cell = session.cells[-1]  # recorded as failed
            session.progress.cell_done(cell)


def foretell(plan: SizingPlan, session: Session) -> dict[str, Any]:
    with all_cores(predict.__module__) as apply:
        return predict(plan, apply, lambda what: session.progress.phase("", what))
