"""A real browser that tests drive: headless Chromium over its debugging pipe, with mouse and keys, without a network."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "no chromium; install it with: apt-get install chromium"
_PATIENCE_S = 60.0
_KEYS = {
    "Enter": "\r",
    "Escape": "",
    "Backspace": "",
    "ArrowUp": "",
    "ArrowDown": "",
    "ArrowLeft": "",
    "ArrowRight": "",
}


class Browser:
    """One browser with one page. Use as a context manager; `errors` collects what the page's scripts raised."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 900):
        # The browser reads commands from its descriptor 3 and answers on 4, each message ended by a zero byte.
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        inside = (to_read, to_write)
        options = (
            f"--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --window-size={width},{height}"
        )
        words = [CHROMIUM, *options.split(), f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND"]
        line = f'exec "$@" 3<&{inside[0]} 4>&{inside[1]}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, "bash", *words, "--remote-debugging-pipe", "about:blank"],
            pass_fds=inside,
            stderr=subprocess.DEVNULL,
        )
        for end in inside:
            os.close(end)
        self._numbers, self._buffer, self._events, self.errors = itertools.count(1), b"", [], []
        self.requests = []
        page = next(target for target in self._ask("Target.getTargets")["targetInfos"] if target["type"] == "page")
        self._session = None
        attached = self._ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self._ask(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        os.close(self._write)
        self._process.terminate()
        self._process.wait(20)
        os.close(self._read)

    def open(self, page: Path, address: str = ""):
        """Load a file; `address` is what stands behind its name."""
        self._events.clear()
        # Another address of the same file is no new page.
        self._ask("Page.navigate", url="about:blank")
        self._await("Page.loadEventFired")
        self._ask("Page.navigate", url=f"{page.as_uri()}{address}")
        self._await("Page.loadEventFired")

    def value(self, script: str):
        """The value of a JavaScript expression in the page."""
        said = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def click(self, script: str):
        """Press and release the mouse in the middle of the element that an expression gives."""
        self._mouse(script, "mousePressed", "mouseReleased")

    def hover(self, script: str):
        """Move the mouse to the middle of an element."""
        self._mouse(script, "mouseMoved")

    def key(self, name: str):
        """Press a key, by its name or the character that it writes."""
        text = _KEYS.get(name, name)
        code = {"Enter": 13, "Backspace": 8}.get(name, 0)
        about = {"key": name, "windowsVirtualKeyCode": code}
        self._ask("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self._ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def write(self, text: str):
        """Type into what has the focus."""
        for character in text:
            self.key(character)

    def choose(self, chooser: str, value: str):
        """Choose an option of a <select>, by its value."""
        change = "dispatchEvent(new Event('change', { bubbles: true }))"
        self.value(
            f"(() => {{ const it = document.getElementById('{chooser}'); it.value = '{value}'; it.{change}; }})()"
        )

    def media(self, kind: str = "", scheme: str = "light"):
        """Show the page as on paper ("print") or on a screen, light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._ask("Emulation.setEmulatedMedia", media=kind, features=features)

    def size(self, width: int, height: int):
        """Change the window."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path):
        """Write what the window shows as a PNG file."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

    def print_to_pdf(self) -> bytes:
        """The page as it would be printed."""
        return base64.b64decode(self._ask("Page.printToPDF", landscape=True)["data"])

    def _mouse(self, script, *kinds):
        middle = "(r => [r.left + r.width / 2, r.top + r.height / 2])"
        find = f"(() => {{ const it = {script}; it.scrollIntoView({{ block: 'nearest' }}); "
        x, y = self.value(f"{find} return {middle}(it.getBoundingClientRect()); }})()")
        for kind in kinds:
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def _ask(self, method, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == number:
                assert "error" not in said, (method, said["error"])
                return said["result"]

    def _await(self, event):
        while event not in self._events:
            self._next()
        self._events.remove(event)

    def _next(self):
        deadline = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has gone"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        said = json.loads(message)
        if "method" in said:
            self._events.append(said["method"])
        if said.get("method") == "Runtime.exceptionThrown":
            self.errors.append(said["params"]["exceptionDetails"])
        if said.get("method") == "Network.requestWillBeSent":
            self.requests.append(said["params"]["request"]["url"])
        return said
