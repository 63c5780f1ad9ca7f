"""Generated descriptions: current, complete, and true to the structs."""

import json
import pathlib
import re

import pytest

from signaling import describe, messages
from signaling.classroom.errors import CODES

ROOT = pathlib.Path(__file__).parents[3]


def test_the_generated_part_of_the_protocol_is_current() -> None:
    text = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
    assert describe.protocol(text) == text, "run: python -m signaling.messages docs"


def test_the_generated_types_of_the_web_client_are_current() -> None:
    text = (ROOT / "web/src/protocol/types.gen.ts").read_text(encoding="utf-8")
    assert describe.typescript() == text, "run: python -m signaling.messages typescript > web/src/protocol/types.gen.ts"


def test_the_protocol_names_every_command_event_and_code() -> None:
    text = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
    for kind in (*messages.COMMANDS, *messages.EVENTS, *messages.REQUESTS, *messages.SIGNALS):
        assert f"`{kind.__struct_config__.tag}`" in text
    for code in CODES:
        assert f"| `{code}` |" in text


def test_the_written_part_is_kept() -> None:
    assert describe.protocol("mine\n<!-- generated -->\nold\n").startswith("mine\n<!-- generated -->\n\n### Commands")
    with pytest.raises(ValueError, match="missing"):
        describe.protocol("no mark")


def test_types_have_optional_fields_where_defaults_may_be_left_out() -> None:
    text = describe.typescript()
    assert re.search(
        r'interface PostChat \{\n  type: "post_chat";\n  text: string;\n  channel\?: Channel;\n  to\?: string \| null;\n\}', text
    )
    assert re.search(r"interface Permissions \{\n  microphone: boolean;", text)
    assert "  event: ClassEvent;" in text
    assert "  events: Entry[];" in text


def test_every_interface_of_the_types_is_defined_once() -> None:
    text = describe.typescript()
    defined = re.findall(r"^export (?:interface|type) (\w+)", text, re.M)
    assert len(defined) == len(set(defined))
    used = set(re.findall(r": (?:\()?([A-Z]\w+)", text)) - {"Partial"}
    assert used <= set(defined)


def test_the_schema_covers_all_messages() -> None:
    schema = json.loads(json.dumps(describe.schema()))
    assert len(schema["$defs"]["Command"]["anyOf"]) == len(messages.COMMANDS)
    assert schema["$defs"]["PostChat"]["additionalProperties"] is False
    references = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
    assert references <= set(schema["$defs"])


def test_the_command_line_prints_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert messages.main(["typescript"]) == 0
    assert capsys.readouterr().out == describe.typescript()
    assert messages.main([]) == 2
    assert "usage" in capsys.readouterr().err
