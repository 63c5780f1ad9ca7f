"""ICE news of a WHIP or WHEP client as SDP fragments (RFC 8840 section 9, RFC 9725 section 4.3). Pure.

A fragment is the session lines and m-lines of a description without its head. What it says beside credentials is checked for form and not
needed: we are ICE-lite and learn the client's addresses from its checks.
"""

from collections.abc import Sequence

from media import bundle
from media.codecs import Kind
from media.sdp import Malformed, parse
from media.transport import ServerTransport
from signaling.classroom.errors import Rejected

_HEAD = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\n"


def read_fragment(text: str) -> tuple[str, str]:
    """(user fragment, password) the client uses from now on; bounds as for whole descriptions. Raises Rejected("bad_sdp")."""
    try:
        fragment = parse(_HEAD + text)
    except Malformed as error:
        raise Rejected("bad_sdp") from error
    return bundle.credentials([fragment, *fragment.sections])


def write_fragment(transport: ServerTransport, lines: Sequence[tuple[str, Kind]]) -> str:
    """Our new credentials and all our candidates; `lines` are (mid, kind) of the bundled m-lines, the first one leads."""
    mid, kind = lines[0]
    attributes = [("mid", mid), ("ice-ufrag", transport.ufrag), ("ice-pwd", transport.pwd), *transport.candidates()]
    text = ["a=ice-lite", f"a=group:BUNDLE {' '.join(mid for mid, _ in lines)}", f"m={kind} 9 {bundle.PROTOCOL} 0"]
    text += [f"a={name}:{value}" if value else f"a={name}" for name, value in attributes]
    return "\r\n".join(text) + "\r\n"
