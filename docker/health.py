"""HEALTHCHECK of a service image: requests the health check of the service in this container.

It runs every few seconds next to the service, so it imports only the standard library.
"""

import http.client
import json
import os
import sys
from pathlib import Path

TIMEOUT_S = 2.0


def port() -> int:
    """Return the port of the service that is this container's first process."""
    return int(os.environ.get("SERVING_PORT") or 0) or _usual_port()


def _usual_port() -> int:
    role = Path("/proc/1/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2].decode()
    ports: dict[str, int] = json.loads(Path(__file__).with_name("ports.json").read_text())
    return ports[role]


def main() -> int:
    """Return 0 if the health check answers 200; otherwise print why and return 1."""
    connection = http.client.HTTPConnection("127.0.0.1", port(), timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/api/v1/healthcheck")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {error!r}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    print(status)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
