"""What the node tells about itself: Prometheus metrics and a detailed health check, on the private listener only.

Numbers are kept where things happen (plain integers); this file names them and reads them when asked. No label holds a person, a class or
an address.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from server import keys
from server.records.outbox import Standing
from server.retention.due import Kind
from server.retention.sweep import Figures
from signaling.metrics import BUCKETS, Counters, Histogram

#: what may go down; everything else only grows
_GAUGES: Final = frozenset({"connections", "lagging", "behind", "runners"})
_MEDIA_GAUGES: Final = frozenset(
    {"peers", "tracks", "slots", "rooms", "tcp_connections", "rtt_ms", "classes", "devices", "checks", "commands_waiting"}
    | {"recordings", "journal_recordings", "journal_free_permille", "journal_sync_us_max"}
)
_RECORDS_GAUGES: Final = frozenset({"due", "oldest_unacked_seconds", "dead", "conflicts", "paused", "shedding"})
_RECORDING_GAUGES: Final = frozenset({"unpurged", "unswept", "store_reached", "streams", "local_files"})
_PACKAGER_GAUGES: Final = frozenset({"working", "finishing"})
#: a store that has not committed for this long is not healthy
_STUCK_WRITES: Final = 10_000


def figures(app: web.Application) -> dict[str, float]:
    """The figures the operator's plots are made of (pulse.Row)."""
    counters, media, hub = app[keys.COUNTERS], app[keys.PLANE].metrics(), app[keys.HUB]
    return {
        "classes": float(counters.runners),
        "people": float(sum(room.present for room in map(hub.room, hub.sessions()) if room is not None)),
        "connections": float(counters.connections),
        "joins": float(counters.joins),
        "join_seconds": counters.join_seconds.total,
        "join_count": float(counters.join_seconds.count),
        "commands": float(counters.commands),
        "journal_seconds": counters.journal_seconds.total,
        "journal_count": float(counters.journal_seconds.count),
        "packets_in": float(media.get("packets_in", 0)),
        "packets_out": float(media.get("packets_out", 0)),
        "bytes_in": float(media.get("bytes_in", 0)),
        "bytes_out": float(media.get("bytes_out", 0)),
        "media_peers": float(media.get("peers", 0)),
        "nacks": float(media.get("nack_in", 0) + media.get("nack_out", 0)),
        "key_frame_requests": float(media.get("pli_out", 0)),
        "queue_drops": float(
            counters.queue_full
            + counters.dropped_behind
            + counters.dropped_stalled
            + media.get("dropped_send_full", 0)
            + media.get("dropped_outbox_full", 0)
            + media.get("commands_lost", 0)
        ),
    }


