"""Reasons as values: what they say of where something is wrong, and what an older record's sentences become."""

import json
import string

import pytest

from benchmark.analysis.reasons import SENTENCES, Reason, because, failure, of_contenders, plain

BUSY = because("foreign_load", share=0.34, limit=0.15)


def test_a_reason_says_of_whom_and_where_it_is_in_reading_order() -> None:
    assert BUSY.at(contender="sync", part="try", block=1, users=8).text.startswith(
        "sync: try: block 2: 8 users: other programs used 34% of the machine"
    )
    assert BUSY.at(users=1).text.startswith("one user: other programs")


def test_what_is_written_is_read_again_as_the_same() -> None:
    for reason in (BUSY, BUSY.at(contender="a", users=8, block=0), failure("stack", "it died;\nlog", block=1)):
        again = Reason.model_validate(json.loads(json.dumps(plain({"reasons": [reason]})))["reasons"][0])
        assert again == reason
        assert plain(reason)["text"] == reason.text


@pytest.mark.parametrize("code", SENTENCES)
def test_a_reason_without_a_number_of_its_sentence_is_refused_where_it_is_made(code: str) -> None:
    names = [name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name]
    assert because(code, **dict.fromkeys(names, 0)).code == code
    for missing in names:
        with pytest.raises(KeyError, match=missing):
            because(code, **{name: 0 for name in names if name != missing})


def test_a_code_without_a_sentence_is_refused() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        because("nonsense")


@pytest.mark.parametrize(
    ("sentence", "contender", "users", "block", "what"),
    [
        ("sync: 8 users: 3 requests failed", "sync", 8, None, "3 requests failed"),
        ("sync: one user, sampled: 3 requests failed", "sync", 1, None, "sampled: 3 requests failed"),
        ("sync-concurrent: block 2: it died", "sync-concurrent", None, 1, "it died"),
        ("synchronised clocks were lost", "", None, None, "synchronised clocks were lost"),
        ("interrupted: 1 of 2 cells were measured", "", None, None, "interrupted: 1 of 2 cells were measured"),
    ],
)
def test_sentences_of_schema_1_are_read_as_reasons(
    sentence: str, contender: str, users: int | None, block: int | None, what: str
) -> None:
    summary = {"contenders": {"sync": {}, "sync-concurrent": {}}, "reasons": [sentence]}
    (reason,) = map(Reason.model_validate, of_contenders(summary))
    assert (reason.contender, reason.users, reason.block, reason.what) == (contender, users, block, what)
    assert reason.code == ("interrupted" if what.startswith("interrupted") else "failed")
