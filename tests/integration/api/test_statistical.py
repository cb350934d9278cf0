"""Statistical tests: a thousand answers follow the law that they must follow, and a wrong law would be noticed.

The second of the four kinds of tests of an ML API (doc/testing.md). No single answer of a model can be called wrong,
but a thousand can. The Kolmogorov-Smirnov test, at level ALPHA: of ten thousand runs that keep the law, one fails. In
fact fewer do, because the models draw with a fixed seed: only which two draws meet in a score varies.

A test that cannot fail shows nothing, so its power is tested as well: the same thousand answers are told from a law
that is wrong by a tenth of a millisecond.
"""

import pytest
from scipy import stats

from benchmark.stack.processes import Stack
from tests.integration.api.asking import Asked, ask_all

pytestmark = pytest.mark.integration

ANSWERS, CLIENTS = 1_000, 16
ALPHA = 0.0001
MODEL = stats.uniform(loc=0.004, scale=0.001)  # 4 to 5 ms, see FAST
SCORE = stats.triang(0.5, loc=0.004, scale=0.001)  # the mean of two of these


@pytest.fixture(scope="module")
def scores(twin: Stack) -> list[float]:
    return thousand(twin, "scoring")


@pytest.fixture(scope="module")
def durations(twin: Stack) -> list[float]:
    return thousand(twin, "model")


def thousand(stack: Stack, role: str) -> list[float]:
    """Return a thousand answers of a service, in seconds."""
    requests = [Asked(f"[{number}, 3.5, 1.4, 0.2]".encode()) for number in range(ANSWERS)]
    answers = [answered.detail_s for answered in ask_all(stack, requests, CLIENTS, role)]
    assert len(answers) == ANSWERS
    return answers


def test_scores_follow_the_law_of_the_mean_of_two_models(scores: list[float]) -> None:
    assert stats.kstest(scores, SCORE.cdf).pvalue > ALPHA


def test_a_models_answers_are_uniform(durations: list[float]) -> None:
    assert stats.kstest(durations, MODEL.cdf).pvalue > ALPHA


def test_no_answer_lies_outside_of_what_a_model_can_draw(scores: list[float], durations: list[float]) -> None:
    for answers in (scores, durations):
        assert 0.004 <= min(answers) < max(answers) <= 0.005


@pytest.mark.parametrize(
    "wrong",
    [
        stats.triang(0.5, loc=0.0041, scale=0.001),  # a tenth of a millisecond slower
        stats.triang(0.5, loc=0.0035, scale=0.002),  # the same mean, twice as wide
        MODEL,  # one model instead of two
    ],
    ids=["slower", "wider", "one model"],
)
def test_a_wrong_law_of_scores_is_noticed(scores: list[float], wrong: stats.rv_continuous) -> None:
    assert stats.kstest(scores, wrong.cdf).pvalue < ALPHA


def test_a_wrong_law_of_a_model_is_noticed(durations: list[float]) -> None:
    assert stats.kstest(durations, SCORE.cdf).pvalue < ALPHA


def test_answers_that_follow_each_other_have_nothing_to_do_with_each_other(scores: list[float]) -> None:
    # A cache, or a model that is asked once for both, would show here.
    assert len(set(scores)) > ANSWERS / 2
    assert stats.spearmanr(scores[:-1], scores[1:]).pvalue > ALPHA