class NodeCollector:
    """Reads a node's numbers when Prometheus asks."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        """Every metric of the node."""
        app = self._app
        yield from _signaling(app[keys.COUNTERS])
        yield _gauge("jiangtai_people", "Admitted people who are connected", figures(app)["people"])
        yield from _of_mapping("jiangtai_media_", "Media engine: ", app[keys.PLANE].metrics(), _MEDIA_GAUGES)
        database = app[keys.DATABASE]
        store = {"waiting": database.waiting, "writes": database.writes, "commits": database.commits, "refused": database.refused}
        yield from _of_mapping("jiangtai_store_", "Store: ", store, frozenset({"waiting"}))
        yield _histogram("jiangtai_store_commit_seconds", "Store: from BEGIN to the end of COMMIT", database.commit_seconds)
        guard = app[keys.GUARD]
        door = {
            "unproved_connections": guard.unproved,
            "turned_away": guard.turned_away,
            "evicted": guard.evicted,
            "malformed": guard.malformed,
        }
        catalog = app[keys.CATALOG]
        rows = {"rows_missed": catalog.missed, "files_recovered": catalog.recovered}
        yield from _of_mapping("jiangtai_recording_", "Recording: ", rows | _published(app), _RECORDING_GAUGES)
        yield from _of_mapping("jiangtai_packager_", "Packager: ", _packager(app), _PACKAGER_GAUGES)
        streams = app[keys.STREAMS]
        door |= {"streams": len(streams), "streams_refused": streams.refused}
        door |= {"calls_refused": app[keys.CALLS].refused + app[keys.SERVICE_CALLS].refused, "logins_refused": app[keys.FAILURES].refused}
        yield from _of_mapping("jiangtai_http_", "HTTP: ", door, frozenset({"unproved_connections", "streams"}))
        yield from _of_mapping("jiangtai_records_", "Records: ", _records(app), _RECORDS_GAUGES)
        yield from _destinations(app[keys.RECORDS].service.standings)
        ledger = app[keys.LEDGER]
        yield from _of_mapping(
            "jiangtai_ledger_", "Ledger: ", {"size": ledger.size, "checkpoints": ledger.checkpoints}, frozenset({"size"})
        )
        yield from _retention(app[keys.SWEEP].figures)
        requests = app[keys.REQUESTS]
        yield _requests(requests)


def _published(app: web.Application) -> dict[str, float]:
    sweeping, sender = app[keys.SWEEPING], app[keys.SENDER]
    found: dict[str, float] = {"store_away": app[keys.PACKAGER].away + app[keys.FINISHING].away}
    found |= {"unpurged": sweeping.unpurged, "unswept": sweeping.unswept, "store_reached": int(sweeping.reached)}
    found |= {"streams": sender.streams, "streams_refused": sender.refused, "streams_broken": sender.broken}
    return found | {"streamed_bytes": sender.bytes, "redirects": sender.redirects, "local_files": sender.local_files}


def _packager(app: web.Application) -> dict[str, float]:
    """working, made, failed: recordings on their way to a replay; finish…: replays that get what takes longer."""
    packager, finisher = app[keys.PACKAGER], app[keys.FINISHING]
    return {
        "working": packager.working,
        "made": packager.made,
        "failed": packager.failed,
        "finishing": finisher.working,
        "finished": finisher.made,
        "finishing_failed": finisher.failed,
        "transcodes": finisher.transcodes,
        "parts_missing": finisher.missing,
    }


def _records(app: web.Application) -> dict[str, float]:
    handoff = app[keys.RECORDS]
    found = handoff.service.figures()
    if (made := handoff.projection) is not None:
        found |= {"statements": made.statements, "quarantined": made.quarantined, "shed": made.shed, "encode_failures": made.failures}
    return found


def _destinations(standings: Sequence[Standing]) -> Iterator[Metric]:
    families = [
        GaugeMetricFamily(f"jiangtai_records_destination_{name}", f"Records: {name} at one destination", labels=("destination",))
        for name in ("due", "oldest_unacked_seconds", "paused")
    ]
    for one in standings:
        for family, value in zip(families, (one.due, one.oldest_s, bool(one.paused)), strict=True):
            family.add_metric((one.name,), value)
    yield from families


def _retention(figures: Mapping[Kind, Figures]) -> Iterator[Metric]:
    for name in ("expired", "bytes", "failures", "oldest_due_seconds"):
        family = (GaugeMetricFamily if name.startswith("oldest") else CounterMetricFamily)(
            f"jiangtai_retention_{name}", f"Retention: {name.replace('_', ' ')}", labels=("kind",)
        )
        for kind, one in figures.items():
            family.add_metric((kind,), one.oldest_due_s if name.startswith("oldest") else getattr(one, name))
        yield family


def _signaling(counters: Counters) -> Iterator[Metric]:
    for name, value in sorted(vars(counters).items()):
        if isinstance(value, Histogram):
            yield _histogram(f"jiangtai_{name}", f"Signaling: {name.replace('_', ' ')}", value)
        elif name in _GAUGES:
            yield _gauge(f"jiangtai_{name}", f"Signaling: {name}", value)
        else:
            yield _counter(f"jiangtai_{name}", f"Signaling: {name.replace('_', ' ')}", value)


def _of_mapping(prefix: str, text: str, values: Mapping[str, float], gauges: frozenset[str]) -> Iterator[Metric]:
    for name, value in sorted(values.items()):
        make = _gauge if name in gauges else _counter
        yield make(prefix + name, text + name.replace("_", " "), value)


def _requests(counts: Mapping[tuple[str, str, int], int]) -> Metric:
    family = CounterMetricFamily("jiangtai_http_requests", "HTTP: answers by route and status", labels=("method", "route", "status"))
    for (method, route, status), count in sorted(counts.items()):
        family.add_metric((method, route, str(status)), count)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    cumulated, buckets = 0, []
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), histogram.counts, strict=True):
        cumulated += count
        buckets.append((bound, cumulated))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=histogram.total)


def health(app: web.Application) -> dict[str, object]:
    """Whether the node can do its work, part by part."""
    database = app[keys.DATABASE]
    parts: dict[str, object] = {
        "store": "ok" if database.waiting < _STUCK_WRITES else "stuck",
        "media": "ok" if app[keys.PLANE].metrics().get("panics", 0) == 0 else "recovered",
        "recordings": "ok" if app[keys.SWEEPING].reached else "store away",
        "draining": app[keys.HUB].draining,
    }
    return {"ok": parts["store"] == "ok" and not parts["draining"], **parts}


def private_app(app: web.Application) -> web.Application:
    """The private listener: `/metrics` and the detailed `/healthz` of a node."""
    registry = CollectorRegistry()
    registry.register(NodeCollector(app))
    ProcessCollector(registry=registry)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(request: web.Request) -> web.Response:
        found = health(app)
        return web.json_response(found, status=200 if found["ok"] else 503)

    private = web.Application()
    private.router.add_get("/metrics", metrics)
    private.router.add_get("/healthz", healthz)
    return private
