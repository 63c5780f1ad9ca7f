"""Objects in a bucket of a store that speaks S3, through obstore (recording.objects.ObjectStore); an optional package: `jiangtai[s3]`.

Files go as multipart uploads, so that their size does not matter; a store keeps the parts of an upload that a crash broke off until a rule
of the bucket removes them (AbortIncompleteMultipartUpload). Requests are repeated a few times with jitter by obstore; whoever waits longer
does so above. What went wrong is told in words of our own: an answer of a store may hold parts of what was signed.
"""

import asyncio
import atexit
import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import obstore  # noqa: TID251 - this is the one place
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError  # noqa: TID251
from obstore.store import S3Store  # noqa: TID251

from recording.objects import Object, StoreAway, StoreRefuses, check_key, media_type

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential  # noqa: TID251

#: one part of an upload, parts of a file on their way, such files on their way: at most 80 MiB in memory (one part is read ahead)
_PART_BYTES: Final = 8 << 20
_PARTS: Final = 4
_FILES: Final = 2
#: smaller files go by the side, so many at a time: a version has hundreds of them
_SMALL_BYTES: Final = 1 << 20
_SMALL_FILES: Final = 8
#: requests of readers under way
_READS: Final = 64
#: objects of one version or recording; more is not ours
_MAX_OBJECTS: Final = 100_000
#: listings until nothing more is found
_REMOVALS: Final = 3
#: how often the file with the credentials is read anew
_CREDENTIALS_S: Final = 300
_IMMUTABLE: Final = "private, max-age=31536000, immutable"
#: what a store calls a refusal that only a person can end
_REFUSALS: Final = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "InvalidBucketName"})


#: Threads of the library give back what they hold of the interpreter a moment after a call has ended; if it is gone by then, the process
#: aborts (pyo3-async-runtimes, issue 40).
_SETTLE_S: Final = 0.2
atexit.register(time.sleep, _SETTLE_S)


class BadCredentials(Exception):
    """The file with the credentials cannot be used; the message holds nothing of it."""


