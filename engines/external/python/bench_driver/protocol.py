"""The loop: one request, one reply. `docs/engine-protocol.md` is what it speaks.

Standard output belongs to replies: whatever else prints there goes to standard error. The main thread serves; another one
reads, so that a cancel is heard while a run goes on and the end of the input ends everything, running or not.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from .data import Dataset, Workload, check_type, fields
from .engine import Engine, Ran, Setup
from .failures import Cancelled, DriverError, OutOfMemory, ProtocolError, ResultError, Unsupported
from .probes import parse_probe, probe
from .processes import adopt_orphans, end_descendants
from .spans import VERSION, Spans, Window

PROTOCOL = 1
MAX_MESSAGE_BYTES = 64 << 20
STOP_PATIENCE_S = 8.0
"""How long a product may take to stop by itself."""
END_PATIENCE_S = 5.0
"""How long killing what is left may take."""
ORPHAN_PATIENCE_S = 2.0
"""How long a run may go on after the harness is gone."""
MESSAGE_CHARS = 4000
"""How much of an error's text is told; all of it goes to standard error."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
"""Errors of the system that are about the place of an answer; any other one is the product's own."""


def serve(engine: Engine) -> None:
    """Serves until told to stop or until the input ends; never returns. Nothing it started is left behind."""
    requests, replies = _take_pipes()
    adopt_orphans()
    server = _Server(engine, replies)
    reader = threading.Thread(target=_read, args=(requests, server), name="requests", daemon=True)
    reader.start()
    code = 1
    try:
        code = server.serve()
    except BrokenPipeError:
        print("the harness is gone", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        _end(engine, server.started, code)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes, kept from everybody else: descriptor 0 reads nothing and descriptor 1 is standard error from here on."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


_ending = threading.Lock()
"""Held by whoever ends this process: nobody else may begin to."""


def _end(engine: Engine, started: bool, code: int) -> None:
    """Stops the product, by force after a while, and everything below this process."""
    if not _ending.acquire(blocking=False):
        time.sleep(STOP_PATIENCE_S + END_PATIENCE_S)
    _stop_within(engine, started)
    end_descendants(END_PATIENCE_S)
    sys.stderr.flush()
    # Not `sys.exit`: threads and exit handlers of a product that hangs would keep the process.
    os._exit(code)


def _stop_within(engine: Engine, started: bool) -> None:
    """Lets the product stop by itself, for a while."""
    if started:
        stopping = threading.Thread(target=_stop, args=(engine,), daemon=True)
        stopping.start()
        stopping.join(STOP_PATIENCE_S)


def _stop(engine: Engine) -> None:
    try:
        engine.stop()
    except BaseException:
        traceback.print_exc()


def _read(requests: BinaryIO, server: _Server) -> None:
    """Passes requests on; hears cancels at once."""
    while True:
        try:
            line = requests.readline(MAX_MESSAGE_BYTES + 1)
        except OSError:
            line = b""
        if not line:
            break
        if len(line) > MAX_MESSAGE_BYTES:
            server.incoming.put(ProtocolError("a line longer than any message"))
            return
        try:
            number, name, body = _parse(line)
        except (ProtocolError, ValueError, RecursionError) as error:
            server.incoming.put(ProtocolError(f"not a request of protocol {PROTOCOL}: {error}"))
            return
        if name == "cancel":
            try:
                server.cancel(fields(body, "cancel", {"run": int})["run"])
            except ProtocolError as error:
                server.incoming.put(error)
                return
            continue
        try:
            server.incoming.put_nowait((number, name, body))
        except queue.Full:
            # Waiting for room would be deaf to a cancel, and to the end of the input.
            print("more requests than anybody sends who waits for replies", file=sys.stderr)
            server.cancel(None)
            _end(server.engine, server.started, 2)
    server.cancel(None)
    with contextlib.suppress(queue.Full):
        server.incoming.put_nowait(None)
    time.sleep(ORPHAN_PATIENCE_S)
    # The main thread has not come back to see that the input ended.
    _end(server.engine, server.started, 1)


def _parse(line: bytes) -> tuple[int, str, Any]:
    message = json.loads(line.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    message = fields(message, "a request", {"id": int, "body": (str, dict)})
    body = message["body"]
    if isinstance(body, str):
        return message["id"], body, None
    if len(body) != 1:
        raise ProtocolError("the body of a request has one field")
    ((name, content),) = body.items()
    return message["id"], name, content


def _unique(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ProtocolError("a field is given twice")
    return found


def _no_constant(text: str) -> Any:
    raise ProtocolError(f"`{text}` is not JSON")


class _Server:
    def __init__(self, engine: Engine, replies: BinaryIO) -> None:
        self.engine = engine
        self.replies = replies
        # A harness waits for each reply: there is one request at most, and what the reader has to say of the next one.
        self.incoming: queue.Queue = queue.Queue(maxsize=8)
        self.started = False
        self.held = False
        self.answers = 0
        self.window = Window(0, 0)
        self.lock = threading.Lock()
        self.running: int | None = None
        self.cancelled = 0
        self.orphaned = False
        engine._cancelled = self.is_cancelled
        engine._notes = []

    def serve(self) -> int:
        """Answers requests until `stop` or the end of the input; the exit code."""
        while True:
            message = self.incoming.get()
            if message is None:
                return 0
            if isinstance(message, ProtocolError):
                print(message, file=sys.stderr)
                return 2
            number, name, body = message
            last = name == "stop"
            reply = self.answer(number, name, body)
            if last and reply == "stopped":
                _stop_within(self.engine, self.started)
                self.started = False
                end_descendants(END_PATIENCE_S)
            self.send(number, reply)
            if last:
                return 0

    def send(self, number: int, reply: Any) -> None:
        line = json.dumps({"id": number, "body": reply}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self.replies.write(line.encode("utf-8", "replace") + b"\n")
        self.replies.flush()

    def answer(self, number: int, name: str, body: Any) -> Any:
        try:
            verb = _VERBS.get(name)
            if verb is None:
                raise ProtocolError(f"unknown request `{name}`")
            if name in ("discard", "stop") and body is not None:
                raise ProtocolError(f"`{name}` takes nothing")
            if name not in ("hello", "start", "stop", "discard") and not self.started:
                raise ProtocolError("the engine has not been started")
            return verb(self, number, body)
        except Exception as error:
            return self.failed(number, error)
        except BaseException as error:
            traceback.print_exc()
            return {"failed": {"kind": "panicked", "message": _text(error)}}

    def failed(self, number: int, error: Exception) -> dict:
        kind = getattr(error, "kind", None) if isinstance(error, DriverError) else None
        if kind is None and isinstance(error, MemoryError):
            kind = OutOfMemory.kind
        if kind is None:
            try:
                kind = self.engine.classify(error)
            except Exception:
                traceback.print_exc()
        # How a product ends a run that was cancelled is its own matter; but one that has lost a process, or a driver that says how else it
        # failed, is not to be trusted with the next run.
        if self.has_been_cancelled(number) and not isinstance(error, DriverError) and not self.casualty():
            kind = Cancelled.kind
        if not isinstance(error, DriverError):
            traceback.print_exception(error)
        # Of a failure that names its kind the cause is known.
        lost = "" if kind not in (None, "failed", "panicked") else self.casualty()
        return {"failed": {"kind": kind or "failed", "message": lost + _text(error)}}

    def casualty(self) -> str:
        """What is to be said before the text of an error, if the product has lost a process."""
        try:
            lost = self.engine.casualty()
        except Exception:
            traceback.print_exc()
            return ""
        return f"{lost}: " if lost else ""

    # The requests.

    def hello(self, number: int, body: Any) -> Any:
        spoken = fields(body, "hello", {"protocol": int})["protocol"]
        if spoken != PROTOCOL:
            raise ProtocolError(f"this driver speaks protocol {PROTOCOL}, not {spoken}")
        known = {"protocol": PROTOCOL, "engine": self.engine.name, "version": self.engine.version()}
        return {"hello": {**known, "refuses": self.refuses()}}

    def refuse(self, workload: Workload) -> None:
        """Raises `Unsupported` if the workload is written in a form that the engine runs none of."""
        why = self.refuses().get(workload.form)
        if why is not None:
            raise Unsupported(why)

    def refuses(self) -> dict[str, str]:
        """The forms of programs that the engine runs none of, and why."""
        return {"graph": "task graphs are made of this repository's kernels, which no product runs", **self.engine.refuses}

    def start(self, number: int, body: Any) -> Any:
        if self.started:
            raise ProtocolError("the engine has been started already")
        self.engine.setup = Setup.parse(body)
        self.engine.datasets = []
        # Before it starts: one that fails half-way has something to stop too.
        self.started = True
        self.engine.start(self.engine.setup)
        return "started"

    def load(self, number: int, body: Any) -> Any:
        body = fields(body, "load", {"datasets": list})
        datasets = [Dataset.parse(dataset) for dataset in body["datasets"]]
        self.drop()
        self.engine.load(datasets)
        self.engine.datasets = datasets
        return "loaded"

    def arm(self, number: int, body: Any) -> Any:
        plan = fields(fields(body, "arm", {"faults": dict})["faults"], "faults", {"faults": list, "seed": int})
        if plan["faults"]:
            raise Unsupported(f"{self.engine.name} has no nodes that this harness could hurt")
        return "armed"

    def run(self, number: int, body: Any) -> Any:
        body = fields(body, "run", {"workload": dict}, {"trace": bool})
        workload = Workload.parse(body["workload"])
        self.refuse(workload)
        self.drop()
        self.engine._notes = []
        with self.lock:
            self.running = number
        try:
            if self.is_cancelled():
                raise Cancelled("cancelled")
            since_1970, begun = time.time_ns(), time.monotonic_ns()
            ran = self.engine.run(workload)
            wall_ns = time.monotonic_ns() - begun
            self.window = Window(since_1970, since_1970 + wall_ns)
            self.held = True
        finally:
            with self.lock:
                self.running = None
        if self.has_been_cancelled(number):
            self.drop()
            raise Cancelled("cancelled")
        ran = Ran(ran) if isinstance(ran, int) else ran
        check_type(ran.rows, int, "the number of rows")
        reply = {"wall_ns": wall_ns, "rows": ran.rows, "notes": self.engine._notes + ran.notes}
        if ran.spilled_bytes is not None:
            reply["spilled_bytes"] = int(ran.spilled_bytes)
        return {"ran": reply}

    def digest(self, number: int, body: Any) -> Any:
        body = fields(body, "digest", {"check": dict}, {"keep": str, "trace": str})
        if not self.held:
            raise ProtocolError("there is no answer to digest")
        self.answers += 1
        kept = body.get("keep")
        path = Path(kept) if kept else self.engine.setup.scratch / f"answer-{self.answers}.parquet"
        draft = path.with_name(path.name + ".draft")
        begun = time.monotonic_ns()
        try:
            self.engine.write_result(draft)
            os.replace(draft, path)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise ResultError(f"cannot keep the answer as {path}: {error}") from error
        finally:
            # Half an answer helps nobody.
            draft.unlink(missing_ok=True)
        reply = {"result": str(path), "check_ns": time.monotonic_ns() - begun}
        if self.engine.setup.spans:
            reply |= self.spans()
        self.drop()
        return {"digested": reply}

    def spans(self) -> dict:
        """What is known of the slots' time. An answer is not lost because its trace is."""
        try:
            found = self.engine.spans(self.window)
        except Exception as error:
            traceback.print_exc()
            found = Spans({}, [f"the trace of {self.engine.name} cannot be read: {_text(error)}"])
        if found is None:
            return {}
        return {"spans": {"version": VERSION, "by_kind_ns": found.by_kind_ns, "notes": found.notes}}

    def discard(self, number: int, body: Any) -> Any:
        self.drop()
        return "discarded"

    def explain(self, number: int, body: Any) -> Any:
        body = fields(body, "explain", {"workload": dict, "analyze": bool})
        workload = Workload.parse(body["workload"])
        self.refuse(workload)
        self.drop()
        self.engine._notes = []
        return {"explained": {"text": self.engine.explain(workload, body["analyze"])}}

    def probe(self, number: int, body: Any) -> Any:
        kind, given = parse_probe(body)
        self.drop()
        return {"probed": {"samples_ns": probe(self.engine, self.engine.folder(), kind, given)}}

    def stop(self, number: int, body: Any) -> Any:
        return "stopped"

    def drop(self) -> None:
        """Forgets the answer that is held. The file of one that was digested is the harness's, which reads and removes it."""
        if self.held:
            self.held = False
            self.engine.discard()

    # Cancelling, from the thread that reads.

    def cancel(self, run: int | None) -> None:
        """Cancels the run with that number, or whatever goes on if the harness is gone."""
        with self.lock:
            if run is None:
                self.orphaned = True
            else:
                self.cancelled = max(self.cancelled, run)
            hit = self.running is not None and (run is None or run == self.running)
        if hit:
            try:
                self.engine.interrupt()
            except BaseException:
                traceback.print_exc()

    def is_cancelled(self) -> bool:
        with self.lock:
            return self.orphaned or (self.running is not None and self.cancelled >= self.running)

    def has_been_cancelled(self, number: int) -> bool:
        with self.lock:
            return self.orphaned or self.cancelled >= number


def _text(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if not isinstance(error, DriverError):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= MESSAGE_CHARS else text[:MESSAGE_CHARS] + "..."


_VERBS = {
    name: getattr(_Server, name)
    for name in ("hello", "start", "load", "arm", "run", "digest", "discard", "explain", "probe", "stop")
}
