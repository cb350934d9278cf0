"""Where does each architecture break?"""

from collections.abc import Mapping
from typing import Any

from benchmark.experiments.breaking_point.answers import answers
from benchmark.experiments.breaking_point.figures import headline
from benchmark.experiments.breaking_point.measure import measure
from benchmark.experiments.breaking_point.page import write_report
from benchmark.experiments.breaking_point.schema import parse
from benchmark.experiments.breaking_point.summarise import QUESTION, summarise
from benchmark.experiments.experiment import Experiment
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SUMMARY, Run


def _summarise(run: Run) -> Mapping[str, Mapping[str, Any]]:
    return {SUMMARY: summarise(run, recorded_contenders(run.manifest))}


EXPERIMENT = Experiment(
    name="locust",
    question=QUESTION,
    measure=measure,
    summarise=_summarise,
    write_page=write_report,
    answers=lambda run: answers(parse(run.summary)),
    headline=lambda run: headline(parse(run.summary)),
)
