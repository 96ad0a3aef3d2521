"""What a test sets on the server and reads from it, shared between the test's thread and the server's."""

import threading
from collections import deque
from dataclasses import dataclass, field

from tests.api_server.faults import Fault
from tests.api_server.images import HostedImage
from tests.api_server.records import RecordedRequest
from tests.api_server.usage import Usage, UsagePlacement


@dataclass(slots=True)
class ServerState:
    """The server's memory of one test."""

    key: str
    usage: UsagePlacement = UsagePlacement.FINISH_CHUNK
    requests: list[RecordedRequest] = field(default_factory=list)
    billed: list[Usage] = field(default_factory=list)
    hosted: dict[str, HostedImage] = field(default_factory=dict)
    deployments: dict[str, str] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def arrive(self, request: RecordedRequest) -> Fault:
        """Keep a request and take its fault, as one step: the n-th request gets the n-th fault."""
        with self.lock:
            self.requests.append(request)
            return self.faults.popleft() if self.faults else Fault()

    def clear(self) -> None:
        """Forget everything but the key."""
        with self.lock:
            self.usage = UsagePlacement.FINISH_CHUNK
            for memory in (self.requests, self.billed, self.hosted, self.deployments, self.faults):
                memory.clear()
