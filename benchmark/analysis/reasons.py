"""Why a figure is INVALID: a value with a code and numbers, put into words only for display."""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from benchmark.analysis.wording import first_line, listing
from benchmark.load.bodies import EARLY

Number = float | int | str | None

# One sentence for each code: what is wrong, the limit, what to do. `{where}` becomes " at 8 users", and `{most}`
# becomes "up to " where one sentence stands for several levels. A failure has the error's own sentence, and its code.
SENTENCES: Final[Mapping[str, str]] = {
    "unsaid": "the record does not say why{where}",
    "run_invalid": "the whole run is INVALID{where}",
    "not_measured": "not measured{where}",
    "interrupted": "interrupted{where}: {measured}",
    "machine_busy": "the machine was {share:.0%} busy before the start (limit {limit:.0%}){where}: "
    "stop other programs and measure again",
    "foreign_load": "other programs used {most}{share:.0%} of the machine (limit {limit:.0%}){where}: "
    "stop them and measure again",
    "foreign_load_in_one": "other programs used {most}{share:.0%} of the machine in the worst of {count} {unit}s "
    "(limit {limit:.0%}){where}: stop them and measure again",
    "foreign_load_in_some": "other programs used more than {limit:.0%} of the machine in {above} of {count} {unit}s "
    "(at most {most_above} may be){where}: stop them and measure again",
    "stolen_time": "the hypervisor gave {most}{share:.0%} of the machine to other virtual machines "
    "(limit {limit:.0%}){where}: measure again",
    "stolen_time_in_one": "the hypervisor gave {most}{share:.0%} of the machine to other virtual machines in the worst "
    "of {count} {unit}s (limit {limit:.0%}){where}: measure again",
    "stolen_time_in_some": "the hypervisor gave more than {limit:.0%} of the machine to other virtual machines in "
    "{above} of {count} {unit}s (at most {most_above} may be){where}: measure again",
    "silent": "nothing was answered, and nothing failed{where}",
    "no_answer": "no correct answer in block {blocks}{where}",
    "errors": "{most}{errors:request} failed{where}, for instance: {example}",
    "early_answer": f"{EARLY}{{where}}",
    "generator_saturated": "the load generator was saturated ({most}{share:.0%} of a core){where}: "
    "use more generator processes",
    "offered_less": "the load generators sent {share:.0%} of what was to be offered (limit {limit:.0%}){where}: "
    "use more generator processes",
    "little": "rate x latency is {most}{off:+.1%} off the number of users (Little's law){where}: measure again",
    "unsteady": "the rate changed by {most}{change:+.0%} during the window{where}: use a longer warm-up",
    "below_floor": "{mean_ms:.2f} ms per call on average{where} is below the floor of {floor_ms:.2f} ms",
    "late_arrivals": "{most}{late:arrival} late, {dropped} dropped{where}: use more generator processes",
    "failed_calls": "{most}{errors:call} failed{where}, for instance: {example}",
    "not_attributed": "{share:+.0%} of the CPU time is not attributed (limit {limit:.0%}){where}",
    "no_stages": "its answers carry no Server-Timing header, so there are no stages{where}",
    "stages_too_long": "the server's stages are {most}{excess:.1%} longer than the client's latency{where}",
    "some_stages_too_long": "the server's stages are longer than the client's latency in {count} of {of} "
    "requests{where}",
    "early_models": "the models answered {most}{early_ms:.2f} ms before their sleep was over{where}",
    "stopped_clock": "the queue is 0 in {count} of {of} requests{where}: the client's clock is ahead of the server's",
    "no_queue": "the queue was not recorded{where}: its time is part of client_and_network",
    "answers_without_stages": "{count} of {of} answers carry no stages{where}",
    "late_prediction": "a prediction was written {late_s:.3g} s after its measurement began{where}",
}
_EXAMPLE: Final = "example"  # of an error: the first stands for all


