"""Which variables the processes of the image `jobs` read."""

from typing import Final

from pydantic_settings import BaseSettings

from contract.settings import Settings
from strategies.callbacks import CallbackSettings
from strategies.job_rq.settings import JobSettings
from strategies.push_worker.dispatcher import DispatcherSettings
from strategies.push_worker.service import ApiSettings
from strategies.push_worker.worker import WorkerSettings
from strategies.receiver import ReceiverSettings

_READ: Final[dict[str, tuple[type[BaseSettings], ...]]] = {
    "strategies.job_rq.service": (Settings, JobSettings, CallbackSettings),
    "strategies.job_rq.worker": (JobSettings, CallbackSettings),
    "strategies.push_worker.service": (Settings, ApiSettings),
    "strategies.push_worker.worker": (Settings, WorkerSettings),
    "strategies.push_worker.dispatcher": (DispatcherSettings,),
    "strategies.receiver": (Settings, ReceiverSettings, CallbackSettings),
}


def names_read(module: str) -> set[str]:
    """Return the variables that a module reads."""
    return {
        f"{settings.model_config.get('env_prefix', '')}{name}".upper()
        for settings in _READ[module]
        for name in settings.model_fields
    }
