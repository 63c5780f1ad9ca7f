"""Real browsers, driven over their own remote protocols: Chromium by CDP, Firefox by WebDriver BiDi. One small interface for both.

A `Browser` is one process with a fresh profile; a `Page` is one isolated person in it (own cookies, own window). Everything is awaited
with a limit; clicks are real input events at a place where the element is visible, enabled and on top.
"""

import asyncio
import base64
import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from media.addresses import local_addresses

CHROMIUM = "/usr/bin/chromium"
FIREFOX = "/usr/bin/firefox-esr"
LIMIT = 40.0

#: Finds the first visible element by CSS selector and, optionally, exact or contained text or accessible name.
_FIND = """
(selector, text) => {
  const names = (e) => [e.getAttribute("aria-label"), e.getAttribute("title"), e.textContent, e.value]
    .filter((n) => typeof n === "string").map((n) => n.replace(/\\s+/g, " ").trim());
  const shown = (e) => { const r = e.getBoundingClientRect(); const s = getComputedStyle(e);
    return r.width > 0 && r.height > 0 && s.visibility !== "hidden" && s.display !== "none"; };
  const all = [...document.querySelectorAll(selector)].filter(shown);
  if (text === null) return all[0] ?? null;
  return all.find((e) => names(e).includes(text)) ?? all.find((e) => names(e).some((n) => n.includes(text))) ?? null;
}
"""
_AIM = (
    "async (selector, text, limit) => { const find = "
    + _FIND
    + """;
  const end = performance.now() + limit; let last = null, why = "not found";
  while (performance.now() < end) {
    const e = find(selector, text);
    if (e) {
      const b = e.getBoundingClientRect();
      if (b.top < 0 || b.left < 0 || b.bottom > innerHeight || b.right > innerWidth) e.scrollIntoView({block: "nearest"});
      const r = e.getBoundingClientRect(); const at = {x: Math.round(r.x + r.width / 2), y: Math.round(r.y + r.height / 2)};
      const top = document.elementFromPoint(at.x, at.y);
      if (e.disabled || e.getAttribute("aria-disabled") === "true") why = "disabled";
      else if (!top || !(e.contains(top) || top.contains(e))) why = "covered by " + (top && (top.tagName + "." + top.className));
      else if (last && last.x === at.x && last.y === at.y) return at;
      else why = "moving";
      last = at;
    }
    await new Promise((next) => setTimeout(next, 30));
  }
  throw new Error(`cannot click ${selector} ${text ?? ""}: ${why}`);
}
"""
)
_UNTIL = """
async (limit) => { const end = performance.now() + limit; let failure = null;
  while (performance.now() < end) {
    try { const value = await (EXPRESSION); if (value) return value; failure = null; } catch (error) { failure = error; }
    await new Promise((next) => setTimeout(next, 50));
  }
  throw new Error("never true: " + SOURCE + (failure ? " (" + failure + ")" : ""));
}
"""


class ScriptError(AssertionError):
    """The page threw."""


class Wire:
    """Numbered requests over one WebSocket; events go to `heard` (the newest 2000)."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self.heard: list[dict[str, Any]] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            data = json.loads(message.data)
            if data.get("id") in self._waiting:
                self._waiting.pop(data["id"]).set_result(data)
            elif "method" in data:
                self.heard.append(data)
                del self.heard[:-2000]
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the browser went away"))

    async def call(self, method: str, params: dict[str, Any] | None = None, *, limit: float = LIMIT, **extra: Any) -> dict[str, Any]:
        self._next += 1
        ident = self._next
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[ident] = future
        await self._socket.send_json({"id": ident, "method": method, "params": params or {}, **extra})
        try:
            answer = await asyncio.wait_for(future, limit)
        finally:
            self._waiting.pop(ident, None)
        if "error" in answer:
            raise ScriptError(f"{method}: {answer.get('message') or answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def close(self) -> None:
        self._reader.cancel()
        await self._socket.close()


class Driver(Protocol):
    """What differs between the two protocols, for one page."""

    async def navigate(self, url: str) -> None: ...
    async def run(self, expression: str, limit: float) -> Any: ...
    async def click_at(self, x: int, y: int) -> None: ...
    async def type_text(self, text: str) -> None: ...
    async def press(self, key: str) -> None: ...
    async def picture(self) -> bytes: ...
    async def resize(self, width: int, height: int) -> None: ...
    async def close(self) -> None: ...


class Page:
    """One person's window."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def goto(self, url: str) -> None:
        await self._driver.navigate(url)

    async def reload(self) -> None:
        """Load the page anew; returns when the old one can no longer be mistaken for it."""
        await self.run("() => { window.former = true; location.reload(); }")
        await self.until("window.former === undefined")

    async def run(self, function: str, *arguments: Any, limit: float = LIMIT) -> Any:
        """Call a JavaScript function (its source) with JSON arguments and return its awaited JSON value; counts as a user gesture."""
        return await self._driver.run(f"({function})(...{json.dumps(arguments)})", limit)

    async def until(self, expression: str, *, limit: float = LIMIT) -> Any:
        """Wait until a JavaScript expression (which may await) is truthy; returns its value."""
        function = _UNTIL.replace("EXPRESSION", expression).replace("SOURCE", json.dumps(expression))
        return await self.run(function, limit * 1000, limit=limit + 5)

    async def click(self, selector: str, text: str | None = None, *, limit: float = 10) -> None:
        at = await self.run(_AIM, selector, text, limit * 1000, limit=limit + 5)
        await self._driver.click_at(at["x"], at["y"])

    async def see(self, selector: str, text: str | None = None, *, limit: float = 10) -> None:
        """Wait until such an element is visible."""
        await self.until(f"!!({_FIND})({json.dumps(selector)}, {json.dumps(text)})", limit=limit)

    async def miss(self, selector: str, text: str | None = None, *, limit: float = 10) -> None:
        """Wait until no such element is visible."""
        await self.until(f"!({_FIND})({json.dumps(selector)}, {json.dumps(text)})", limit=limit)

    async def fill(self, selector: str, value: str) -> None:
        """Click a text field, empty it, type."""
        await self.click(selector)
        await self.run("(s) => { const e = document.querySelector(s); e.select?.(); }", selector)
        await self._driver.type_text(value)

    async def press(self, key: str) -> None:
        await self._driver.press(key)

    async def resize(self, width: int, height: int) -> None:
        await self._driver.resize(width, height)

    async def screenshot(self, path: Path) -> None:
        path.write_bytes(await self._driver.picture())

    async def close(self) -> None:
        await self._driver.close()


