"""`make docker-sizes`: writes the size that each image adds to its base, by layer, to doc/images.md."""

from benchmark.stack.images import image_name
from docker import engine
from docker.engine import ROOT, DockerError

PAGE = ROOT / "doc" / "images.md"
_BEGIN, _END = "<!-- generated: sizes -->", "<!-- end -->"
_IMAGES = ("sync", "async", "store", "bench", "jobs")
_COPIES = ("the locked requirements", "our own modules, compiled")  # in the order of the Dockerfiles


def write_sizes() -> None:
    """Write the table of the existing images into the page. Raises DockerError."""
    before, begin, rest = PAGE.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise DockerError(f"{PAGE} has no {_BEGIN} ... {_END}")
    table = "\n".join(_rows())
    PAGE.write_text(f"{before}{begin}\n{table}\n{end}{after}")
    print(table)


def _rows() -> list[str]:
    base = engine.base_image()
    base_mb = _size_mb(base)
    rows = [f"Base: `{base}`, {base_mb:.0f} MB.", "", "| image | layer | MB |", "|---|---|---|"]
    for name in _IMAGES:
        image = image_name(name)
        if not engine.has_image(image):
            continue
        rows.append(f"| `{name}` | **added to the base** | **{_size_mb(image) - base_mb:.1f}** |")
        rows += [f"| | {label} | {size_mb:.1f} |" for label, size_mb in _layers(image, base) if size_mb >= 0.05]
    return rows


def _layers(image: str, base: str) -> list[tuple[str, float]]:
    """Return the layers above the base with their sizes in MB, the lowest first."""
    above = reversed(_history(image)[: -len(_history(base))])
    copies = iter(_COPIES)
    return [
        (next(copies) if "COPY" in command else "the user", size_mb)
        for command, size_mb in above
        if "COPY" in command or "echo" in command
    ]


def _history(image: str) -> list[tuple[str, float]]:
    """Return the build steps of an image as (command, MB), the last one first."""
    lines = engine.ask(
        "history", "--no-trunc", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", image
    ).splitlines()
    return [(line.partition(" ")[2], int(line.partition(" ")[0]) / 1e6) for line in lines]


def _size_mb(image: str) -> float:
    return int(engine.ask("image", "inspect", "--format", "{{.Size}}", image)) / 1e6
