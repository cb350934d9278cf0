"""Calibrate a contender, write down what that predicts, then measure it; and all of that once in a block.

On a shared machine the CPU that a request costs moves by tens of percent within minutes. A prediction is
about the machine that it was learnt on, so each contender is calibrated right before it is measured. What
is shown is the geometric mean of what all calibrations have predicted, as the measured rates are geometric
means over all blocks.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean
from time import monotonic_ns
from typing import Any

from benchmark.analysis.level_figures import LevelFigures, level_figures
from benchmark.analysis.reasons import in_words
from benchmark.analysis.validity import Observed, disturbance_reasons
from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.errors import ContenderError, LoadError, SettingRefused, StackError
from benchmark.experiments.prediction import model as prediction
from benchmark.experiments.prediction.bursts import Burst, measure_bursts, read_bursts
from benchmark.experiments.prediction.demand import NotCalibrated, learn, learn_generator
from benchmark.experiments.prediction.plan import CalibrationPlan
from benchmark.measure.session import Session
from benchmark.measure.trial import ParityError
from benchmark.record.run import Run, TrialRecord, utc_now

PREDICTION = "prediction.json"
# A prediction in the form that prediction.py describes, with `block`, `written_utc` and `written_ns`.
Part = Mapping[str, Any]


class Calibrator:
    """Calibrates one contender at a time, and writes its prediction down at once."""

    def __init__(self, session: Session, question: prediction.PredictionQuestion, plan: CalibrationPlan) -> None:
        self._session, self._run, self._question, self._plan = session, session.run, question, plan
        self._levels: dict[str, list[LevelFigures]] = {}  # by contender, those of its last calibration
        self._models: dict[str, prediction.Model] = {}  # the same

    def calibrate(self, contender: Contender, light: TrialRecord) -> None:
        """Predict a contender from the cell of its light levels, just measured, and from bursts.

        Where that fails, the prediction says why, and foretells nothing.
        """
        found: Part
        try:
            model = self._learn(contender, light)
        except (NotCalibrated, ContenderError, SettingRefused, StackError, LoadError, ParityError) as error:
            found = {"not_calibrated": {contender.name: str(error)}}
        else:
            self._models[contender.name] = model
            self._session.progress.phase(contender.label, "prediction")
            found = prediction.predict(model, self._question)
        self._write({"block": light.block, **found})

    def map(self) -> None:
        """Predict who carries more where models compute, from the last calibration of both ends."""
        ends = [self._models.get(end.name) for end in (self._question.from_, self._question.to)]
        if ends[0] and ends[1]:
            self._session.progress.phase("", "prediction of the map")
            self._write({"crossover": prediction.predict_map(ends[0], ends[1], self._question)})

    def _learn(self, contender: Contender, light: TrialRecord) -> prediction.Model:
        if light.status != "measured":
            raise NotCalibrated(f"light levels: {light.reason}")
        run = self._run
        self._session.progress.phase(contender.label, "bursts")
        measure_bursts(self._session, contender, self._plan, light.block)
        bursts = [b for b in read_bursts(run.path) if (b.contender, b.block) == (contender.label, light.block)]
        levels = level_figures(light, run.cell_samples(light), run.cell_resources(light), law_of(contender))
        _check_undisturbed(levels, bursts)
        self._levels[contender.name] = levels
        # The generator is the same program for all: what it costs is learnt from the last light levels of each.
        generator = learn_generator([level for found in self._levels.values() for level in found])
        return prediction.calibrated(contender, learn(levels, bursts), generator)

    def _write(self, part: Part) -> None:
        written = utc_now()
        stamped = {"written_utc": written, "written_ns": monotonic_ns(), **part}  # on the clock of the samples
        parts = [*read_prediction(self._run).get("parts", ()), stamped]
        self._run.write_json(PREDICTION, combined(parts))


def _check_undisturbed(levels: Sequence[LevelFigures], bursts: Sequence[Burst]) -> None:
    """Raise NotCalibrated if other programs used the machine: they would change what a request seems to cost."""
    seen: list[tuple[str, int, Observed]] = [
        *(("", level.users, level) for level in levels),
        *(("bursts", burst.size, burst) for burst in bursts),
    ]
    reasons = [why.at(part=part, users=users) for part, users, each in seen for why in disturbance_reasons([each])]
    if reasons:
        raise NotCalibrated(in_words(reasons))


def read_prediction(run: Run) -> dict[str, Any]:
    """Return what a run has predicted so far, nothing if nothing was."""
    return run.read_json(PREDICTION) if (run.path / PREDICTION).exists() else {}


def combined(parts: Sequence[Part]) -> dict[str, Any]:
    """Return all predictions together, in the form of one: what is written to prediction.json.

    What one calibration could not tell is told from the others. The time is that of the first.
    """
    told = [part["contenders"] for part in parts if "contenders" in part]
    contenders = {name: _rows(each[name] for each in told if name in each) for each in told for name in each}
    best = {name: max(rows, key=lambda row: row["rps"]) for name, rows in contenders.items()}
    return {
        "written_utc": parts[0]["written_utc"],
        "contenders": contenders,
        "peaks": {name: {"users": row["users"], "rps": row["rps"]} for name, row in best.items()},
        "what_if": _merged((part.get("what_if", ()) for part in parts), ("what_if", "users"), ("rps", "p50_ms")),
        "crossover": _merged((part.get("crossover", ()) for part in parts), ("cpu_ms", "users"), ("ratio",)),
        "parts": list(parts),
    }


def _rows(of_parts: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the levels of a contender; calibrated is what it has learnt from at least once."""
    found = list(of_parts)
    merged = _merged(found, ("users",), ("rps", "p50_ms"))
    for row in merged:
        same = [each for rows in found for each in rows if each["users"] == row["users"]]
        row["calibrated"] = any(each["calibrated"] for each in same)
    return merged


def _merged(
    of_parts: Iterable[Iterable[Mapping[str, Any]]], keys: Sequence[str], values: Sequence[str]
) -> list[dict[str, Any]]:
    """Return one row for each combination of keys, its values the geometric means over the parts that have it."""
    by_key: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for rows in of_parts:
        for row in rows:
            by_key.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [
        {**dict(zip(keys, key, strict=True)), **{name: geometric_mean([row[name] for row in rows]) for name in values}}
        for key, rows in by_key.items()
    ]
