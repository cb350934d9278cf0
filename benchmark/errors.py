"""Errors that end a command, each with one sentence for the user.

BenchmarkError
├── ContenderError     a contender.toml cannot be used: which file, which key, what was expected
├── UnknownContender   a name on the command line that no contender.toml has
├── ScenarioError      a scenario.toml cannot be used, or no scenario has the name that a contender gives
├── ShapeError         a rate over time, or the log that it is read from, cannot be understood
├── ObjectiveError     a service level objective cannot be understood
├── SidesRefused       what `versus` is to compare cannot be understood, or may not be measured like this
├── ServiceRefused     a service that is to be compared does not answer, or not as its scenario says
├── PlanRefused        there is nothing to plan with: no figures of CPU, a price of zero
├── SettingRefused     a setting that a contender does not accept, or that its row already sets
├── StackError         a contender's process cannot start, died, or did not become ready
├── NotAvailable       a contender's own environment cannot be built
├── EngineError        containers are asked for, and the engine or an image is missing
├── ServicesError      the services that `up` started are unknown, or cannot be stopped
├── LoadError          the load generator failed
└── RecordError        a run directory cannot be written or read
"""


class BenchmarkError(Exception):
    """The message says what was given, what was expected and what to do. `code` names the kind of error."""

    code = "benchmark"


class ContenderError(BenchmarkError):
    code = "contender"


class UnknownContender(BenchmarkError):
    code = "unknown_contender"


class ScenarioError(BenchmarkError):
    pass


class ShapeError(BenchmarkError):
    code = "shape"


class ObjectiveError(BenchmarkError):
    code = "objective"


class SidesRefused(BenchmarkError):
    code = "sides"


class ServiceRefused(BenchmarkError):
    code = "service"


class PlanRefused(BenchmarkError):
    code = "plan"


class SettingRefused(BenchmarkError):
    code = "setting"


class StackError(BenchmarkError):
    code = "stack"


class NotAvailable(BenchmarkError):
    code = "not_available"


class EngineError(BenchmarkError):
    code = "engine"


class ServicesError(BenchmarkError):
    code = "services"


class LoadError(BenchmarkError):
    code = "load"


class RecordError(BenchmarkError):
    code = "record"
