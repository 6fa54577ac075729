"""Users of a hub, and a kernel of theirs that prints numbers."""

from __future__ import annotations

import json
import secrets
import threading
import time
import uuid
from contextlib import suppress

import docker
import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.conftest import Stack
from tests.support.browserless import User

COUNT = "import time\nfor number in range(10**6):\n    print(number, flush=True)\n    time.sleep(0.1)"


class Person(User):
    """A user with a token for the REST API of hub and own server."""

    _token = ""

    @property
    def token(self) -> str:
        """A token of this user's."""
        if not self._token:
            answer = self.api("POST", f"{self.api_path}/tokens", json={"note": "test"})
            assert answer.status_code == 201, answer.text
            self._token = answer.json()["token"]
        return self._token

    def server_api(self, method: str, path: str, **options: object) -> httpx.Response:
        """Call the REST API of this user's notebook server."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, f"{self.url}{self.path}/api{path}", headers=headers, timeout=60, **options)  # type: ignore[arg-type]

    def reaches_server(self) -> bool:
        """Return whether this user's server answers through the proxy."""
        try:
            return self.server_api("GET", "/status").status_code == 200
        except httpx.TransportError:
            return False

    def is_running(self) -> bool:
        """Return whether the hub answers, knows this user's server and takes it for ready."""
        try:
            answer = self.api("GET", self.api_path)
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and bool(answer.json()["servers"].get("", {}).get("ready"))

    def write(self, path: str, text: str) -> httpx.Response:
        """Save a text file in this user's home, as JupyterLab does."""
        return self.server_api("PUT", f"/contents/{path}", json={"type": "file", "format": "text", "content": text})

    def files(self) -> set[str]:
        """Return the names in this user's home, as JupyterLab shows them."""
        return {item["name"] for item in self.server_api("GET", "/contents").json()["content"]}


class People:
    """Makes users with names of their own, and removes all that they leave."""

    def __init__(self, stack: Stack, client: docker.DockerClient) -> None:
        self.stack = stack
        self.client = client
        self._made: list[Person] = []

    def sign_in(self, name: str = "") -> Person:
        """Return a new user who is signed in."""
        person = Person(self.stack.url, name or f"test{secrets.token_hex(4)}")
        answer = person.login()
        assert answer.status_code == 200, answer.status_code
        self._made.append(person)
        return person

    def start(self, name: str = "") -> Person:
        """Return a new user whose server is running."""
        person = self.sign_in(name)
        person.start()
        return person

    def remove_all(self) -> None:
        """Stop the servers and delete the homes."""
        for person in self._made:
            with suppress(httpx.HTTPError, RuntimeError, ValueError):
                person.stop()
            person.http.close()
            chosen = {"label": [f"dropsonde.service={self.stack.name}", f"dropsonde.user={person.name}"]}
            for container in self.client.containers.list(all=True, filters=chosen, ignore_removed=True):
                container.remove(force=True)
            for volume in self.client.volumes.list(filters=chosen):
                volume.remove(force=True)


class Counter:
    """A kernel that prints 0, 1, 2, ... ten times a second, and a websocket that listens to it all the while."""

    def __init__(self, person: Person) -> None:
        self.person = person
        answer = person.server_api("POST", "/kernels", json={"name": "python3"})
        assert answer.status_code == 201, answer.text
        self.kernel = answer.json()["id"]
        self.printed = ""
        self.problem = ""
        self.session = uuid.uuid4().hex
        address = f"{person.url.replace('http', 'ws', 1)}{person.path}/api/kernels/{self.kernel}/channels"
        self.socket = connect(
            f"{address}?session_id={self.session}",
            additional_headers={"Authorization": f"token {person.token}"},
            # A dropped connection shows as such: no pings that could hide or cause it.
            ping_interval=None,
            # Jupyter answers when the kernel runs.
            open_timeout=60,
            max_size=None,
        )
        self._ended = False
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._send("execute_request", {"code": COUNT, "silent": False, "store_history": False})

    def _send(self, kind: str, content: dict[str, object]) -> None:
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "session": self.session,
            "username": "",
            "version": "5.3",
            "date": "2000-01-01T00:00:00Z",
        }
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.socket.send(json.dumps(message))

    def _listen(self) -> None:
        try:
            for text in self.socket:
                message = json.loads(text)
                if message["msg_type"] == "stream":
                    self.printed += message["content"]["text"]
                elif message["msg_type"] == "error":
                    self.problem = str(message["content"])
        except WebSocketException as error:
            self.problem = str(error)
        if not self._ended:
            self.problem = self.problem or "the websocket was closed"

    @property
    def numbers(self) -> list[int]:
        """All that has arrived so far."""
        return [int(line) for line in self.printed.rpartition("\n")[0].splitlines()]

    def wait_for_more(self, count: int = 10) -> int:
        """Wait until that many more numbers have arrived, or nothing more can; return how many there are."""
        wanted, end = len(self.numbers) + count, time.monotonic() + 60
        while len(self.numbers) < wanted and not self.problem and time.monotonic() < end:
            time.sleep(0.05)
        return len(self.numbers)

    def assert_unbroken(self) -> None:
        """Check that the same websocket still gets numbers, and that none is missing."""
        before = len(self.numbers)
        after = self.wait_for_more()
        assert not self.problem, self.problem
        assert after >= before + 10, "the kernel's messages no longer arrive"
        assert self.numbers == list(range(len(self.numbers)))

    def close(self) -> None:
        """End the connection; the kernel ends with its server."""
        self._ended = True
        self.socket.close()
