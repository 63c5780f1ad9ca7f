import pytest

from server import problems
from signaling.classroom.errors import CODES


@pytest.mark.parametrize("code", sorted({*CODES, *problems._OWN}))
def test_every_code_has_a_body_and_a_status(code: str) -> None:
    body = problems.body_of(code).error
    assert body.code == code
    assert body.retry in ("never", "later", "now")
    assert body.message
    assert 400 <= problems.status_of(code) < 600


def test_codes_the_classroom_knows_keep_its_retry() -> None:
    for code, (_, retry, _) in problems._OWN.items():
        if code in CODES:
            assert retry == CODES[code], code
