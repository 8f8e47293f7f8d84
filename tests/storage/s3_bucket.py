"""An S3 on loopback that counts what it is asked, and fails on request."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import boto3
from moto.server import ThreadedMotoServer

Answer = Callable[[str, str], int | None]
"""Of a method and a path: the status to fail with, or None."""


@dataclass
class Bucket:
    """A bucket; ``fails`` decides which requests are refused, ``received`` are bytes sent to it."""

    name: str
    endpoint: str
    requests: Counter[str] = field(default_factory=Counter)
    received: int = 0
    fails: Answer = lambda *_: None

    @property
    def address(self) -> str:
        return f"s3://{self.name}/lab"

    @property
    def client(self):
        return boto3.client("s3", endpoint_url=self.endpoint)

    def stored(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        found = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return [key.removeprefix("lab/") for key in found if not key.endswith("/")]

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=f"lab/{key}", Body=content)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=f"lab/{key}")["Body"].read()

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=f"lab/{key}")

    def forget(self) -> None:
        """Count anew."""
        self.requests.clear()
        self.received = 0


class Server:
    """Moto's server with a look at every request."""

    def __init__(self, moto: ThreadedMotoServer) -> None:
        host, port = moto.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.buckets: dict[str, Bucket] = {}
        self._app = moto._server.app
        moto._server.app = self

    def bucket(self) -> Bucket:
        made = Bucket(f"studies{len(self.buckets)}", self.endpoint)
        made.client.create_bucket(Bucket=made.name)
        self.buckets[made.name] = made
        return made

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        bucket = self.buckets.get(path.split("/")[1])
        if bucket is not None:
            bucket.requests[method] += 1
            status = bucket.fails(method, path)
            if status is not None:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response(f"{status} refused", [("Content-Length", "0")])
                return [b""]
            if method in ("PUT", "POST"):
                # Sent in chunks, the length is that of the content without their frames.
                length = environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH")
                bucket.received += int(length or environ.get("CONTENT_LENGTH") or 0)
        return self._app(environ, start_response)


@contextmanager
def serving() -> Iterator[Server]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        yield Server(moto)
    finally:
        moto.stop()
        moto._server.server_close()
