"""One address for several stand-ins, as Google has one for all of Vertex AI: calls go on to whoever serves them."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

_OPERATIONS = "google.longrunning.Operations"


class Front(grpc.GenericRpcHandler):
    """Takes calls on a free port of 127.0.0.1 and hands them on, bytes for bytes, errors included.

    Operations are asked for of everyone, since a name does not tell whose it is.
    """

    def __init__(self, services: Mapping[str, str]) -> None:
        """Listen; `services` is service name -> address of its stand-in."""
        self._channels = {address: grpc.insecure_channel(address) for address in services.values()}
        self._services = {name: [self._channels[address]] for name, address in services.items()}
        self._services[_OPERATIONS] = list(self._channels.values())
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Stop."""
        self._server.stop(None)
        for channel in self._channels.values():
            channel.close()

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler | None:
        """Return what hands a call on."""
        method = handler_call_details.method
        channels = self._services.get(method.split("/")[1])
        return None if channels is None else grpc.unary_unary_rpc_method_handler(_handing(method, channels))


def _handing(method: str, channels: list[grpc.Channel]) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def hand_on(request: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = [pair for pair in context.invocation_metadata() if not pair[0].startswith(("user-agent", "grpc-"))]
        for number, channel in enumerate(channels, 1):
            try:
                answer: bytes = channel.unary_unary(method)(
                    request, metadata=metadata, timeout=context.time_remaining()
                )
            except grpc.RpcError as error:
                passed = error.code() in {grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}
                if number == len(channels) or not passed:
                    context.abort(error.code(), error.details())
            else:
                return answer
        raise AssertionError(method)

    return hand_on
