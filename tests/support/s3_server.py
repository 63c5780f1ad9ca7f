"""A real S3 server for tests: SeaweedFS as a process of its own, one for the whole run, a prefix of its own for every test.

Installed by `.ci/stores` under `.cache/stores`; not shipped.
"""

import http.client
import json
import secrets
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore  # noqa: TID251 - tests may
import pytest
from obstore.store import S3Store  # noqa: TID251 - tests may

from server.adapters.s3_objects import S3Objects
from tests.support.ports import free_port
from tests.support.record_stores import FOLDER, installed

ACCESS, SECRET = "ACCESS0KEY0OF0TESTS", "secret+key/of=tests"
BUCKET = "recordings"
_START_S = 60.0


class S3Server:
    """A running server with one bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.credentials_file = folder / "credentials"
        self.credentials_file.write_text(credentials(SECRET))

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def place(self) -> str:
        """A prefix nobody else uses."""
        return f"s3://{BUCKET}/{secrets.token_hex(6)}"

    def objects(self, place: str, endpoint: str = "") -> S3Objects:
        """The store a node would use."""
        return S3Objects(place, endpoint=endpoint or self.url, region="us-east-1", credentials_file=str(self.credentials_file))

    def settings(self, place: str, endpoint: str = "", credentials_file: Path | None = None) -> dict[str, Any]:
        """What tells a node to use it."""
        return {
            "recordings.store": place,
            "recordings.endpoint": endpoint or self.url,
            "recordings.region": "us-east-1",
            "recordings.credentials_file": str(credentials_file or self.credentials_file),
        }

    def environ(self, place: str, endpoint: str = "") -> dict[str, str]:
        """The same for a node of its own (JIANGTAI_ is put in front)."""
        return {name.replace(".", "_").upper(): value for name, value in self.settings(place, endpoint).items()}

    def keys(self, place: str) -> dict[str, int]:
        """Everything below a place with its size, asked past our own adapter."""
        prefix = place.removeprefix(f"s3://{BUCKET}/")
        return {each["path"].removeprefix(f"{prefix}/"): each["size"] for each in obstore.list(self._store(), prefix).collect()}

    def start(self) -> None:
        """Start and make the bucket."""
        program = installed(FOLDER / "seaweedfs" / "bin" / "weed")
        ports = [free_port() for _ in range(7)]
        (self.folder / "data").mkdir(exist_ok=True)
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "List", "Write"],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        options = {
            "dir": self.folder / "data", "ip": "127.0.0.1", "ip.bind": "127.0.0.1",
            "master.port": ports[0], "master.port.grpc": ports[1], "master.volumeSizeLimitMB": 128,
            "volume.port": ports[2], "volume.port.grpc": ports[3], "volume.max": 40,
            "filer.port": ports[4], "filer.port.grpc": ports[5],
            "s3.port": self.port, "s3.port.grpc": ports[6], "s3.config": self.folder / "s3.json",
            "s3.autoCreateBucket": "false",
            # It would tell its maker about itself, and open two more ports.
            "master.telemetry": "false", "s3.port.iceberg": 0, "s3.port.lance": 0,
        }  # fmt: skip
        words = ["server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([program, *words], stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + _START_S
        while not self._bucket_is_there():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-3000:]
            assert time.monotonic() < end, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.1)  # another process: nothing to wait for but its port

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _store(self) -> S3Store:
        return S3Store(
            BUCKET,
            endpoint=self.url,
            region="us-east-1",
            access_key_id=ACCESS,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def _bucket_is_there(self) -> bool:
        address = obstore.sign(self._store(), "PUT", "", timedelta(seconds=60))
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=5) as answer:
                return bool(answer.status < 300)
        except urllib.error.HTTPError as error:
            return error.code == 409
        except (OSError, http.client.HTTPException):
            return False


def credentials(secret: str) -> str:
    """An AWS credentials file."""
    return f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {secret}\n"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The server of this run."""
    folder = tmp_path_factory.mktemp("s3")
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
