"""Factors: which contender every cell is, and what is said of a file that cannot be used."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark.contenders.discovery import Contender, discover
from benchmark.contenders.variant import with_settings
from benchmark.errors import ContenderError, UnknownContender
from benchmark.experiments.gap.design import full, half
from benchmark.experiments.gap.factors import FILE, Design, DesignCell, read_factors
from contract.settings import make_settings
from tests.unit.benchmark.synthetic import make_contender

KNOWN = {name: contender for name, contender in discover().items() if contender.default and not contender.harness_floor}
ARCHITECTURES = {"sync_api.server": "sync", "async_api.server": "async"}


def make_design(from_: str = "sync", to: str = "async-aiohttp", names: Sequence[str] = ()) -> Design:
    file = read_factors().model_copy(update={"from_": from_, "to": to})
    return Design(file, KNOWN, names)


def all_cells(design: Design) -> list[DesignCell]:
    return design.cells(full(list(design.factors)))


def test_the_contenders_are_recognised_among_the_cells() -> None:
    found = {cell.same_as: cell.raised for cell in all_cells(make_design()) if cell.same_as}
    assert found == {
        "sync": frozenset(),
        "sync-concurrent": {"fan_out"},
        "async": {"runtime", "fan_out", "model_runtime"},
        "async-aiohttp": {"runtime", "fan_out", "http_client", "model_runtime"},
    }


def test_every_cell_has_settings_that_its_services_accept_and_no_two_are_the_same() -> None:
    seen = set()
    for cell in all_cells(make_design()):
        scoring = next(p for p in cell.contender.process if p.role == "scoring")
        model = next(p for p in cell.contender.process if p.role == "model")
        assert scoring.module
        assert model.module
        env = {name.removeprefix("SERVING_").lower(): each for name, each in scoring.env.items()}
        urls = env["model_urls"].replace("{model}", f"127.0.0.1:{model.port}")
        chosen = {"architecture": ARCHITECTURES[scoring.module], "role": "scoring", "port": scoring.port}
        accepted = make_settings(**{**env, "model_urls": urls, **chosen})
        # The scoring handler asks the model that is there, on the path that it has.
        assert all(f"/ml/{ARCHITECTURES[model.module]}/" in url for url in accepted.model_urls)
        assert cell.contender.floor == ("max" if accepted.fan_out == "concurrent" else "sum")
        assert ARCHITECTURES[scoring.module] in cell.contender.endpoint.split("/")
        seen.add((scoring.module, accepted.fan_out, accepted.http_client, model.module))
    assert len(seen) == 16


def test_each_cell_differs_from_its_neighbour_in_one_factor_alone() -> None:
    design = make_design()
    plain, raised = design.cell(frozenset()), design.cell(frozenset({"model_runtime"}))
    one, other = ({p.role: p for p in contender.process} for contender in (plain, raised))
    assert one["model"].module == "sync_api.server"
    assert other["model"].module == "async_api.server"
    changed = {k for k in other["scoring"].env if one["scoring"].env[k] != other["scoring"].env[k]}
    assert changed == {"SERVING_MODEL_URLS"}
    assert one["redis"] == other["redis"]


def test_labels_are_names_of_files_and_all_different() -> None:
    labels = [cell.contender.label for cell in all_cells(make_design())]
    assert len(set(labels)) == 16
    assert all(set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_") for label in labels)


@pytest.mark.parametrize("name", ["sync", "async", "async-aiohttp"])
def test_from_a_contender_to_itself_every_cell_has_its_settings(name: str) -> None:
    design = make_design(name, name)
    cells = all_cells(design)
    assert len({cell.contender.label for cell in cells}) == 16
    assert all(design.is_same(cell.contender, KNOWN[name]) for cell in cells)
    assert [cell.same_as for cell in cells].count(name) == 1


def test_a_contender_with_another_setting_is_not_the_same() -> None:
    design = make_design()
    slower = with_settings(KNOWN["sync"], {"scoring": {"SERVING_THREADS": "2"}})
    assert not design.is_same(slower, KNOWN["sync"])
    assert design.is_same(design.cell(frozenset()), KNOWN["sync"])


def test_levels_have_titles_for_the_reader() -> None:
    design = make_design()
    assert design.title("runtime", "from").startswith("Flask")
    assert design.title("runtime", "to").startswith("FastAPI")
    assert design.title("fan_out", "to") == "both at once"


def test_factors_can_be_chosen_and_the_others_are_held_as_the_first_contender_has_them() -> None:
    design = make_design("sync", "sync-concurrent", ["fan_out", "http_client"])
    assert list(design.factors) == ["fan_out", "http_client"]
    assert len(all_cells(design)) == 4


def test_the_half_design_holds_both_contenders_of_the_gap() -> None:
    design = make_design()
    found = {cell.same_as for cell in design.cells(half(list(design.factors)))}
    assert {"sync", "async-aiohttp"} <= found


def test_a_setting_that_a_factor_sets_cannot_be_set_for_all() -> None:
    with pytest.raises(ContenderError, match="SERVING_FAN_OUT is set by the factor fan_out"):
        make_design().refuse({"fan_out": "concurrent"})
    make_design().refuse({"model_cpu_ms": "5"})


def test_an_unknown_factor_or_contender_is_named_with_those_there_are() -> None:
    with pytest.raises(ContenderError, match=r"no factor 'colour'; choose from runtime, fan_out"):
        make_design(names=["colour"])
    with pytest.raises(UnknownContender, match="no contender 'nobody'; choose from sync"):
        make_design("sync", "nobody")


def test_a_contender_without_the_role_of_a_factor_is_named() -> None:
    known: dict[str, Contender] = {**KNOWN, "a": make_contender("a")}
    with pytest.raises(ContenderError, match=r"factor model_runtime: a has no process of the role 'model'"):
        Design(read_factors().model_copy(update={"to": "a"}), known, ["model_runtime"]).cell(
            frozenset({"model_runtime"})
        )


def test_a_contender_whose_value_is_no_level_is_named() -> None:
    odd = with_settings(KNOWN["sync"], {"scoring": {"SERVING_FAN_OUT": "diagonal"}})
    with pytest.raises(ContenderError, match=r"SERVING_FAN_OUT='diagonal', expected one of concurrent, sequential"):
        Design(read_factors(), {**KNOWN, "sync": odd})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('from = "sync"\n', "", "from: Field required"),
        ('process = "scoring"\n', "", "either `process` or `variable`"),
        ('role = "scoring"\n', "", "has a `role`"),
        ('title = "fan-out"\n', "", "factor.fan_out.title: Field required"),
        ('title = "fan-out"\n', 'title = "fan-out"\ncolour = 1\n', "factor.fan_out.colour: Extra inputs"),
        ('to = "pooled"', 'to = "shared"', "level 'shared' is not one of per_request, pooled"),
        ("[factor.runtime]", "[factor.runtime", "not readable as TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "factors.toml"
    text = FILE.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ContenderError, match=said) as caught:
        read_factors(path)
    assert str(path) in str(caught.value)