class Reason(BaseModel):
    """Why something is INVALID: what is wrong (`code`, `numbers`), for which contender, and where."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    contender: str = ""
    part: str = ""  # which trial of the contender: an example of load, a variant, a profiler
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
        given = {name: getattr(self, name) for name in Reason.model_fields if name in self.model_fields_set}
        return {**given, "text": self.text}  # for other programs

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The whole reason in words: which contender, what is wrong, where, and what to do."""
        return _worded([self])

    @property
    def what(self) -> str:
        """What is wrong, without contender and place."""
        return self.sentence or _WORDS.format(SENTENCES[self.code], where="", most="", **self.numbers)

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for reasons that differ only in level, block and size: one sentence is enough for all of them."""
        texts = [text for name, text in self.numbers.items() if isinstance(text, str) and name != _EXAMPLE]
        return (
            *(self.code, self.sentence, self.contender, self.part, self.block_name),
            *(self.users is None, self.block is None, *texts),
        )

    @property
    def size(self) -> float:
        """The first number, by which the worst of several reasons of one kind is found."""
        return next((abs(number) for number in self.numbers.values() if isinstance(number, int | float)), 0.0)

    def at(self, **where: Any) -> "Reason":
        """Return the reason with a place added: contender, part, users, block."""
        return self.model_copy(update=where)


class _Words(string.Formatter):
    """Formats as `str.format` does, but `0.34` as `34 %`, and `{errors:request}` as `1 request` or `3 requests`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.isalpha():
            return f"{value} {format_spec}{'' if value == 1 else 's'}"
        return str(super().format_field(value, format_spec)).replace("%", " %") if format_spec else str(value)


_WORDS: Final = _Words()


def _worded(alike: Sequence[Reason]) -> str:
    """Return one sentence for reasons of one kind: the worst one's, with the levels and blocks of all."""
    worst = max(alike, key=lambda reason: reason.size)
    who = ", ".join(filter(None, [worst.contender, worst.part]))
    where = _where(alike)
    if worst.sentence:
        return ": ".join(filter(None, [", ".join(filter(None, [who, *where])), worst.sentence]))
    users, block = where
    place = "".join((f" at {users}" if users else "", f" in {block}" if block else ""))
    most = "up to " if len({reason.size for reason in alike}) > 1 else ""
    what = _WORDS.format(SENTENCES[worst.code], where=place, most=most, **worst.numbers)
    return f"{who}: {what}" if who else what


def _where(alike: Sequence[Reason]) -> tuple[str, str]:
    """Return levels and blocks in words, such as `1, 8 and 16 users` and `block 2`; empty if there are none."""
    users = sorted({reason.users for reason in alike if reason.users is not None})
    blocks = sorted({reason.block + 1 for reason in alike if reason.block is not None})
    name = alike[0].block_name
    return (
        f"{listing([str(each) for each in users])} user{'' if users == [1] else 's'}" if users else "",
        f"{name}{'s' if len(blocks) > 1 else ''} {listing([str(each) for each in blocks])}" if blocks else "",
    )


def _of_one_kind(reasons: Sequence[Reason]) -> list[list[Reason]]:
    """Return the reasons grouped by kind, in the order of each kind's first reason."""
    kinds: dict[tuple[object, ...], list[Reason]] = {}
    for reason in reasons:
        kinds.setdefault(reason.kind, []).append(reason)
    return list(kinds.values())


def merged(reasons: Sequence[Reason]) -> list[str]:
    """Return the reasons as sentences: one for all levels and blocks with the same fault."""
    return [_as_sentence(_worded(alike), alike[0]) for alike in _of_one_kind(reasons)]


def _as_sentence(text: str, reason: Reason) -> str:
    """Return a text with a capital, unless a name may come first, and a full stop, unless a log follows."""
    begun = text if reason.contender or reason.part or reason.sentence else text[:1].upper() + text[1:]
    return begun if "\n" in begun or begun.endswith(".") else f"{begun}."


def in_words(reasons: Sequence[Reason]) -> str:
    """Return the reasons in one line, without further lines such as a log."""
    return "; ".join(first_line(_worded(alike)).rstrip(".") for alike in _of_one_kind(reasons))


def plain(document: Any) -> Any:
    """Return models, dataclasses, tables and lists as plain JSON values."""
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
    """Return an error as a reason, with the error's message as its sentence."""
    return Reason(code=code or "failed", sentence=sentence, **where)


def of_contenders(summary: Mapping[str, Any], more_names: Sequence[str] = ()) -> list[Any]:
    """Return the reasons of a run. In schema 1 they are sentences, which begin with the contender's name."""
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
    """Return the fields of a reason from a sentence of schema 1. No other code parses sentences."""
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
