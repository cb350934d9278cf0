"""Reasons as values: what they say of where something is wrong, and what an older record's sentences become."""

import json
import string

import pytest

from benchmark.analysis.reasons import SENTENCES, Reason, because, failure, in_words, merged, of_contenders, plain

BUSY = because("foreign_load", share=0.34, limit=0.15)
FILLED_IN = ("where", "most")  # by the reason itself


def test_a_reason_says_of_whom_what_and_where_it_is_in_reading_order() -> None:
    assert BUSY.at(contender="sync", part="try", block=1, users=8).text == (
        "sync, try: other programs used 34 % of the machine (limit 15 %) at 8 users in block 2: "
        "stop them and measure again"
    )
    assert " at 1 user: " in BUSY.at(users=1).text
    assert failure("stack", "it died", contender="sync", block=1).text == "sync, block 2: it died"


def test_what_is_wrong_at_several_levels_is_one_sentence_that_lists_them() -> None:
    shares = {16: 0.21, 1: 0.45, 8: 0.3}
    reasons = [because("foreign_load", share=share, limit=0.15).at(users=users) for users, share in shares.items()]
    assert merged(reasons) == [
        "Other programs used up to 45 % of the machine (limit 15 %) at 1, 8 and 16 users: stop them and measure again."
    ]
    assert in_words(reasons) == merged(reasons)[0][0].lower() + merged(reasons)[0][1:].rstrip(".")


def test_only_what_is_alike_is_merged() -> None:
    saturated = because("generator_saturated", share=0.92)
    reasons = [BUSY.at(users=1), saturated, BUSY.at(users=8), BUSY.at(contender="sync"), BUSY]
    assert merged(reasons) == [
        "Other programs used 34 % of the machine (limit 15 %) at 1 and 8 users: stop them and measure again.",
        "The load generator was saturated (92 % of a core): use more generator processes.",
        "sync: other programs used 34 % of the machine (limit 15 %): stop them and measure again.",
        "Other programs used 34 % of the machine (limit 15 %): stop them and measure again.",
    ]


def test_a_failure_of_several_blocks_is_said_once_with_its_log() -> None:
    failures = [failure("stack", "it died; its log ends:\n    oh", contender="a", block=block) for block in (0, 2)]
    assert merged(failures) == ["a, blocks 1 and 3: it died; its log ends:\n    oh"]
    assert in_words(failures) == "a, blocks 1 and 3: it died; its log ends"


def test_one_failed_request_is_not_several() -> None:
    assert because("errors", errors=1, example="status 503").text == "1 request failed, for instance: status 503"
    assert because("errors", errors=3, example="status 503").text == "3 requests failed, for instance: status 503"


def test_what_is_written_is_read_again_as_the_same() -> None:
    for reason in (BUSY, BUSY.at(contender="a", users=8, block=0), failure("stack", "it died;\nlog", block=1)):
        again = Reason.model_validate(json.loads(json.dumps(plain({"reasons": [reason]})))["reasons"][0])
        assert again == reason
        assert plain(reason)["text"] == reason.text


@pytest.mark.parametrize("code", SENTENCES)
def test_a_reason_without_a_number_of_its_sentence_is_refused_where_it_is_made(code: str) -> None:
    names = [name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name not in (None, *FILLED_IN)]
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
