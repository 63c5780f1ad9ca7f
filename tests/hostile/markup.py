"""Texts that are programs to whatever takes them for more than text: made by rule from elements, breakouts, addresses and spellings."""

import html
import itertools
import json
from urllib.parse import quote

#: what each of them would call
CALL = "ran(1)"


def corpus() -> list[str]:
    """Texts that call `ran` once something takes them for HTML, an attribute, a URL, a script, a template or a translation."""
    return list(dict.fromkeys([*_elements(), *_breakouts(), *_urls(), *_spelt_otherwise(), *_for_frameworks(), *_of_characters()]))


def _elements() -> list[str]:
    """Elements that run something by being there, each with several ways to separate and to end its attribute."""
    events = [
        ("img src=x", "onerror"), ("svg", "onload"), ("body", "onload"), ("video><source", "onerror"), ("audio src=x", "onerror"),
        ("input autofocus", "onfocus"), ("select autofocus", "onfocus"), ("textarea autofocus", "onfocus"), ("details open", "ontoggle"),
        ("iframe src=about:blank", "onload"), ("marquee", "onstart"), ("object data=x", "onerror"), ("embed src=x", "onerror"),
        ("style", "onload"), ("link rel=stylesheet href=x", "onerror"), ("svg><animate attributeName=x dur=1s", "onbegin"),
        ("svg><set attributeName=x", "onbegin"), ("p style=animation-name:a", "onanimationstart"), ("button popover autofocus", "onfocus"),
        ("math><maction", "onclick"), ("dialog open", "onclose"), ("form><button", "onclick"), ("img srcset=x", "onerror"),
        ("image href=x", "onerror"), ("x contenteditable autofocus", "onfocus"),
    ]  # fmt: skip
    shapes = ["<{e} {h}={c}>", "<{e}/{h}='{c}'//>", '<{e}\n{h}\n=\n"{c}">', "<{e}\f{H}=`{c}`>"]
    return [shape.format(e=e, h=h, H=h.upper(), c=CALL) for (e, h), shape in itertools.product(events, shapes)]


def _breakouts() -> list[str]:
    """Ends of what a text may stand in, and then an element."""
    before = [
        "\"'>", "'\"", "</textarea>", "</title>", "</style>", "</script>", "</noscript>", "</template>", "</xmp>", "</iframe>", "-->",
        "--!>", "]]>", "</svg>", "</math><mtext>", "*/", "}}", "</p></li></ul>", "<!--", "<![CDATA[", "<?xml ?>", "</select><table>",
    ]  # fmt: skip
    after = [f"<img src=x onerror={CALL}>", f"<script>{CALL}</script>"]
    return [first + second for first, second in itertools.product(before, after)]


def _urls() -> list[str]:
    """Addresses that are programs, alone and where an address belongs."""
    schemes = [
        f"javascript:{CALL}", f"JaVaScRiPt:{CALL}", f"java\tscript:{CALL}", f"\x01javascript:{CALL}", f"javascript&colon;{CALL}",
        f"javascript://x%0a{CALL}", f"data:text/html,<script>parent.{CALL}</script>", f"vbscript:{CALL}", f"view-source:javascript:{CALL}",
        f"blob:javascript:{CALL}", "//127.0.0.1:9/x.js", "https://127.0.0.1:9/x.gif",
    ]  # fmt: skip
    places = [
        "{}", '<iframe src="{}"></iframe>', '<a href="{}" autofocus>x</a>', '<form action="{}"><button>x', '<object data="{}">',
        '<meta http-equiv=refresh content="0;url={}">', "[x]({})",
    ]  # fmt: skip
    return [spot.format(scheme) for scheme, spot in itertools.product(schemes, places)]


def _spelt_otherwise() -> list[str]:
    """One element, written in all the ways decoders undo."""
    plain = f"<img src=x onerror={CALL}>"
    units = plain.encode("utf-16-be")
    return [
        html.escape(plain), html.escape(html.escape(plain)), quote(plain), quote(quote(plain)), "".join(f"&#{ord(c)};" for c in plain),
        "".join(f"&#x{ord(c):x}" for c in plain), "".join(f"\\x{ord(c):02x}" for c in plain), "".join(f"\\u{ord(c):04x}" for c in plain),
        plain.replace("<", "\uff1c").replace(">", "\uff1e"), plain.replace("<", "\u2039").replace("=", "\uff1d"),
        plain.replace("<", "+ADw-").replace(">", "+AD4-"), "\ufeff" + plain, plain.replace("i", "\u0131"), plain.replace("s", "\u017f"),
        "\u202e" + plain[::-1], plain.replace("onerror", "on\u200berror"), plain.replace(" ", "\u00a0"), plain.replace(" ", "\u3000"),
        json.dumps(plain), json.dumps({"html": plain}), units.decode("latin-1").replace("\0", "\u2400"), f"<{plain}",
        plain * 5, f"\r\n\r\n{plain}",
        f"<scr<script>ipt>{CALL}</scr</script>ipt>", f"<img src=x onerror=\\\"{CALL}\\\">", f"<img src='x\\' onerror={CALL}//'>",
    ]  # fmt: skip


def _for_frameworks() -> list[str]:
    """What template languages, translation functions and object readers would follow."""
    return [
        "{{constructor.constructor('ran(1)')()}}", "{{ran(1)}}", "${ran(1)}", "#{ran(1)}", "<%= ran(1) %>", "[[ran(1)]]", "{ran(1)}",
        "{%raw%}",
        "{{name}}", "{{count}}", "$t(class.leave)", "$t(role.trainer, {\"count\": 2})", "{{- name}}", "%s %d %j", "__proto__",
        "constructor",
        '{"$$typeof":"Symbol(react.element)","type":"script","props":{"children":"ran(1)"}}', "dangerouslySetInnerHTML", "[object Object]",
        "v-html=ran(1)", "ng-app ng-csp", "<x ng-click=$event.view.ran(1)>", "<div data-bind=\"html: ran(1)\">", "@import 'x'",
        "expression(ran(1))",
        "'-ran(1)-'", "\";ran(1)//", "\\';ran(1)//", "`+ran(1)+`", "1;ran(1)", "eval(name)", "import('data:text/javascript,ran(1)')",
    ]  # fmt: skip


def _of_characters() -> list[str]:
    """Texts that are hard to show rather than dangerous."""
    return [
        "Ω≈ç√∫˜µ≤≥÷", "‮desrever‬", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳", "﷽" * 8, "👩‍👩‍👧‍👦" * 10, "𝔉𝔯𝔞𝔨𝔱𝔲𝔯", "ﬁﬂﬀ", "ab\u2028cd\u2029ef", "\U000e0041tag", "ᚠᛇᚻ᛫ᛒᛦᚦ",
        "السلام عليكم <b>x</b>", "a" * 2_000, "WWWWWWWWWW" * 12, "\u200f\u200e\u202a\u202b x", "tab\tand\vfeed", "  spaces   inside  ",
    ]  # fmt: skip
