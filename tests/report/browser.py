"""Chromium without a window, driven through a pipe by its DevTools protocol; nothing to install.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 90.0
# Without --no-sandbox Chromium does not start for root, which tests are run as in containers.
_FLAGS = (
    "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run",
    "--disable-background-networking", "--hide-scrollbars", "about:blank",
)  # fmt: skip
_SOFTWARE_GL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
_NO_GL = ("--disable-gpu", "--disable-3d-apis", "--disable-software-rasterizer")


def chromium() -> str | None:
    """Return where Chromium or Chrome is, if this machine has it."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A browser with one page; ``requests`` and ``complaints`` are of all pages opened so far."""

    def __init__(self, program: str, profile: Path, *, webgl: bool = True) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number, self._unread = 0, b""
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        gl = _SOFTWARE_GL if webgl else _NO_GL

        def as_third_and_fourth() -> None:
            # Both are moved out of the way first, since either may be 3 or 4 itself.
            high = [
                os.dup2(descriptor, 100 + n) for n, descriptor in enumerate((commands, answers))
            ]
            for place, descriptor in enumerate(high, 3):
                os.dup2(descriptor, place)

        self._process = subprocess.Popen(
            [program, *_FLAGS, *gl, f"--user-data-dir={profile}", "--window-size=1280,800"],
            preexec_fn=as_third_and_fourth,  # noqa: PLW1509 - nothing else forks meanwhile
            close_fds=False,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._page: str | None = None
        pages = self._call("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in pages if each["type"] == "page")
        found = self._call("Target.attachToTarget", targetId=page, flatten=True)
        self._page = found["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._commands)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)

    def open(self, file: Path) -> None:
        """Show a file and wait until it is loaded."""
        self._call("Page.navigate", url=file.as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def value(self, expression: str) -> Any:
        """Return what JavaScript makes of the expression, as JSON."""
        result = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until the expression is true."""
        self._until(lambda: bool(self.value(expression)), expression)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page in CSS pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def printed(self) -> None:
        """Show the page as it is on paper."""
        self._call("Emulation.setEmulatedMedia", media="print")

    def picture(self, x: float, y: float, width: float, height: float) -> bytes:
        """Return a part of the whole page as PNG."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        found = self._call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def _until(self, done: Callable[[], bool], what: str) -> None:
        last = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > last:
                raise TimeoutError(f"{what}; complaints: {self.complaints}")
            time.sleep(0.1)

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._page is not None:
            message["sessionId"] = self._page
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _read(self) -> Any:
        while b"\0" not in self._unread:
            if not select.select([self._answers], [], [], PATIENCE)[0]:
                raise TimeoutError("Chromium does not answer")
            more = os.read(self._answers, 1 << 20)
            if not more:
                raise EOFError("Chromium has ended")
            self._unread += more
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def _note(self, event: Any) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith("data:"):
                self.requests.append(url)
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
            self.complaints.append(str(params["entry"]["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("warning", "error"):
            self.complaints.append(str(params["args"]))
