"""The names of the project's images. Standard library only, because docker/ runs without installed packages."""

import os

PROJECT = "sync-or-async"  # also the network, the compose project, and the label of every container


def image_name(name: str) -> str:
    """Return the full name of an image: sync-or-async/<name>:latest, unless IMAGE_PREFIX or IMAGE_TAG say otherwise."""
    return f"{os.environ.get('IMAGE_PREFIX') or PROJECT}/{name}:{os.environ.get('IMAGE_TAG') or 'latest'}"
