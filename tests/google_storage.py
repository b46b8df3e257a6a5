"""A stand-in for Cloud Storage: a local HTTP server of the few calls of its JSON API that the client makes.

`StorageServer("bucket")` keeps objects in memory with generations, honours preconditions, and lets calls go wrong
before or after their effect. It is real HTTP, so that the real client is what is tested.
"""

import base64
import json
import re
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c


@dataclass
class StorageFault:
    """What goes wrong with one request: a status, or a cut connection; before or after the effect.

    Attributes:
        status: what is answered; 0: the connection is cut without an answer.
        after_effect: whether what was asked for has been done.
        only: which requests (`POST`, `GET` …); empty: whatever comes.
    """

    status: int = 503
    after_effect: bool = False
    only: str = ""


@dataclass
class StoredObject:
    """One object: its content, and which of all writes made it."""

    content: bytes
    generation: int
    metadata: dict[str, Any] = field(default_factory=dict)


class StorageServer:
    """Serves buckets.

    Attributes:
        objects: what is in them, by gs:// URI.
        calls: the requests' methods and paths.
        forbidden: whether nobody has the right to anything.
        open: while it is not set, requests wait.
    """

    def __init__(self, *buckets: str) -> None:
        """Listen on a free port of 127.0.0.1."""
        self.buckets = set(buckets)
        self.objects: dict[str, StoredObject] = {}
        self.calls: list[str] = []
        self.forbidden = False
        self.open = threading.Event()
        self.open.set()
        self.lock = threading.RLock()
        self.sessions: dict[str, tuple[str, dict[str, list[str]], bytearray]] = {}
        self._faults: deque[StorageFault] = deque()
        self._generation = 0
        handler = type("Handler", (_Handler,), {"store": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def fail(self, *faults: StorageFault) -> None:
        """Let the next requests go wrong, one fault each."""
        self._faults.extend(faults)

    def fault_for(self, method: str) -> StorageFault | None:
        """Take the next fault if it is meant for such a request."""
        with self.lock:
            if self._faults and self._faults[0].only in {"", method}:
                return self._faults.popleft()
            return None

    def put(self, uri: str, content: bytes) -> None:
        """Store an object, whatever is there."""
        with self.lock:
            self._generation += 1
            self.objects[uri] = StoredObject(content, self._generation)

    def content(self, uri: str) -> bytes:
        """Return an object's content."""
        return self.objects[uri].content

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


@contextmanager
def storage_server(*buckets: str) -> Iterator[StorageServer]:
    """Give a server, and stop it."""
    server = StorageServer(*buckets)
    try:
        yield server
    finally:
        server.close()


_UPLOAD = re.compile(r"/(?:resumable/)?upload/storage/v1/b/([^/]+)/o")
_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/([^/]+)/o/(.+)")
_LIST = re.compile(r"/storage/v1/b/([^/]+)/o")
_BUCKET = re.compile(r"/storage/v1/b/([^/]+)")


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    store: StorageServer

    def setup(self) -> None:
        """Send small answers at once."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def do_GET(self) -> None:
        """Metadata, content, or a list."""
        self._serve("GET")

    def do_POST(self) -> None:
        """Write an object, or begin to."""
        self._serve("POST")

    def do_PUT(self) -> None:
        """Go on writing one."""
        self._serve("PUT")

    def do_DELETE(self) -> None:
        """Delete an object."""
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        self.store.calls.append(f"{method} {unquote(parts.path)}")
        self.store.open.wait(60)
        fault = self.store.fault_for(method)
        if fault and not fault.after_effect:
            self._go_wrong(fault)
            return
        with self.store.lock:
            status, headers, content = self._answer(method, parts.path, parse_qs(parts.query), body)
        if fault:
            self._go_wrong(fault)
            return
        self._send(status, headers, content)

    def _go_wrong(self, fault: StorageFault) -> None:
        if fault.status:
            self._send(*_error(fault.status, "a fault"))
            return
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(
        self, method: str, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if self.store.forbidden:
            return _error(403, "does not have storage.objects access to the Google Cloud Storage bucket.")
        if method == "PUT" and "upload_id" in query:
            return self._go_on(query["upload_id"][0], body)
        for pattern, serve in (
            (_UPLOAD, self._upload),
            (_OBJECT, self._object),
            (_LIST, self._list),
            (_BUCKET, self._bucket),
        ):
            found = pattern.fullmatch(path)
            if found is None:
                continue
            bucket, *rest = (unquote(part) for part in found.groups())
            if bucket not in self.store.buckets:
                return _error(404, "The specified bucket does not exist.")
            return serve(method, bucket, rest[0] if rest else "", query, body)
        return _error(404, f"{method} {path} is not served here")

    def _upload(
        self, _method: str, bucket: str, _name: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if query["uploadType"] == ["resumable"]:
            name = query.get("name") or [json.loads(body)["name"]]
            session = f"session-{len(self.store.sessions)}"
            self.store.sessions[session] = (f"gs://{bucket}/{name[0]}", query, bytearray())
            location = f"{self.store.url}{urlsplit(self.path).path}?uploadType=resumable&upload_id={session}"
            return 200, {"Location": location}, b"{}"
        metadata, content = _multipart(self.headers["Content-Type"], body)
        name = query.get("name") or [metadata["name"]]
        return self._write(f"gs://{bucket}/{name[0]}", query, content, metadata)

    def _go_on(self, session: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        uri, query, content = self.store.sessions[session]
        total = self.headers["Content-Range"].rpartition("/")[2]
        content += body
        if total == "*" or len(content) < int(total):
            return 308, {"Range": f"bytes=0-{len(content) - 1}"}, b""
        return self._write(uri, query, bytes(content), {})

    def _write(
        self, uri: str, query: dict[str, list[str]], content: bytes, metadata: dict[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        there = self.store.objects.get(uri)
        wanted = query.get("ifGenerationMatch")
        if wanted and int(wanted[0]) != (there.generation if there else 0):
            return _error(412, "At least one of the pre-conditions you specified did not hold.")
        if metadata.get("crc32c", _crc32c(content)) != _crc32c(content):
            return _error(400, "Provided CRC32C does not match.")
        self.store.put(uri, content)
        return _json(_resource(uri, self.store.objects[uri]))

    def _object(
        self, method: str, bucket: str, name: str, query: dict[str, list[str]], _body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        uri = f"gs://{bucket}/{name}"
        found = self.store.objects.get(uri)
        if found is None:
            return _error(404, f"No such object: {bucket}/{name}")
        if method == "DELETE":
            del self.store.objects[uri]
            return 204, {}, b""
        if query.get("alt") != ["media"]:
            return _json(_resource(uri, found))
        headers = {"Content-Type": "application/octet-stream", "X-Goog-Hash": f"crc32c={_crc32c(found.content)}"}
        headers |= {"X-Goog-Generation": str(found.generation)}
        return self._ranged(headers, found.content)

    def _ranged(self, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer with the bytes that were asked for; of an empty object there are none."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return 200, headers, content
        first = int(wanted[1])
        if first >= len(content):
            return _error(416, "The requested range cannot be satisfied.")
        part = content[first : int(wanted[2]) + 1 if wanted[2] else None]
        told = {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(content)}"}
        return 206, headers | told, part

    def _list(
        self, _method: str, bucket: str, _name: str, query: dict[str, list[str]], _body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        prefix = f"gs://{bucket}/{query.get('prefix', [''])[0]}"
        found = sorted(uri for uri in self.store.objects if uri.startswith(prefix))
        start = int(query.get("pageToken", ["0"])[0])
        end = start + int(query.get("maxResults", ["1000"])[0])
        answer: dict[str, Any] = {"items": [_resource(uri, self.store.objects[uri]) for uri in found[start:end]]}
        return _json(answer | ({"nextPageToken": str(end)} if end < len(found) else {}))

    def _bucket(
        self, _method: str, bucket: str, _name: str, _query: dict[str, list[str]], _body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        return _json({"kind": "storage#bucket", "name": bucket, "location": "EUROPE-WEST1"})


def _multipart(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return what a multipart/related body says of the object, and its content."""
    boundary = content_type.rpartition("boundary=")[2].strip('"').strip("'").encode()
    _, first, second, _ = body.split(b"--" + boundary)
    metadata: dict[str, Any] = json.loads(first.partition(b"\r\n\r\n")[2])
    return metadata, second.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


def _resource(uri: str, stored: StoredObject) -> dict[str, Any]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "generation": str(stored.generation),
        "metageneration": "1",
        "size": str(len(stored.content)),
        "crc32c": _crc32c(stored.content),
        "metadata": stored.metadata,
    }


def _crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


def _json(value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _error(status: int, words: str) -> tuple[int, dict[str, str], bytes]:
    return _json({"error": {"code": status, "message": words, "errors": [{"message": words}]}}, status)
