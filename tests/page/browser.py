"""Headless Chromium through chromedriver: WebDriver is JSON over HTTP, so nothing more than Python is needed."""
import base64
import http.client
import json
import os
import re
import shutil
import tempfile

import procs
from cluster import wait_for


def missing():
    """Why there is no browser here; None: there is one."""
    lacks = [p for p in ("chromium", "chromedriver") if not shutil.which(p)]
    return "no %s here: make page-test installs it" % " and no ".join(lacks) if lacks else None


class Browser:
    def __init__(self, directory):
        self.log = os.path.join(str(directory), "chromedriver.log")
        self.profile = tempfile.mkdtemp(prefix="onced-chromium-")
        with open(self.log, "wb") as log:
            self.process = procs.spawn(["chromedriver", "--port=0"], stdout=log, stderr=log,
                                       env=dict(os.environ, HOME=self.profile))
        try:
            self.port = int(wait_for("chromedriver", self._port, 30))
            arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                         "--disable-dev-shm-usage", "--user-data-dir=" + self.profile]
            wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {"args": arguments},
                                      "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}
            self.session = ""
            self.session = "/" + self._call("POST", "", {"capabilities": wanted}, 90)["sessionId"]
        except BaseException:
            self.close()
            raise

    def _port(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            found = re.search(r"started successfully on port (\d+)", file.read())
        return found and found.group(1)

    def _call(self, method, path, body=None, seconds=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, "/session" + self.session + path, json.dumps(body or {}) if method == "POST" else None,
                               {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(answer, dict) and answer.get("error"):
            raise AssertionError("%s: %s" % (path, answer["message"].split("\n")[0]))
        return answer

    def cdp(self, command, **params):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def show(self, width, height, dark=False, phone=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def run(self, script, *args):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def text(self, selector):
        return self.run("const e = document.querySelector(arguments[0]); return e ? e.innerText : ''", selector)

    def wait_text(self, selector, needle, seconds):
        return wait_for("%r in %s" % (needle, selector), lambda: needle in self.text(selector), seconds, 0.05)

    def console(self):
        """What the browser complained of since the last call."""
        return self._call("POST", "/se/log", {"type": "browser"})

    def requests(self):
        """The addresses that it asked since the last call, by its network log."""
        messages = [json.loads(e["message"])["message"] for e in self._call("POST", "/se/log", {"type": "performance"})]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.cdp("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        try:
            if self.session:
                self._call("DELETE", "")
        except (OSError, AssertionError):
            pass
        for pid in procs.descendants(self.process.pid):
            procs.send(pid, 9)
        procs.end(self.process)
        procs.end_orphans()
        shutil.rmtree(self.profile, ignore_errors=True)
