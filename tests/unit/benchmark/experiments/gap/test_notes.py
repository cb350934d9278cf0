"""What stands beside the answers: advice, what was known beforehand, where time goes, and doubts."""

import re

import pytest

from benchmark.experiments.gap import glance, notes, tables
from benchmark.experiments.gap.schema import Explained, parse
from benchmark.report.answers import Answer
from tests.unit.benchmark.experiments.gap.synthetic import Summary, make_manifest, make_summary, variants
from tests.unit.plain import faults
from tests.unit.said import said


def read(summary: Summary) -> Explained:
    return parse(summary, make_manifest())


def first(summary: Summary) -> list[Answer]:
    return notes.what_to_change_first(read(summary))


def factors(found: list[Answer]) -> list[str]:
    return [each.topic.partition(":")[0] for each in found if " instead of " in each.topic]


@pytest.mark.parametrize("variant", list(variants()))
def test_every_note_is_short_and_plain_whatever_the_run(variant: str) -> None:
    data = read(variants()[variant]())
    found = [*notes.what_to_change_first(data), *notes.known_beforehand(data), *notes.where_time_goes(data)]
    sentences = [text for each in found for text in (each.text, each.note) if text]
    sentences += [each for doubt in notes.doubts(data, make_manifest()) for each in re.findall(r".+?\.(?= |$)", doubt)]
    for sentence in sentences:
        assert faults(sentence) == [] or sentence in data.notes
        assert not re.search(r"None|nan|\(\)|\[\]|  | ,|–", sentence), sentence


def test_what_to_change_first_goes_by_the_largest_improvement() -> None:
    found = first(make_summary())
    names = ["HTTP client", "Runtime of the scoring handler", "Fan-out", "Runtime of the model service"]
    assert factors(found) == names
    assert found[0].topic == (
        "HTTP client: the lean one (urllib3, aiohttp) instead of the customary one (requests, httpx)"
    )
    assert found[0].text == "1.90 times the peak rate, 1.05 ms less CPU and 0.800 ms less latency."


def test_what_a_change_costs_is_said() -> None:
    summary = make_summary()
    summary["attribution"]["cpu_ms"]["shares"]["fan_out"]["ci95"] = [0.05, 0.17]
    (fan_out,) = [each.text for each in first(summary) if each.topic.startswith("Fan-out")]
    assert fan_out == "43.4 ms less latency, but 0.110 ms more CPU."


def test_a_factor_without_a_shown_improvement_is_left_for_last() -> None:
    summary = make_summary()
    for attribution in summary["attribution"].values():
        attribution["shares"]["fan_out"]["ci95"] = [-100.0, 100.0]
    found = first(summary)
    assert "Fan-out" not in factors(found)
    assert "No improvement by the fan-out is shown: leave it for last." in [each.text for each in found]


@pytest.mark.parametrize("variant", ["slower", "invalid_cell", "no_difference", "one_block", "nothing"])
def test_where_no_valid_share_improves_anything_nothing_is_recommended(variant: str) -> None:
    assert [each.text for each in first(variants()[variant]())] == [
        "No factor is shown to improve anything in this run."
    ]


def test_of_a_peak_that_the_levels_do_not_show_no_advice_follows() -> None:
    summary = make_summary()
    cell = next(each for each in summary["cells"] if each["contender"] == "async-aiohttp")
    cell["peak_rps"]["bracketed"] = False
    assert not any("peak rate" in each.text for each in first(summary))


def turning(response: str, name: str, value: float, ci95: list[float]) -> Summary:
    """Return a summary in which a factor does something else when it is changed first."""
    summary = make_summary()
    summary["attribution"][response]["shares"][name]["first"] = {"value": value, "ci95": ci95}
    return summary


@pytest.mark.parametrize(
    ("value", "ci95", "words"),
    [(0.75, [0.6, 0.9], "; worse as the first change."), (0.9, [0.7, 1.1], "; no gain as the first change.")],
)
def test_what_improves_nothing_as_the_first_change_comes_after_the_others_and_says_so(
    value: float, ci95: list[float], words: str
) -> None:
    found = first(turning("peak_rps", "runtime", value, ci95))
    assert factors(found)[3] == "Runtime of the scoring handler"
    assert found[3].text.endswith(words)
    assert not any("first change" in each.text for each in found[:3])


def test_a_first_step_that_improves_changes_no_order() -> None:
    assert first(turning("peak_rps", "runtime", 1.2, [0.9, 1.6])) == first(make_summary())


