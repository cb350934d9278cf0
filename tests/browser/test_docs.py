"""The pages of the four services work in a browser without internet access."""

import json
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from benchmark.stack.processes import HOST
from contract import schema
from tests.browser.conftest import OTHER_NAME, Seen
from tests.conftest import Stacks

pytestmark = pytest.mark.browser

TWINS = ["sync", "async"]


@dataclass(frozen=True)
class Service:
    twin: str
    port: int

    def url(self, path: str, host: str = HOST) -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture(params=[(twin, role) for twin in TWINS for role in ("scoring", "model")], ids=" ".join)
def service(request: pytest.FixtureRequest, stacks: Stacks) -> Service:
    """Each of the four services, running."""
    twin, role = request.param
    return Service(twin, stacks.get(twin).port(role))


def try_out(page: Page) -> str:
    """Execute the example of `predict` in Swagger UI; return the body of the answer."""
    operation = page.locator("#operations-default-predict")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table tbody tr").first
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    return answer.locator(".highlight-code code").inner_text()


def test_predict_can_be_tried_out_in_the_docs(page: Page, seen: Seen, service: Service) -> None:
    page.goto(service.url(schema.DOCS_PATH))
    answer = json.loads(try_out(page))
    assert 0.040 <= answer["detail"] <= 0.050
    assert service.url(schema.predict_path(service.twin)) in seen.urls
    assert seen.hosts == {HOST}
    assert seen.errors == []


def test_the_docs_show_every_endpoint(page: Page, service: Service) -> None:
    page.goto(service.url(schema.DOCS_PATH))
    paths = page.locator(".opblock-summary-path")
    expect(paths).to_have_count(3)
    shown = {path.replace("\u200b", "") for path in paths.all_inner_texts()}
    assert shown == {schema.HEALTHCHECK_PATH, schema.READY_PATH, schema.predict_path(service.twin)}
    expect(page.locator(".errors-wrapper")).to_have_count(0)


@pytest.mark.parametrize("twin", TWINS)
def test_the_docs_work_under_another_name_and_ask_nobody_else(
    page: Page, seen: Seen, twin: str, stacks: Stacks
) -> None:
    service = Service(twin, stacks.get(twin).port("scoring"))
    page.goto(service.url(schema.DOCS_PATH, OTHER_NAME))
    assert "detail" in try_out(page)
    assert seen.hosts == {OTHER_NAME}
    assert seen.errors == []


def test_every_link_of_the_index_leads_somewhere(page: Page, seen: Seen, service: Service) -> None:
    page.goto(service.url(schema.INDEX_PATH))
    assert service.twin in page.title()
    assert seen.errors == []
    links = [link.get_attribute("href") for link in page.locator("a").all()]
    assert set(links) == {schema.HEALTHCHECK_PATH, schema.READY_PATH, schema.OPENAPI_PATH, schema.DOCS_PATH}
    for link in links:
        page.goto(service.url(schema.INDEX_PATH))
        with page.expect_response(service.url(link or "")) as arrived:
            page.locator(f'a[href="{link}"]').click()
        assert arrived.value.status == 200
    assert seen.hosts == {HOST}


def test_what_a_page_asks_of_others_is_seen_and_goes_nowhere(page: Page, seen: Seen) -> None:
    """The control of the tests above."""
    page.set_content('<img src="http://elsewhere.test/x.png">')
    assert seen.hosts == {"elsewhere.test"}
    assert any("ERR_NAME_NOT_RESOLVED" in error for error in seen.errors)


def test_a_script_that_somebody_puts_into_a_page_does_not_run(page: Page, seen: Seen, service: Service) -> None:
    for path in (schema.INDEX_PATH, schema.DOCS_PATH):
        page.goto(service.url(path))
        page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.ran = true";
                document.body.append(script);
            }"""
        )
        assert page.evaluate("window.ran") is None
        assert any("Content Security Policy" in error for error in seen.errors)
        seen.errors.clear()
