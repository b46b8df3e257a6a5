"""A local gRPC server for stand-ins of Google's services: generic handlers of the clients' own message types, faults.

A stand-in gives its methods as `Rpc`s; here they get what every service can do to its callers: a status before or after
the effect, no answer in time, or a connection that is cut.
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one call.

    Attributes:
        code: the status that is answered.
        after_effect: whether what was asked for has been done.
        hangs_s: how long nothing is answered before that, in seconds.
        cut: the connection is cut instead of an answer.
    """

    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    after_effect: bool = False
    hangs_s: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Rpc:
    """One method: what it does with a request (and the call's context), and how both are read and written."""

    body: Callable[[Any, grpc.ServicerContext], Any]
    request: Callable[[bytes], Any]
    answer: Callable[[Any], bytes]


def plus(body: Callable[[Any, grpc.ServicerContext], Any], request: Any, answer: Any) -> Rpc:
    """Return a method of proto-plus messages, as Google's clients have them."""
    return Rpc(body, request.deserialize, answer.serialize)


def plain(body: Callable[[Any, grpc.ServicerContext], Any], request: Any, answer: Any) -> Rpc:
    """Return a method of plain protobuf messages, such as operations."""
    return Rpc(body, request.FromString, answer.SerializeToString)


def answering(body: Callable[[Any, grpc.ServicerContext], Any], request: Any, answer: Any) -> Rpc:
    """Return a method that takes a proto-plus message and answers with a plain one: an operation, or nothing."""
    return Rpc(body, request.deserialize, answer.SerializeToString)


class GoogleServer:
    """Serves on a free port of 127.0.0.1; `calls` holds what was asked for, as method name and request."""

    def __init__(self, services: Mapping[str, Mapping[str, Rpc]]) -> None:
        """Listen; `services` is service name -> method name -> method."""
        self.calls: list[tuple[str, Any]] = []
        self.closed = threading.Event()
        self._faults: dict[str, deque[Fault | None]] = {}
        self._server = grpc.server(ThreadPoolExecutor(8))
        for service, methods in services.items():
            handlers = {name: self._handler(name, rpc) for name, rpc in methods.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._line = _Line(port)
        self.address = f"127.0.0.1:{self._line.port}"

    def fail(self, method: str, *faults: Fault | None) -> None:
        """Let the next calls of a method go wrong, one fault each; None lets one go well."""
        self._faults.setdefault(method, deque()).extend(faults)

    def mend(self, method: str) -> None:
        """Let nothing more go wrong with a method."""
        self._faults.pop(method, None)

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(name == method for name, _ in self.calls)

    def requests(self, method: str) -> list[Any]:
        """Return what was asked of a method."""
        return [request for name, request in self.calls if name == method]

    def close(self) -> None:
        """Stop serving."""
        self.closed.set()
        self._line.close()
        self._server.stop(None)

    def _handler(self, method: str, rpc: Rpc) -> grpc.RpcMethodHandler:
        def serve(request: Any, context: grpc.ServicerContext) -> Any:
            self.calls.append((method, request))
            faults = self._faults.get(method)
            fault = faults.popleft() if faults else None
            if fault and fault.hangs_s:
                self.closed.wait(fault.hangs_s)
            if fault and not fault.after_effect:
                self._break(fault, context)
            answer = rpc.body(request, context)
            if fault:
                self._break(fault, context)
            return answer

        return grpc.unary_unary_rpc_method_handler(
            serve, request_deserializer=rpc.request, response_serializer=rpc.answer
        )

    def _break(self, fault: Fault, context: grpc.ServicerContext) -> None:
        if fault.cut:
            self._line.cut()
        context.abort(fault.code, "the answer was lost" if fault.after_effect else "a fault before the effect")


class _Line:
    """Carries bytes to the server, and can be cut like a cable: both sides then see a connection that has gone."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut every connection; new ones are taken."""
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            # One that has ended by itself is cut already.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Cut, and take no more."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._ends += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