def test_a_share_that_is_no_improvement_is_no_advice_whose_first_step_must_be_told() -> None:
    summary = turning("latency_ms", "model_runtime", 0.4, [-0.2, 1.0])
    summary["attribution"]["latency_ms"]["shares"]["model_runtime"].update(value=-0.1, ci95=[-0.3, 0.1])
    assert not any("first change" in each.text for each in first(summary))


def test_a_measured_setting_says_what_it_changes_and_is_struck_if_it_is_invalid() -> None:
    summary = make_summary()
    summary["what_if"][0].update(rps_change={"value": 1.2, "ci95": [1.1, 1.3]}, reasons=["64 users: 3 requests failed"])
    (row,) = [row for row in tables.what_if_rows(read(summary)) if row.invalid]
    assert (row.name, said(row.why)) == ("sync", ["64 users: 3 requests failed"])
    assert row.cells[tables.WHAT_IF_HEADS.index("change [95 % interval]")] == "× 1.20 [1.10, 1.30]"


def test_settings_that_were_only_predicted_stand_apart_from_the_measured_ones() -> None:
    data = read(make_summary())
    assert [row.name for row in tables.what_if_rows(data)] == ["sync", "async"]
    assert [row.cells[0] for row in tables.asked_rows(data)] == ["four cores"]


def test_a_share_that_is_known_beforehand_is_held_against_the_calculation() -> None:
    (known,) = notes.known_beforehand(read(make_summary()))
    assert known.topic == "Fan-out"
    assert known.text == (
        "The models' sleep changes by −43.4 ms, by calculation −43.33 ms; all that surrounds it by −2.17 ms."
    )
    row = next(row for row in tables.part_rows(read(make_summary())) if row.name == "fan-out")
    assert row.cells == ("−43.3", "−43.4 ms [−43.6, −43.2]", "−2.17 ms [−2.27, −2.07]")
    assert notes.known_beforehand(read({**make_summary(), "latency_parts": {}})) == []
    assert notes.known_beforehand(read(variants()["invalid_cell"]())) == []


def test_the_longest_stage_is_named_and_how_long_tasks_were_delayed() -> None:
    (sync,) = [each for each in notes.where_time_goes(read(make_summary())) if each.topic == "sync"]
    assert [sync.text, sync.note] == [
        "At 128 users, a median request takes 286.6 ms; besides the models' sleep, the longest stage is the queue "
        "before the handler, 117.4 ms.",
        "Tasks in its scoring process were delayed by 2.6 ms on average.",
    ]


def test_stages_that_do_not_fit_the_latency_support_no_sentence() -> None:
    summary = make_summary()
    summary["anatomy"]["sync"][-2]["reasons"] = ["the server's stages are 4.7% longer than the client's latency"]
    assert not [each for each in notes.where_time_goes(read(summary)) if each.topic == "sync"]


@pytest.mark.parametrize(("n", "told"), [(458, "n/a*"), (459, "38.4")])
def test_the_tail_of_the_delays_is_told_where_samples_are_enough(n: int, told: str) -> None:
    summary = make_summary()
    for row in summary["waiting"]["sync"]:
        row["n"] = n
    cells = next(row.cells for row in tables.waiting_rows(read(summary)) if row.cells[1] == "128")
    assert cells[3] == told


def test_where_time_goes_is_told_where_delays_were_sampled() -> None:
    summary = make_summary()
    common = set.intersection(*({row["users"] for row in rows} for rows in summary["anatomy"].values()))
    assert read(summary).high_users == max(common)
    lower = sorted(common)[-2]
    summary["waiting"] = {"sync": [{"users": lower, "kind": "interpreter lock"}]}
    assert read(summary).high_users == lower
    summary["waiting"] = {}
    assert read(summary).high_users == max(common)


def test_it_is_said_how_many_intervals_could_show_something_by_chance() -> None:
    data = read(make_summary())
    count = sum(len(each.shares) + len(each.interactions) for each in data.attribution.values())
    assert count > 12
    assert any(doubt.startswith(f"Of {count} shares and interactions") for doubt in notes.doubts(data, {}))


def test_a_confounded_share_says_with_what() -> None:
    found = notes.doubts(read(variants()["quick"]()), make_manifest())
    assert found[0] == (
        "The share of the fan-out may be what runtime of the scoring handler, HTTP client and runtime of the model "
        "service do together."
    )
    assert "QUICK: half of the design" in found


