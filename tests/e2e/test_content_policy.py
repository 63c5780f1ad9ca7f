"""The client runs under its content security policy without a single violation, in the browser that can tell afterwards."""

from pathlib import Path

import pytest

from tests.support import browser
from tests.support.house import spawned

pytestmark = pytest.mark.e2e

_VIOLATIONS = """
() => new Promise((resolve) => {
  const seen = [];
  const note = (reports) => reports.forEach(({body}) => seen.push(`${body.effectiveDirective} ${body.blockedURL} ${body.sourceFile}`));
  const observer = new ReportingObserver(note, {types: ["csp-violation"], buffered: true});
  observer.observe();
  setTimeout(() => { note(observer.takeRecords()); resolve(seen); }, 1500);
})
"""
_BREAK_IT = """() => { try { document.body.innerHTML = "<b>x</b>"; return "written"; } catch (error) { return error.name; } }"""


async def test_no_page_violates_the_policy_and_html_sinks_are_shut(tmp_path: Path) -> None:
    async with spawned(tmp_path, "--demo") as home, browser.chromium() as chromium:
        links = dict(line.split() for line in home.lines[:-1])
        page = await chromium.page()
        for url in (f"{home.url}/", links["trainee"], links["operator"]):
            await page.goto("about:blank")
            await page.goto(url)
            await page.until("document.querySelector('main, [role=main], form, h1') !== null")
            assert await page.run(_VIOLATIONS) == [], url
            assert await page.run(_BREAK_IT) == "TypeError"
        await page.run("() => document.head.append(Object.assign(document.createElement('style'), {textContent: 'b {}'}))")
        assert any("style-src" in violation for violation in await page.run(_VIOLATIONS)), "violations would not be seen"
