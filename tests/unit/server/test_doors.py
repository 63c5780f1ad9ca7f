"""News of the media plane find the connection they are for."""

from collections.abc import Mapping
from typing import Any

from server.doors import LateSignals
from tests.support.bare import Heard

NEWS = {"type": "media", "state": "closed", "side": "publish"}


def test_a_connection_without_a_socket_has_a_listener_until_it_does_not() -> None:
    signals, heard, gateway = LateSignals(), list[Mapping[str, Any]](), Heard()
    signals.listen("encoder", heard.append)
    signals.to_connection("class", "encoder", NEWS)
    assert heard == [NEWS]
    signals.target = gateway
    signals.to_connection("class", "encoder", NEWS)
    signals.to_connection("class", "browser", NEWS)
    signals.to_all("class", NEWS)
    assert (len(heard), [who for who, _ in gateway.all]) == (2, ["browser", "*"])
    signals.unlisten("encoder")
    signals.unlisten("encoder")
    signals.to_connection("class", "encoder", NEWS)
    assert (len(heard), gateway.all[-1][0]) == (2, "encoder")


def test_without_a_gateway_news_are_lost_quietly() -> None:
    signals = LateSignals()
    signals.to_all("class", NEWS)
    signals.to_staff("class", NEWS)
    signals.to_participant("class", "ann", NEWS)
    signals.to_connection("class", "browser", NEWS)