class Browser(Protocol):
    async def page(self, width: int = 1280, height: int = 800, preload: str = "") -> Page:
        """A new person's window; `preload` is a script that runs before any of the pages'."""
        ...


class _ChromiumPage:
    def __init__(self, wire: Wire, target: str, session: str, context: str) -> None:
        self._wire, self._target, self._session, self._context = wire, target, session, context

    async def _call(self, method: str, params: dict[str, Any] | None = None, limit: float = LIMIT) -> dict[str, Any]:
        return await self._wire.call(method, params, limit=limit, sessionId=self._session)

    async def navigate(self, url: str) -> None:
        await self._call("Page.navigate", {"url": url})
        await self.run(
            f"new Promise((ok) => {{ const look = () => document.readyState === 'complete' && location.href.startsWith("
            f"{json.dumps(url.split('#')[0])}.slice(0, 8)) ? ok(true) : setTimeout(look, 20); look(); }})",
            LIMIT,
        )

    async def run(self, expression: str, limit: float) -> Any:
        params = {"expression": expression, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        for attempt in (1, 2, 3):
            try:
                answer = await self._call("Runtime.evaluate", params, limit)
                break
            except ScriptError as error:
                # A navigation between question and answer takes the page's world away; ask the new one.
                if attempt == 3 or not re.search(r"context was destroyed|Cannot find context|navigated or closed", str(error)):
                    raise
                await asyncio.sleep(0.1)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise ScriptError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    async def click_at(self, x: int, y: int) -> None:
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            buttons = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
            await self._call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **buttons})

    async def type_text(self, text: str) -> None:
        await self._call("Input.insertText", {"text": text})

    async def press(self, key: str) -> None:
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        text = {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "code": key, "windowsVirtualKeyCode": codes.get(key, 0)}
        await self._call("Input.dispatchKeyEvent", {"type": "keyDown", **common, **text})
        await self._call("Input.dispatchKeyEvent", {"type": "keyUp", **common})

    async def picture(self) -> bytes:
        return base64.b64decode((await self._call("Page.captureScreenshot", {"format": "png"}))["data"])

    async def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self._call("Emulation.setDeviceMetricsOverride", size)

    async def close(self) -> None:
        await self._wire.call("Target.closeTarget", {"targetId": self._target})
        await self._wire.call("Target.disposeBrowserContext", {"browserContextId": self._context})


class Chromium:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def page(self, width: int = 1280, height: int = 800, preload: str = "") -> Page:
        context = (await self._wire.call("Target.createBrowserContext"))["browserContextId"]
        made = await self._wire.call(
            "Target.createTarget",
            {"url": "about:blank", "browserContextId": context, "newWindow": True, "width": width, "height": height},
        )
        attached = await self._wire.call("Target.attachToTarget", {"targetId": made["targetId"], "flatten": True})
        page = _ChromiumPage(self._wire, made["targetId"], attached["sessionId"], context)
        await page._call("Page.enable")
        if preload:
            await page._call("Page.addScriptToEvaluateOnNewDocument", {"source": preload})
        await page.resize(width, height)
        return Page(page)


