"""The law of a contender's answers: which durations are correct, and how early an answer can come."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from benchmark.contenders.discovery import Contender, Process
from benchmark.contenders.service_settings import architecture_of, environment_in, settings_of
from contract.model import ModelLaw, floor_of_models, law_in, quantile_function
from contract.settings import PREFIX, Settings, settings_from

Asked = Literal["sum", "max", "none"]

_MODELS = 2  # number of models that a scoring handler calls by default
_URLS, _FAN_OUT = f"{PREFIX}MODEL_URLS", f"{PREFIX}FAN_OUT"
_FAN_OUTS: dict[str, Asked] = {"sequential": "sum", "concurrent": "max"}
# The variables that the harness itself reads.
_READ = {f"{PREFIX}STAGE_CLOCK", f"{PREFIX}MAX_BODY_BYTES"}
_LAW = tuple(f"{PREFIX}{name.upper()}" for name in ModelLaw._fields)


@dataclass(frozen=True)
class AnswerLaw:
    """The range and the minimum latency of a contender's answers."""

    asked: Asked  # models are called one after the other (sum), all at once (max), not at all (none)
    models: int
    floor_ms: float  # no implementation's mean latency can be lower
    sleep_floor_ms: float  # the same without the models' CPU time
    bounds_s: tuple[float, float]  # range of correct answers
    least_times_answer: float  # an answer of d seconds takes at least this many times d


def law_of(contender: Contender) -> AnswerLaw:
    """Return the law of a contender's answers. Raises SettingRefused.

    An answer is the mean of the durations that the models draw. The models are those of the scoring handler's settings,
    each with the settings of the process in its URL. A mean of d over n models takes at least n d if they are called
    one after the other, and at least d if they are called at once.
    """
    if contender.runs_elsewhere:
        return _UNKNOWN
    models = _models(contender)
    asked = _asked(contender)
    bounds = [quantile_function(model).bounds_s for model in models]
    low_s, high_s = (sum(ends) / len(models) for ends in zip(*bounds, strict=True))
    return AnswerLaw(
        asked=asked,
        models=len(models),
        floor_ms=_floor_of(tuple(models), asked),
        sleep_floor_ms=_floor_of(tuple(model._replace(model_cpu_ms=0.0) for model in models), asked),
        bounds_s=(low_s, high_s),
        least_times_answer={"sum": float(len(models)), "max": 1.0, "none": 0.0}[asked],
    )


# Of a service that runs elsewhere: nobody knows which durations its models draw.
_UNKNOWN: Final = AnswerLaw(
    asked="none", models=0, floor_ms=0.0, sleep_floor_ms=0.0, bounds_s=(0.0, 1e9), least_times_answer=0.0
)


@cache
def _floor_of(models: tuple[ModelLaw, ...], asked: Asked) -> float:
    """Return `floor_of_models`, an integral that takes a tenth of a second, computed once."""
    return floor_of_models(models, asked)


def scoring_settings(contender: Contender) -> Settings:
    """Return the settings of a contender's scoring handler; of other than the twins, only those the harness reads."""
    given = {} if contender.runs_elsewhere else _scoring(contender).env
    return settings_of(contender, "scoring") or settings_from({key: given[key] for key in _READ & given.keys()})


def _asked(contender: Contender) -> Asked:
    """Return how the models are called: according to the settings if they contain it, else to the row."""
    if contender.floor == "none":
        return "none"
    return _FAN_OUTS.get(_scoring(contender).env.get(_FAN_OUT, ""), contender.floor)


def _models(contender: Contender) -> list[ModelLaw]:
    scoring = _scoring(contender)
    urls = [url for url in scoring.env.get(_URLS, "").split(",") if url.strip()]
    answering = [_process_behind(contender, url) or scoring for url in urls] or [_only_model(contender)] * _MODELS
    return [_law(contender, process) for process in answering]


def _process_behind(contender: Contender, url: str) -> Process | None:
    """Return the process to which a model URL points, by `{role}` or by port."""
    by_role = re.search(r"\{([a-z0-9-]+)\}", url)
    port = re.search(r"//[^/]*:(\d+)", url)
    for process in contender.process:
        if (by_role and process.role == by_role[1]) or (port and process.port == int(port[1])):
            return process
    return None


def _only_model(contender: Contender) -> Process:
    return next((process for process in contender.process if process.role == "model"), _scoring(contender))


def _law(contender: Contender, process: Process) -> ModelLaw:
    settings = settings_of(contender, process.role) if architecture_of(contender) else None
    if settings is None:
        given = environment_in(contender, process)
        settings = settings_from({name: value for name, value in given.items() if name in _LAW}, role="model")
    return law_in(settings)


def _scoring(contender: Contender) -> Process:
    return next(process for process in contender.process if process.role == "scoring")