def test_cells_whose_peak_is_not_shown_are_counted() -> None:
    summary = make_summary()
    assert not any("no peak" in doubt for doubt in notes.doubts(read(summary), {}))
    for cell in summary["cells"]:
        if cell["contender"] is None:
            cell["peak_rps"]["bracketed"] = False
    assert any("no peak of 12 combinations" in doubt for doubt in notes.doubts(read(summary), {}))
    row = next(r for r in tables.cell_rows(read(summary)) if r.name not in read(summary).contenders)
    assert any(text.startswith("≥ ") for text in row.cells)


def test_of_what_the_stage_clock_costs_only_what_is_shown_is_claimed() -> None:
    summary = make_summary()
    found = notes.doubts(read(summary), {})
    assert "Cutting requests into stages costs sync 0.0300 ms more CPU." in found
    summary["clock_cost"]["sync"]["cpu_ms"]["ci95"] = [-0.01, 0.07]
    assert not any("stages costs sync" in doubt for doubt in notes.doubts(read(summary), {}))


def test_interactions_that_are_shown_come_first_in_their_table() -> None:
    summary = make_summary()
    summary["attribution"]["cpu_ms"]["interactions"][0].update(value=-0.4, ci95=[-0.6, -0.2])
    row, *others = tables.interaction_rows(read(summary))
    assert row.name == "runtime of the scoring handler with fan-out"
    assert row.cells == ("CPU per request", "−0.40 ms", "[−0.60, −0.20]", "yes")
    assert {other.cells[-1] for other in others} == {"no"}


def test_contenders_keep_their_order_whatever_variants_bear_their_names() -> None:
    manifest = make_manifest()
    variant = {"name": "sync", "label": "cell-x", "title": "a variant", "order": 100, "harness_floor": False}
    manifest["contenders"] = {"cell-x": variant, **dict(reversed(manifest["contenders"].items()))}
    data = parse(make_summary(), manifest)
    assert data.contenders == ["sync", "sync-concurrent", "async", "async-aiohttp"]
    assert data.titles["sync"] == "Flask, one model after the other"


def test_a_peak_that_is_invalid_is_struck_in_its_table() -> None:
    summary = make_summary()
    summary["peaks"]["async"]["reasons"] = ["64 users: 3 requests failed"]
    (row,) = [row for row in tables.peak_rows(read(summary)) if row.invalid]
    assert (row.name, said(row.why)) == ("async", ["64 users: 3 requests failed"])


def test_the_row_of_a_gap_says_by_which_interval_it_is_decided() -> None:
    summary = make_summary()
    summary["comparisons"] = [{"figure": "peak_rps", "baseline": "sync", "contender": str(i)} for i in range(12)]
    summary["attribution"]["cpu_ms"].update(ci=[-4.5, 0.2], confidence=0.996)
    data = read(summary)
    (row,) = [r for r in tables.share_rows(data, data.attribution) if r.name == "all: the gap" and "CPU" in r.cells[0]]
    assert row.cells[2:4] == ("[−4.50, 0.20], adjusted for 12 comparisons", "no")


def test_the_glance_has_bars_for_effects_that_are_shown_and_the_gap_at_its_end() -> None:
    data = read(make_summary())
    assert glance.glance_heads(data.attribution) == ["latency at one user", "peak rate", "CPU per request"]
    fan_out, *_, gap = glance.glance_rows(data, data.attribution)
    assert (fan_out.name, fan_out.says) == ("Fan-out", "both at once")
    latency, rate, _ = fan_out.cells
    assert (latency.value, latency.times, latency.share) == ("−43.4 ms", "", 1.0)
    assert (rate.value, rate.times, rate.share) == ("× 1.02", "no effect shown", None)
    assert gap.cells[0].value == "−45.7 ms"
    assert gap.cells[0].times == "94.8 → 49.1 ms"


def test_the_glance_claims_nothing_that_is_invalid_or_has_no_peak() -> None:
    data = read(variants()["invalid_cell"]())
    assert {cell.times for row in glance.glance_rows(data, data.attribution)[:-1] for cell in row.cells} == {"INVALID"}
    summary = make_summary()
    next(c for c in summary["cells"] if c["contender"] == "sync")["peak_rps"]["bracketed"] = False
    data = read(summary)
    assert [row.cells[1].value for row in glance.glance_rows(data, data.attribution)] == ["–"] * 4 + ["no peak"]
    assert glance.glance_rows(data, {}) == []


def test_the_glance_says_where_no_difference_is_shown() -> None:
    data = read(variants()["no_difference"]())
    *shares, gap = glance.glance_rows(data, data.attribution)
    assert {cell.times for row in shares for cell in row.cells} == {"no effect shown"}
    assert all(cell.times.endswith(", no difference shown") for cell in gap.cells)
