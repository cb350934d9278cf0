"""An SVG file inside a page: what draws is kept, what acts or loads is not."""

import pytest

from benchmark.report.charts.inline import for_page
from benchmark.report.charts.palette import INK

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10"'


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<g onload="alert(1)"><path d="M0 0"/></g>',
        '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml">alert</body></foreignObject>',
        '<image href="http://elsewhere.test/x.png"/>',
        '<use xlink:href="http://elsewhere.test/x.svg#alert"/>',
        '<a href="javascript:alert(1)"><text>here</text></a>',
        '<path d="M0 0" style="fill: url(http://elsewhere.test/alert)"/>',
        '<path d="M0 0" style="background-image: image-set(&quot;http://elsewhere.test/alert&quot;)"/>',
        '<path d="M0 0" style="fill: u\\72l(http://elsewhere.test/alert)"/>',
        '<path d="M0 0" fill="url(//elsewhere.test/alert)"/>',
        "<style>@import 'http://elsewhere.test/alert';</style>",
        '<animate attributeName="href" values="javascript:alert(1)"/>',
        '<set attributeName="onmouseover" to="alert(1)"/>',
        '<script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script>',
        '<use href="data:image/svg+xml,alert"/>',
        '<svg onload="alert(1)"><g onclick="alert(2)"/></svg>',
        '<iframe xmlns="http://www.w3.org/1999/xhtml" srcdoc="alert"/>',
        '<path d="M0 0" filter="url(http://elsewhere.test/alert)"/>',
        '<text style="behavior: url(#alert)">here</text>',
    ],
)
def test_what_acts_or_loads_stays_outside(inside: str) -> None:
    page = for_page(f"{HEAD}>{inside}<text>kept</text></svg>")
    assert "kept" in page
    for word in ("alert", "elsewhere", "script", "http", "style"):
        assert word not in page


def test_a_drawing_that_acts_itself_is_only_a_drawing() -> None:
    assert for_page(f'{HEAD} onload="alert(1)" style="position: fixed"/>').count("=") == len(["viewBox", "aria-hidden"])


def test_ids_get_the_prefix_wherever_they_are_referred_to() -> None:
    page = for_page(
        f'{HEAD}><defs><path id="a" d="M0 0"/><clipPath id="b"/></defs>'
        '<use xlink:href="#a" clip-path="url(#b)" style="fill: url(#a); stroke: none"/></svg>',
        prefix="one-",
    )
    assert page.count('id="one-') == 2
    assert 'href="#one-a"' in page
    assert 'clip-path="url(#one-b)"' in page
    assert "fill: url(#one-a); stroke: none" in page


def test_colours_are_those_of_the_page() -> None:
    page = for_page(f'{HEAD}><text style="fill: {INK}; font-family: serif" stroke="{INK}">a &lt;b&gt;</text></svg>')
    assert 'style="fill: var(--ink)"' in page
    assert 'stroke="var(--ink)"' in page
    assert "a &lt;b&gt;" in page


@pytest.mark.parametrize("text", ["no drawing", "<svg/>", "<svg", '<html viewBox="0 0 1 1"/>'])
def test_what_is_no_drawing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no drawing"):
        for_page(text)


def test_a_drawing_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="no drawing"):
        for_page(f"{HEAD}>{'<g>' * 50_000}{'</g>' * 50_000}</svg>")