class _FirefoxPage:
    def __init__(self, wire: Wire, context: str, user: str) -> None:
        self._wire, self._context, self._user = wire, context, user

    async def navigate(self, url: str) -> None:
        await self._wire.call("browsingContext.navigate", {"context": self._context, "url": url, "wait": "complete"})

    async def run(self, expression: str, limit: float) -> Any:
        # Values travel as JSON text: BiDi's own object encoding would need a decoder of its own.
        wrapped = f"(async () => JSON.stringify((await ({expression})) ?? null))()"
        params = {"expression": wrapped, "target": {"context": self._context}, "awaitPromise": True, "userActivation": True}
        answer = await self._wire.call("script.evaluate", params, limit=limit)
        if answer["type"] == "exception":
            raise ScriptError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    async def _act(self, source: dict[str, Any]) -> None:
        await self._wire.call("input.performActions", {"context": self._context, "actions": [source]})

    async def click_at(self, x: int, y: int) -> None:
        steps = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        await self._act({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps})

    async def type_text(self, text: str) -> None:
        steps = [{"type": kind, "value": char} for char in text for kind in ("keyDown", "keyUp")]
        await self._act({"type": "key", "id": "keys", "actions": steps})

    async def press(self, key: str) -> None:
        char = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004"}.get(key, key)
        await self.type_text(char)

    async def picture(self) -> bytes:
        return base64.b64decode((await self._wire.call("browsingContext.captureScreenshot", {"context": self._context}))["data"])

    async def resize(self, width: int, height: int) -> None:
        size = {"context": self._context, "viewport": {"width": width, "height": height}}
        await self._wire.call("browsingContext.setViewport", size)

    async def close(self) -> None:
        await self._wire.call("browsingContext.close", {"context": self._context})
        await self._wire.call("browser.removeUserContext", {"userContext": self._user})


class Firefox:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def page(self, width: int = 1280, height: int = 800, preload: str = "") -> Page:
        user = (await self._wire.call("browser.createUserContext"))["userContext"]
        made = await self._wire.call("browsingContext.create", {"type": "window", "userContext": user})
        page = _FirefoxPage(self._wire, made["context"], user)
        if preload:
            script = {"functionDeclaration": f"() => {{ {preload} }}", "contexts": [made["context"]]}
            await self._wire.call("script.addPreloadScript", script)
        await page.resize(width, height)
        return Page(page)


@contextlib.asynccontextmanager
async def _process(command: Sequence[str], ready: str, profile: str) -> AsyncIterator[str]:
    """Start a browser, yield what `ready` matched on its error output, end it and its profile."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, limit=1 << 20
    )
    assert process.stderr is not None
    errors = process.stderr

    async def first_match() -> str:
        async for line in errors:
            if found := re.search(ready, line.decode(errors="replace")):
                return found[1]
        raise RuntimeError(f"{command[0]} did not start")

    async def swallow() -> None:
        while await errors.read(1 << 16):
            pass

    drain: asyncio.Task[None] | None = None
    try:
        url = await asyncio.wait_for(first_match(), 60)
        drain = asyncio.create_task(swallow())
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
        if drain is not None:
            await drain
        shutil.rmtree(profile, ignore_errors=True)


@contextlib.asynccontextmanager
async def chromium(*flags: str, video: Path | None = None, audio: Path | None = None) -> AsyncIterator[Chromium]:
    """A Chromium whose camera and microphone play `video` (y4m or mjpeg) and `audio` (wav) in a loop, or Chromium's own test pattern."""
    profile = tempfile.mkdtemp(prefix="chromium-")
    files = [f"--use-file-for-fake-video-capture={video}"] if video else []
    files += [f"--use-file-for-fake-audio-capture={audio}"] if audio else []
    command = [
        CHROMIUM,
        *["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
        *["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0", "--mute-audio"],
        *["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
        # Like people's browsers it keeps off loopback, unless there is nothing else.
        *(["--allow-loopback-in-peer-connection"] if local_addresses() == ["127.0.0.1"] else []),
        *["--disable-background-timer-throttling", "--disable-renderer-backgrounding"],
        *["--disable-backgrounding-occluded-windows", "--autoplay-policy=no-user-gesture-required"],
        f"--user-data-dir={profile}",
        *files,
        *flags,
        "about:blank",
    ]
    async with (
        _process(command, r"DevTools listening on (ws://\S+)", profile) as url,
        aiohttp.ClientSession() as session,
        session.ws_connect(url, max_msg_size=0) as socket,
    ):
        wire = Wire(socket)
        try:
            yield Chromium(wire)
        finally:
            await wire.close()


_FIREFOX_PREFERENCES: dict[str, Any] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "media.cubeb.backend": "null",
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.sessionstore.resume_from_crash": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.min_background_timeout_value": 10,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
    "widget.windows.window_occlusion_tracking.enabled": False,
}


@contextlib.asynccontextmanager
async def firefox(**preferences: Any) -> AsyncIterator[Firefox]:
    """A Firefox with its fake camera and microphone; underscores in preference names stand for dots."""
    profile = tempfile.mkdtemp(prefix="firefox-")
    wishes = _FIREFOX_PREFERENCES | {name.replace("_", "."): value for name, value in preferences.items()}
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wishes.items())
    Path(profile, "user.js").write_text("".join(lines))
    command = [FIREFOX, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
    async with (
        _process(command, r"WebDriver BiDi listening on (ws://\S+)", profile) as url,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/session", max_msg_size=0) as socket,
    ):
        wire = Wire(socket)
        try:
            await wire.call("session.new", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}})
            yield Firefox(wire)
        finally:
            await wire.close()
