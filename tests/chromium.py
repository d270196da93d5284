"""Chromium without a window, driven through its pipe for debugging: what a page logs, asks for and shows.

Its protocol (https://chromedevtools.github.io/devtools-protocol) is JSON between zero bytes on two pipes, so
that tests need no other package.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --enable-unsafe-swiftshader "
    "--no-first-run --no-default-browser-check --disable-background-networking --disable-component-update "
    "--disable-sync --disable-extensions --metrics-recording-only --mute-audio --hide-scrollbars "
    "--disable-renderer-backgrounding --disable-background-timer-throttling --remote-debugging-pipe"
).split()
# The browser reads from 3 and writes to 4.
_AS_3_AND_4 = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], [*sys.argv[3:], "about:blank"])
"""


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


class Chromium:
    """A browser with one page; use it in a ``with``.

    Attributes
    ----------
    errors : list of str
        Errors and warnings of the console, exceptions, and what the browser itself complained of; not what
        its graphics without a graphics card say of their own speed.
    requests : list of str
        Every address that the page asked for.
    """

    def __init__(self, width: int = 1400, height: int = 900, *, dark: bool = False) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._size, self._dark = (width, height), dark
        self._count, self._session, self._read = 0, "", b""

    def __enter__(self) -> "Chromium":
        self._profile = tempfile.mkdtemp(prefix="chromium_")
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        width, height = self._size
        program = find_chromium()
        assert program, "there is no Chromium"
        flags = [*_FLAGS, f"--window-size={width},{height}", f"--user-data-dir={self._profile}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AS_3_AND_4, str(to_browser), str(from_browser), program, *flags],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self._call(f"{domain}.enable")
        self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if self._dark else "light"}],
        )
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        return self

    def __exit__(self, *about: object) -> None:
        try:
            self._session = ""
            self._call("Browser.close")
            self._process.wait(5)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._out)
        os.close(self._in)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url: str) -> None:
        """Load a page."""
        answer = self._call("Page.navigate", url=url)
        assert not answer.get("errorText"), answer["errorText"]

    def value(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = 10.0) -> Any:
        """Wait until an expression is true, and return its value."""
        ends = time.monotonic() + seconds
        while not (found := self.value(expression)):
            assert time.monotonic() < ends, f"not within {seconds:g} s: {expression}; {self.errors}"
            time.sleep(0.05)
        return found

    def screenshot(self, file: Path) -> Path:
        """Write what is seen as PNG."""
        data = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(data))
        return file

    def _call(self, method: str, **parameters: Any) -> dict:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        ends = time.monotonic() + 60.0
        while True:
            answer = self._next(ends)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def _next(self, ends: float) -> dict:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._in], [], [], max(ends - time.monotonic(), 0.0))
            if not ready:
                raise TimeoutError("the browser does not answer")
            data = os.read(self._in, 1 << 20)
            if not data:
                raise ConnectionError("the browser has ended")
            self._read += data
        text, _, self._read = self._read.partition(b"\0")
        return json.loads(text)

    def _note(self, told: dict) -> None:
        method, about = told.get("method"), told.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in {"error", "warning", "assert"}:
            self.errors.append(" ".join(str(x.get("value", x.get("description"))) for x in about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in {"error", "warning"}:
            if "GL Driver Message" not in about["entry"]["text"]:
                self.errors.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
