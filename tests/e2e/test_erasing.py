"""The operator erases a person in a real browser: look first, write the subject again, keep the signed receipt. No policy is violated."""

import time
from pathlib import Path

import pytest

from server import auth, keyring
from server.config import load
from server.erasure import receipt
from server.erasure.work import Person
from server.records.ledger import signer_of
from tests.e2e.test_content_policy import _VIOLATIONS
from tests.support import browser
from tests.support.erased import SUBJECT, a_class, bytes_left
from tests.support.house import spawned

pytestmark = pytest.mark.e2e

_AXE = (Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js").read_text("utf-8")
#: serious and critical accessibility faults of the form
_BARRIERS = f"""async () => {{
  {_AXE}
  const {{violations}} = await window.axe.run(document.querySelector('.erase'), {{resultTypes: ['violations']}});
  return violations.filter((each) => ['serious', 'critical'].includes(each.impact)).map((each) => each.id);
}}"""
_NOTE = """() => {
  const id = document.querySelector('.erase a[download]').download.replace(/^erasure-|[.]txt$/g, '');
  return fetch(`/api/v1/erasures/${id}`).then((answer) => answer.json());
}"""


async def test_an_operator_erases_a_person_and_keeps_the_receipt(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home, browser.chromium() as chromium:
        session, me = await a_class(home, "Knots")
        ring = keyring.open_ring(tmp_path / "keys" / "node.json")
        login = auth.issue(auth.Kind.OPERATOR, ring, audience="jiangtai", now=time.time(), sub="o")
        page = await chromium.page()
        await page.goto(f"{home.url}/operator#login={login}")
        await page.until("document.querySelector('.erase form') !== null")
        await page.fill(".erase form label:nth-of-type(1) input", "node")
        await page.fill(".erase form label:nth-of-type(2) input", SUBJECT)
        await page.click(".erase form:first-of-type button")
        await page.until(f"document.querySelector('.erase-list')?.textContent.includes('{session}')")
        assert await page.run("() => document.querySelector('.erase .danger').disabled")
        await page.fill(".erase form:last-of-type input", SUBJECT)
        await page.click(".erase .danger")
        await page.until("document.querySelector('.erase a[download]')?.href.startsWith('blob:')", limit=30)
        await page.run("() => document.querySelector('.erase a[download]').click()")
        assert await page.run(_VIOLATIONS) == []
        assert await page.run(_BARRIERS) == []
        note = (await page.run(_NOTE))["note"]
    assert bytes_left(tmp_path, SUBJECT, me.participant) == []
    told = receipt.opened(note, signer_of(load(environ={}, overrides={"var": str(tmp_path)})).verifier)
    assert told.complete
    assert told.is_about(Person("node", SUBJECT))
