"""Why a figure is INVALID: a value with a code, worded only where somebody reads it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from benchmark.analysis.wording import at_users
from benchmark.load.bodies import EARLY

Number = float | int | str | None

# One sentence for each code. A failure has the error's own sentence, and its code.
SENTENCES: Final[Mapping[str, str]] = {
    "unsaid": "the record does not say why",
    "run_invalid": "as is the whole run",
    "not_measured": "not measured",
    "interrupted": "interrupted: {measured}",
    "machine_busy": "the machine was {share:.0%} busy before the start, at most {limit:.0%} is allowed",
    "foreign_load": "other programs used {share:.0%} of the machine while this was measured "
    "(at most {limit:.0%} is allowed); stop them and measure again",
    "foreign_load_in_one": "other programs used {share:.0%} of the machine in the worst of {count} {unit}s "
    "(at most {limit:.0%} is allowed); stop them and measure again",
    "stolen_time": "the hypervisor gave {share:.0%} of the machine's time to others while this was measured "
    "(at most {limit:.0%} is allowed); measure again",
    "stolen_time_in_one": "the hypervisor gave {share:.0%} of the machine's time to others in the worst of {count} "
    "{unit}s (at most {limit:.0%} is allowed); measure again",
    "no_answer": "no checked answer in block {blocks}",
    "errors": "{errors} requests failed, for instance: {example}",
    "early_answer": EARLY,
    "generator_saturated": "the load generator was saturated ({share:.0%} of a core); use more generator processes",
    "little": "rate x latency is {off:+.1%} off the number of users (Little's law)",
    "unsteady": "the rate changed by {change:+.0%} within the windows: not a steady state; warm up longer",
    "below_floor": "{mean_ms:.2f} ms per call on average, below the floor of {floor_ms:.2f} ms",
    "late_arrivals": "{late} arrivals late, {dropped} dropped; use more generator processes",
    "failed_calls": "{errors} calls failed, for instance: {example}",
    "not_attributed": "{share:+.0%} of the CPU is not attributed, at most {limit:.0%} may be",
    "no_stages": "no stages, since its answers carry no Server-Timing",
    "stages_too_long": "the server's stages are {excess:.1%} longer than the client's latency",
    "some_stages_too_long": "in {count} of {of} requests the server's stages are longer than the client's latency",
    "early_models": "the models answered {early_ms:.2f} ms sooner than they say that they slept",
    "stopped_clock": "the queue reads 0 in {count} of {of} requests: the client's wall clock is ahead",
    "no_queue": "no queue was recorded: it is part of client_and_network here",
    "answers_without_stages": "{count} of {of} answers carry no stages",
    "late_prediction": "a prediction was written down {late_s:.3g} s after its measurement had begun",
}


class Reason(BaseModel):
    """Why something is INVALID: what is wrong (`code`, `numbers`), and of whom and where it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    contender: str = ""
    part: str = ""  # of a contender's trials: an example of load, a variant, a profiler
    users: int | None = None
    block: int | None = None  # counted from 0
    block_name: str = "block"
    numbers: dict[str, Number] = {}
    sentence: str = ""  # of a failure: the error's own

    @model_validator(mode="before")
    @classmethod
    def _of_schema_1(cls, value: object) -> object:
        return _read_sentence(value) if isinstance(value, str) else value

    @model_serializer
    def _without_defaults(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in Reason.model_fields if name in self.model_fields_set}
        return {**told, "text": self.text}  # for other programs

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The whole reason in words: of whom, where, and what is wrong."""
        told = [self.contender, self.part, f"{self.block_name} {self.block + 1}" if self.block is not None else ""]
        told.append(at_users(self.users) if self.users is not None else "")
        return ": ".join([*filter(None, told), self.what])

    @property
    def what(self) -> str:
        """What is wrong, in words."""
        return self.sentence or SENTENCES[self.code].format(**self.numbers)

    def at(self, **where: Any) -> "Reason":
        """Return the reason with more said of where it is: contender, part, users, block."""
        return self.model_copy(update=where)


def plain(document: Any) -> Any:
    """Return a document as JSON has it, whatever it is made of."""
    match document:
        case BaseModel():
            return document.model_dump(mode="json", by_alias=True)
        case _ if is_dataclass(document) and not isinstance(document, type):
            return {field.name: plain(getattr(document, field.name)) for field in fields(document)}
        case dict():
            return {key: plain(value) for key, value in document.items()}
        case list() | tuple():
            return [plain(value) for value in document]
        case _:
            return document


def because(code: str, **numbers: Number) -> Reason:
    """Return a reason. Raises KeyError for a code without a sentence, or a sentence without its numbers."""
    reason = Reason(code=code, numbers=numbers)
    assert reason.what
    return reason


def failure(code: str, sentence: str, **where: Any) -> Reason:
    """Return the reason that an error is, with its own sentence."""
    return Reason(code=code or "failed", sentence=sentence, **where)


def in_words(reasons: Sequence[Reason]) -> str:
    """Return the reasons in one line; what follows in further lines, such as a log, is left out."""
    return "; ".join(reason.text.partition("\n")[0].rstrip(".") for reason in reasons)


def of_contenders(summary: Mapping[str, Any], more_names: Sequence[str] = ()) -> list[Any]:
    """Return the reasons of a run; those that schema 1 has as sentences begin with whom they are about."""
    names = sorted([*summary.get("contenders", ()), *more_names], key=len, reverse=True)
    found: list[Any] = []
    for reason in summary.get("reasons", ()):
        name = next((n for n in names if isinstance(reason, str) and reason.startswith(f"{n}: ")), None)
        found.append(reason if name is None else Reason.model_validate(reason[len(name) + 2 :]).at(contender=name))
    return found


_PLACE: Final = re.compile(
    r"(?:(?P<block_name>block|repeat) (?P<block>\d+)|(?P<users>\d+|one) users?)"
    r"(?:: |, (?=sampled|without))(?P<rest>.+)",
    re.DOTALL,
)


def _read_sentence(text: str) -> dict[str, Any]:
    """Return what a sentence of a record of schema 1 says of where it is; the only place where one is taken apart."""
    found: dict[str, Any] = {"code": "failed", "sentence": text}
    if text.startswith("interrupted"):
        found["code"] = "interrupted"
    while match := _PLACE.fullmatch(str(found["sentence"])):
        found["sentence"] = match["rest"]
        if match["users"]:
            found["users"] = 1 if match["users"] == "one" else int(match["users"])
        else:
            found |= {"block": int(match["block"]) - 1, "block_name": match["block_name"]}
    return found