class S3Objects:
    """See recording.objects.ObjectStore; the key follows the prefix of `s3://bucket/prefix`."""

    def __init__(
        self,
        place: str,
        *,
        endpoint: str = "",
        region: str = "",
        virtual_hosted: bool = False,
        credentials_file: str = "",
        authorities: bytes = b"",
    ) -> None:
        """What is empty comes from the environment (AWS_…); `authorities` are further PEM certificates. Raises BadCredentials."""
        self.place = place
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        config: S3Config = {"virtual_hosted_style_request": virtual_hosted}
        if endpoint:
            config["endpoint"] = endpoint
        if region:
            config["region"] = region
        options: ClientConfig = {"allow_http": endpoint.startswith("http://"), "connect_timeout": timedelta(seconds=5)}
        if authorities:
            options["root_certificate"] = authorities
        provider = _Credentials(Path(credentials_file)) if credentials_file else None

        def store(timeout_s: float, retries: int, within_s: float) -> S3Store:
            return S3Store(
                bucket,
                config=config,
                client_options={**options, "timeout": timedelta(seconds=timeout_s)},
                retry_config={
                    "max_retries": retries,
                    "retry_timeout": timedelta(seconds=within_s),
                    "backoff": {"base": 2, "init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5)},
                },
                credential_provider=provider,
            )

        # Somebody waits for what is read; what is sent may take as long as a slow line needs for a part.
        self._reader, self._writer = store(20, 2, 10), store(600, 4, 60)
        self._files, self._small = asyncio.Semaphore(_FILES), asyncio.Semaphore(_SMALL_FILES)
        self._reads = asyncio.Semaphore(_READS)
        self.puts = self.put_bytes = self.reads = self.read_bytes = self.failures = 0

    async def check(self) -> None:
        """See the port."""
        with self._told():
            async for _ in obstore.list(self._reader, f"{self._prefix}check", chunk_size=1):
                return

    async def put(self, key: str, file: Path) -> None:
        """See the port."""
        size = (await asyncio.to_thread(file.stat)).st_size
        attributes: Any = {"Content-Type": media_type(key) or "application/octet-stream", "Cache-Control": _IMMUTABLE}
        async with self._small if size < _SMALL_BYTES else self._files:
            with self._told():
                await obstore.put_async(
                    self._writer, self._key(key), file, attributes=attributes, chunk_size=_PART_BYTES, max_concurrency=_PARTS
                )
        self.puts += 1
        self.put_bytes += size

    async def list(self, prefix: str) -> Sequence[Object]:
        """See the port."""
        found: list[Object] = []
        with self._told():
            async for some in obstore.list(self._reader, self._key(prefix), chunk_size=1000):
                for each in some:
                    key = each["path"].removeprefix(self._prefix)
                    found.append(Object(key, each["size"], (each["e_tag"] or "").strip('"')))
                if len(found) > _MAX_OBJECTS:
                    raise StoreAway(f"{self.place} lists more than {_MAX_OBJECTS} objects of one recording")
        return found

    async def read(self, key: str, start: int, stop: int) -> memoryview:
        """See the port."""
        if not 0 <= start < stop:
            raise ValueError("no such range")
        async with self._reads:
            with self._told():
                found = await obstore.get_range_async(self._reader, self._key(key), start=start, end=stop)
        self.reads += 1
        self.read_bytes += len(found)
        return memoryview(found)

    async def remove(self, prefix: str) -> int:
        """See the port."""
        count = 0
        for _ in range(_REMOVALS):
            found = [self._key(each.key) for each in await self.list(prefix)]
            if not found:
                return count
            with self._told():
                await obstore.delete_async(self._writer, found)
            count += len(found)
        raise StoreAway(f"{self.place} still lists what was removed")

    def path(self, key: str) -> Path | None:
        """See the port."""
        check_key(key)
        return None

    async def url(self, key: str, seconds: int) -> str | None:
        """See the port."""
        with self._told():
            return await obstore.sign_async(self._reader, "GET", self._key(key), timedelta(seconds=seconds))

    def _key(self, key: str) -> str:
        return self._prefix + check_key(key)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Make the library's errors those of the port."""
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                self.failures += 1
                raise StoreRefuses(f"{self.place}: NoSuchBucket") from None
            raise FileNotFoundError("no such object") from None
        except StoreAway:
            self.failures += 1
            raise
        except (BaseError, OSError, BadCredentials) as error:
            self.failures += 1
            raise _away(self.place, error) from None


class _Credentials:
    """Credentials of a file as AWS tools write it (section `default`), read anew now and then, so that they may be replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self()

    def __call__(self) -> "S3Credential":
        """What obstore asks for. Raises BadCredentials."""
        parser = ConfigParser(interpolation=None)
        try:
            parser.read_string(self._path.read_text("utf-8"))
            found = parser["default"]
            token = found.get("aws_session_token")
            return {
                "access_key_id": found["aws_access_key_id"],
                "secret_access_key": found["aws_secret_access_key"],
                "token": token,
                "expires_at": datetime.now(UTC) + timedelta(seconds=_CREDENTIALS_S),
            }
        except OSError as error:
            raise BadCredentials(f"{self._path}: {error.strerror}") from None
        except (ConfigParserError, KeyError, UnicodeDecodeError):
            why = "needs a section [default] with aws_access_key_id and aws_secret_access_key"
            raise BadCredentials(f"{self._path}: {why}") from None


def _away(place: str, error: Exception) -> StoreAway:
    """The port's error for one of the library, without anything that the store may have repeated of the request."""
    told = str(error)
    if "/latest/api/token" in told or "/latest/meta-data" in told:
        return StoreRefuses(f"{place}: no credentials, neither a file nor AWS_ACCESS_KEY_ID nor those of an instance")
    code = re.search(r"<Code>(\w{1,64})</Code>", told)
    if isinstance(error, BadCredentials):
        return StoreRefuses(str(error))
    if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError) or (code and code[1] in _REFUSALS):
        return StoreRefuses(f"{place} refuses our credentials ({code[1] if code else type(error).__name__})")
    status = re.search(r"\b([45]\d\d) [A-Z][A-Za-z ]{2,40}", told)
    network = next((words for words in ("Connection refused", "timed out", "TimedOut", "dns error", "certificate") if words in told), "")
    why = code[1] if code else network or (status[0].strip() if status else type(error).__name__)
    return StoreAway(f"{place} cannot be reached: {why}")
