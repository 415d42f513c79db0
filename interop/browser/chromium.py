"""Chromium, headless, over a pipe (--remote-debugging-pipe): the DevTools protocol with nothing but Python's own library."""

import json
import os
import select
import subprocess
import tempfile
import time
import traceback

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]
ANSWER_SECONDS_MAX = 60


class Chromium:
    """A browser, for a `with` statement."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        their_in, self.to = os.pipe()
        self.from_, their_out = os.pipe()

        # Chromium reads commands from 3 and writes answers to 4. First out of the way of both.
        def pipes():
            reading, writing = os.dup2(their_in, 103), os.dup2(their_out, 104)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={self.folder.name}", "about:blank"],
            preexec_fn=pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_in)
        os.close(their_out)
        self.number, self.rest, self.events = 0, b"", []
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.from_)
        self.folder.cleanup()

    def call(self, method, session=None, **params):
        """Sends a command and gives its result; events that come meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data) :]
        while True:
            answer = self.read(ANSWER_SECONDS_MAX)
            if answer is None:
                raise TimeoutError(f"{method}: no answer")
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method, session):
        """Waits for an event."""
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            for event in self.events:
                if event.get("method") == method and event.get("sessionId") == session:
                    return event["params"]
            event = self.read(until - time.monotonic())
            if event is None:
                raise TimeoutError(f"{method}: it did not come")
            self.events.append(event)

    def read(self, seconds):
        while b"\0" not in self.rest:
            if not select.select([self.from_], [], [], max(0, seconds))[0]:
                return None
            data = os.read(self.from_, 1 << 20)
            if not data:
                raise RuntimeError("chromium went away")
            self.rest += data
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)


class Page:
    """A page that is open: what it asked for, what it complained of, what it measures."""

    def __init__(self, browser, path, width=1180, scheme="light", media=""):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Network", "Runtime", "Log"]:
            self.call(f"{domain}.enable")
        scheme = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=scheme)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.url = path.resolve().as_uri()
        self.call("Page.navigate", url=self.url)
        browser.wait("Page.loadEventFired", self.session)
        # What a page does after it has loaded.
        self.evaluate("new Promise(done => setTimeout(done, 150))")

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def seen(self, *methods):
        mine = (event for event in self.browser.events if event.get("sessionId") == self.session)
        return [event["params"] for event in mine if event["method"] in methods]

    def complaints(self):
        """Messages on the console, exceptions, and what the browser itself logs of the page."""
        return self.seen("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")

    def requests(self):
        """Addresses asked for, the page's own apart."""
        asked = [event["request"]["url"] for event in self.seen("Network.requestWillBeSent")]
        return [url for url in asked if url != self.url]

    def overflow(self):
        """Pixels by which the page is wider than its window."""
        return self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def run(names, words):
    """Runs the tests among these names, each in a browser of its own; of those alone that hold one of the words, if there are any.
    The exit status."""
    tests = [(name, test) for name, test in names.items() if name.startswith("test_") and callable(test)]
    tests = [(name, test) for name, test in tests if not words or any(word in name for word in words)]
    began, failed = time.monotonic(), 0
    for name, test in tests:
        try:
            with Chromium() as browser:
                test(browser)
            print(f"{name} passed", flush=True)
        except Exception:  # noqa: BLE001: whatever went wrong, the test has failed
            failed += 1
            print(f"{name} FAILED\n{traceback.format_exc()}", flush=True)
    print(f"==== {len(tests) - failed} passed, {failed} failed in {time.monotonic() - began:.2f}s ====")
    return 1 if failed else 0
