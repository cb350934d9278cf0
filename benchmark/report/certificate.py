"""What a page says of the load generator: whether it was certified when the run began."""

from collections.abc import Mapping
from typing import Any, Final

from benchmark.analysis.wording import listing, significant
from benchmark.record.certificate import HOW_TO_GET_ONE, MAX_AGE_DAYS, Certificate, noted

_GET_ONE: Final = f"`{HOW_TO_GET_ONE}` certifies it within a minute."


def generator_line(manifest: Mapping[str, Any]) -> str:
    """Return in a line what was known of the load generator when a run began."""
    held = noted(manifest)
    certificate = held.certificate
    if certificate is None:
        return f"Load generator: not certified on this machine when this was measured. {_GET_ONE}"
    date = certificate.finished_utc[:10]
    match held.state:
        case "passed":
            return f"Load generator: passed its selftest on this machine on {date}: {_figures(certificate)}."
        case "failed":
            reasons = listing(certificate.failed)
            return f"Load generator: did not pass its selftest on this machine on {date}: {reasons} beyond the bound."
        case "old":
            return (
                f"Load generator: not certified when this was measured: its selftest was of {date}, more than "
                f"{MAX_AGE_DAYS} days before. {_GET_ONE}"
            )
        case _:
            return (
                f"Load generator: not certified when this was measured: its selftest of {date} was on another machine "
                f"({listing(held.differs)} differ). {_GET_ONE}"
            )


def _figures(found: Certificate) -> str:
    ceiling = f"up to {significant(found.ceiling_rps, 2)} requests/s on time, " if found.ceiling_rps else ""
    return (
        f"{ceiling}{significant(found.overhead_p50_ms, 2)} ms added at one user, "
        f"off the truth by at most {significant(found.worst_error_pct, 2)} %"
    )
