"""Run a notebook's cells in a user's own server, over the websocket that JupyterLab uses."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import connect

from tests.integration.people import Person

# Seconds: a Scala kernel starts a Java machine and Spark first.
PATIENCE = 300
LAST_WORDS = 0.5


class Kernel:
    """A kernel of a user's server.

    Attributes:
        person: Whose server it is.
        identity: Its id there.
    """

    def __init__(self, person: Person, name: str) -> None:
        self.person = person
        answer = person.server_api("POST", "/kernels", json={"name": name})
        assert answer.status_code == 201, answer.text
        self.identity = answer.json()["id"]
        address = f"{person.url.replace('http', 'ws', 1)}{person.path}/api/kernels/{self.identity}/channels"
        headers = {"Authorization": f"token {person.token}"}
        self._socket = connect(
            f"{address}?session_id={uuid.uuid4().hex}", additional_headers=headers, max_size=None, open_timeout=PATIENCE
        )

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()
        self.person.server_api("DELETE", f"/kernels/{self.identity}")

    def _send(self, kind: str, content: dict[str, Any]) -> str:
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "test", "username": "", "version": "5.3"}
        header["date"] = "2000-01-01T00:00:00Z"
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
        self._socket.send(json.dumps(message))
        return header["msg_id"]

    def begin(self, code: str) -> str:
        """Send one cell, and do not wait for what becomes of it; return the request's id."""
        # All of what the protocol asks for: Toree takes no message without.
        asked = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        return self._send("execute_request", asked)

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run one cell; return its outputs.

        Raises:
            AssertionError: It failed, with what the kernel says, or took longer than PATIENCE.
        """
        request = self.begin(code)
        outputs: list[dict[str, Any]] = []
        end, replied, idle = time.monotonic() + PATIENCE, False, False
        while True:
            # Toree says that it is done before its last words have arrived.
            patience = LAST_WORDS if replied and idle else max(0.1, end - time.monotonic())
            try:
                received = self._socket.recv(timeout=patience)
            except TimeoutError:
                assert replied, f"this cell took more than {PATIENCE} seconds:\n{code}"
                break
            if isinstance(received, bytes):
                continue  # a widget's, with arrays behind it
            message = json.loads(received)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "error" or (kind == "execute_reply" and content["status"] == "error"):
                said = "\n".join(content.get("traceback") or [f"{content.get('ename')}: {content.get('evalue')}"])
                raise AssertionError(f"this cell failed:\n{code}\n{said}")
            if kind in {"stream", "display_data", "execute_result"}:
                outputs.append(content)
            replied = replied or kind == "execute_reply"
            idle = idle or (kind == "status" and content["execution_state"] == "idle")
        return outputs


def run_notebook(person: Person, path: Path) -> float:
    """Run all cells of a notebook in a fresh kernel; return how many seconds that took.

    Raises:
        AssertionError: A cell failed.
    """
    notebook = json.loads(path.read_text())
    began = time.monotonic()
    with Kernel(person, notebook["metadata"]["kernelspec"]["name"]) as kernel:
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                kernel.run("".join(cell["source"]))
    return time.monotonic() - began
