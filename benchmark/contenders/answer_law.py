"""What a right answer of a contender is, and how soon it can come: from the settings that its processes run with."""

import re
from dataclasses import dataclass
from typing import Literal

from benchmark.contenders.discovery import Contender, Process
from benchmark.contenders.service_settings import architecture_of, environment_in, settings_of
from contract.model import ModelLaw, floor_of_models, law_in, quantile_function
from contract.settings import PREFIX, Settings, settings_from

Asked = Literal["sum", "max", "none"]

_MODELS = 2  # that a scoring handler asks unless it says otherwise
_URLS, _FAN_OUT = f"{PREFIX}MODEL_URLS", f"{PREFIX}FAN_OUT"
_FAN_OUTS: dict[str, Asked] = {"sequential": "sum", "concurrent": "max"}
# What the harness itself goes by.
_READ = {f"{PREFIX}STAGE_CLOCK", f"{PREFIX}MAX_BODY_BYTES"}
_LAW = tuple(f"{PREFIX}{name.upper()}" for name in ModelLaw._fields)


@dataclass(frozen=True)
class AnswerLaw:
    """The law that a contender's answers follow."""

    asked: Asked  # one after the other, all at once, not at all
    models: int
    floor_ms: float  # the mean latency that no implementation beats
    sleep_floor_ms: float  # the same without what the models compute
    bounds_s: tuple[float, float]  # between which every right answer lies
    least_times_answer: float  # an answer of d seconds takes at least so many times d


def law_of(contender: Contender) -> AnswerLaw:
    """Return the law of a contender's answers: the mean of what its models draw. Raises SettingRefused.

    The models are those that the scoring handler is told of; each follows the settings of the process that its
    URL names. The mean of n durations d was waited for at least n d where they came one after the other,
    and at least d where they came at once.
    """
    models = _models(contender)
    asked = _asked(contender)
    bounds = [quantile_function(model).bounds_s for model in models]
    low_s, high_s = (sum(ends) / len(models) for ends in zip(*bounds, strict=True))
    return AnswerLaw(
        asked=asked,
        models=len(models),
        floor_ms=floor_of_models(models, asked),
        sleep_floor_ms=floor_of_models([model._replace(model_cpu_ms=0.0) for model in models], asked),
        bounds_s=(low_s, high_s),
        least_times_answer={"sum": float(len(models)), "max": 1.0, "none": 0.0}[asked],
    )


def scoring_settings(contender: Contender) -> Settings:
    """Return the settings of a contender's entrance; of one that is no twin only those that the harness reads."""
    given = _scoring(contender).env
    return settings_of(contender, "scoring") or settings_from({key: given[key] for key in _READ & given.keys()})


def _asked(contender: Contender) -> Asked:
    """Return how the models are asked: as the settings say, where they say it, or else as the row says."""
    if contender.floor == "none":
        return "none"
    return _FAN_OUTS.get(_scoring(contender).env.get(_FAN_OUT, ""), contender.floor)


def _models(contender: Contender) -> list[ModelLaw]:
    scoring = _scoring(contender)
    urls = [url for url in scoring.env.get(_URLS, "").split(",") if url.strip()]
    answering = [_process_behind(contender, url) or scoring for url in urls] or [_only_model(contender)] * _MODELS
    return [_law(contender, process) for process in answering]


def _process_behind(contender: Contender, url: str) -> Process | None:
    """Return the process whose place in a URL is `{role}`, or whose port it has."""
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
