"""An SVG file as an element of a page: in the page's font and colours, and with nothing in it that acts or loads."""

from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from benchmark.report.charts.palette import CSS_VARIABLES

_SVG: Final = "{http://www.w3.org/2000/svg}"
_HREF: Final = "{http://www.w3.org/1999/xlink}href"

# All that may come in. Styles are not among the elements: their rules would reach beyond the drawing.
_ELEMENTS: Final = {
    "svg", "g", "defs", "path", "use", "text", "tspan", "title", "rect", "circle", "line", "polyline", "polygon",
    "clipPath", "pattern",
}  # fmt: skip
_ATTRIBUTES: Final = {
    "id", "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "width", "height", "points", "transform",
    "text-decoration", "patternUnits",
}  # fmt: skip
_PAINTS: Final = {"fill", "stroke", "clip-path"}
_PROPERTIES: Final = _PAINTS | {
    "fill-opacity", "fill-rule", "stroke-width", "stroke-opacity", "stroke-linecap", "stroke-linejoin",
    "stroke-dasharray", "stroke-dashoffset", "stroke-miterlimit", "opacity", "font-size", "font-weight", "font-style",
    "text-anchor",
}  # fmt: skip


def for_page(svg: str, prefix: str = "") -> str:
    """Return an SVG file as an element of a page, scaled to its column; `prefix` stands before its ids.

    Raises ValueError if it is none.
    """
    try:
        root = ElementTree.fromstring(svg)
        view = root.attrib["viewBox"]
        if root.tag.removeprefix(_SVG) != "svg":
            raise KeyError(root.tag)
    except (ElementTree.ParseError, KeyError) as error:
        raise ValueError("no drawing, or one without a viewBox") from error
    try:
        element = _kept(root, prefix)
    except RecursionError as error:
        raise ValueError("no drawing: its elements are nested without end") from error
    element.tag, element.attrib = "svg", {"viewBox": view, "aria-hidden": "true"}
    return ElementTree.tostring(element, encoding="unicode")


def _kept(element: Element, prefix: str) -> Element:
    """Return an element with what is allowed of it."""
    kept = Element(element.tag.removeprefix(_SVG))
    kept.text, kept.tail = element.text, element.tail
    for name, value in element.attrib.items():
        if name == "id":
            kept.set(name, prefix + value)
        elif name in {"href", _HREF} and value.startswith("#"):
            kept.set("href", f"#{prefix}{value[1:]}")
        elif name in _ATTRIBUTES:
            kept.set(name, value)
        elif name in _PAINTS and (painted := _painted(value, prefix)):
            kept.set(name, painted)
        elif name == "style" and (style := _style(value, prefix)):
            kept.set(name, style)
    kept.extend([_kept(child, prefix) for child in element if child.tag.removeprefix(_SVG) in _ELEMENTS])
    return kept


def _style(text: str, prefix: str) -> str:
    """Return the declarations that are allowed."""
    declarations = (each.partition(":") for each in text.split(";"))
    pairs = [(name.strip(), _painted(value.strip(), prefix)) for name, _, value in declarations]
    return "; ".join(f"{name}: {value}" for name, value in pairs if name in _PROPERTIES and value)


def _painted(value: str, prefix: str) -> str:
    """Return a value with the page's colours, pointing at nothing but the drawing itself; or nothing."""
    if value.startswith("url(#"):
        return f"url(#{prefix}{value.removeprefix('url(#')}"
    if "(" in value or "\\" in value:
        return ""
    for colour, variable in CSS_VARIABLES.items():
        value = value.replace(colour, f"var(--{variable})")
    return value
