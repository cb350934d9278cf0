"""Sentences come from the templates of a folder, one line each."""

from pathlib import Path

import jinja2
import pytest

from benchmark.report.answers import TEMPLATE, Phrases

MACROS = """
{% macro best(names, rps, users) %}
  {{ names | listing }} {{ "carries" if names | length == 1 else "carry" }} {{ rps | number }} requests/s
  {% if users %}, at {{ users | users }}{% endif %}.
{% endmacro %}
{% macro alone(name, value_ms) %}{{ name }} answers in {{ value_ms | ms }}.{% endmacro %}
"""


@pytest.fixture
def phrases(tmp_path: Path) -> Phrases:
    (tmp_path / TEMPLATE).write_text(MACROS)
    return Phrases(tmp_path)


def test_a_macro_is_a_sentence_on_one_line(phrases: Phrases) -> None:
    assert phrases.best(names=["a", "b"], rps=1299.6, users=8) == "a and b carry 1,300 requests/s, at 8 users."
    assert phrases.best(names=["a"], rps=0.5, users=None) == "a carries 0.500 requests/s."
    assert phrases.alone(name="a<b>", value_ms=51.234) == "a<b> answers in 51.2 ms."


def test_a_value_that_is_not_given_is_an_error(phrases: Phrases) -> None:
    with pytest.raises(jinja2.UndefinedError):
        phrases.best(names=["a"])


def test_a_case_without_words_is_an_error(phrases: Phrases) -> None:
    with pytest.raises(AttributeError):
        phrases.worst(names=["a"])
