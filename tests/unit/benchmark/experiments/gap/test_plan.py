"""How much `explain` measures, and the what-ifs that it asks."""

from pathlib import Path

import pytest

from benchmark.contenders.discovery import choose
from benchmark.errors import ContenderError
from benchmark.experiments.gap.factors import Design, read_factors
from benchmark.experiments.gap.plan import ExplainPlan, adjust, default_plan, expected_s, make_variants, quick_plan
from benchmark.experiments.prediction.what_ifs import FILE, read_what_ifs
from tests.unit.benchmark.experiments.gap.conftest import KNOWN


def expected(plan: ExplainPlan, factors: tuple[str, ...] = ()) -> float:
    design = Design(read_factors(), KNOWN, factors)
    plan = adjust(plan, design, None, 1, free_ports=False)
    return expected_s(make_variants(design, choose(KNOWN, KNOWN), read_what_ifs(KNOWN), plan))


def test_a_run_is_planned_for_less_than_20_minutes_and_a_quick_one_for_less_than_four() -> None:
    assert expected(default_plan()) < 20 * 60
    assert expected(quick_plan()) < 4 * 60


def test_there_are_enough_blocks_for_intervals() -> None:
    assert default_plan().cell.blocks >= 3
    assert quick_plan().cell.blocks >= 2


def test_what_every_block_holds_is_in_as_many_blocks_as_are_asked_for() -> None:
    design = Design(read_factors(), KNOWN)
    for asked in (2, 7):
        plan = adjust(default_plan(), design, asked, 1, free_ports=False)
        assert plan.clock
        assert {plan.light.blocks, plan.cell.blocks, plan.clock.blocks, plan.whatif.blocks} == {asked}
        assert plan.map.blocks == default_plan().map.blocks
    quick = adjust(quick_plan(), design, 3, 1, free_ports=False)
    assert (quick.cell.blocks, quick.light.blocks, quick.whatif.blocks) == (3, 1, 1)


def test_with_other_than_four_factors_a_quick_run_measures_all_combinations() -> None:
    design = Design(read_factors(), KNOWN, ["runtime", "fan_out"])
    assert adjust(quick_plan(), design, None, 1, free_ports=False).half is False
    assert adjust(quick_plan(), Design(read_factors(), KNOWN), None, 1, free_ports=False).half is True


def test_all_cells_hold_the_same_levels_so_that_none_has_an_advantage_at_its_peak() -> None:
    design = Design(read_factors(), KNOWN)
    for plan in (default_plan(), quick_plan()):
        variants = make_variants(design, choose(KNOWN, KNOWN), [], adjust(plan, design, None, 1, free_ports=False))
        cells = [variant for variant in variants if variant.phase == "cell" and variant.stage_clock]
        assert len({(each.plan.levels, each.plan.climb) for each in cells}) == 1
        assert {each.of for each in cells} >= set(KNOWN)
        # httpx peaks at 16 users, the threads are taken at 64.
        assert {1, 8, 16, 64} <= {level.users for level in cells[0].plan.levels}


@pytest.mark.parametrize("plan", [default_plan(), quick_plan()])
def test_peaks_are_predicted_among_the_users_that_are_measured(plan: ExplainPlan) -> None:
    assert max(plan.users) == max(level.users for level in plan.cell.levels + plan.cell.climb)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('contender = "sync"', 'contender = "nobody"', "there is no contender 'nobody'"),
        ("setting.scoring", "setting.cook", "no process of the role 'cook'"),
        ("measured = true", "measured = true\nassume = { cores = 4 }", "only a `setting` can be measured"),
        ("assume = { cores = 4 }", "assume = { corse = 4 }", "'corse' cannot be assumed, expected one of cores"),
        ("assume = { cores = 4 }", 'assume = { law = "x" }', "law"),
        ('title = "16 threads instead of 64"\n', "", "title"),
    ],
)
def test_a_what_if_that_cannot_be_asked_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "what_ifs.toml"
    path.write_text(FILE.read_text().replace(old, new, 1))
    with pytest.raises(ContenderError, match=said):
        read_what_ifs(KNOWN, path)
