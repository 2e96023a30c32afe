"""The protocol loop, driven as the harness does. `python3 -m unittest discover -s engines/external/tests`."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parent / "python"
sys.path.insert(0, str(PYTHON))

from bench_driver.engine import Engine, Setup  # noqa: E402
from bench_driver.expressions import Binary, Call, Column, Literal, Named, Order, Over, aggregates_of, parse  # noqa: E402
from bench_driver.failures import DriverError, ProgramError, ProtocolError  # noqa: E402
from bench_driver.overrides import fingerprint, override_of  # noqa: E402
from bench_driver.ports import free_port, holder_of  # noqa: E402
from bench_driver.protocol import _Server  # noqa: E402
from bench_driver.settings import fill, read_settings  # noqa: E402
from bench_driver.steps import Join, Limit, Scan, parse_steps  # noqa: E402


class Driver:
    """A driver in a process of its own."""

    def __init__(self, scratch: str) -> None:
        self.scratch = scratch
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "drivers" / "tiny" / "driver.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": str(PYTHON), "PATH": os.environ["PATH"]},
        )
        self.number = 0

    def send(self, body) -> int:
        self.number += 1
        self.process.stdin.write(json.dumps({"id": self.number, "body": body}).encode() + b"\n")
        self.process.stdin.flush()
        return self.number

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, body):
        number = self.send(body)
        reply = self.hear()
        assert reply["id"] == number, reply
        return reply["body"]

    def start(self, **more):
        self.ask({"hello": {"protocol": 1}})
        return self.ask({"start": {"slots": 2, "scratch": self.scratch, "tuning": {}, "spans": False} | more})

    def load(self):
        table = {"name": "t", "format": "parquet", "files": ["/t.parquet"], "schema_ipc_hex": "", "rows": 7, "bytes": 9}
        return self.ask({"load": {"datasets": [{"name": "d", "tables": [table]}]}})


def run(sql: str):
    workload = {"name": "q", "family": "sql", "title": "", "program": {"query": {"sql": sql}}}
    return {"run": {"workload": {**workload, "check": {"approx": {}, "order_by": [], "ties_at_cut": False}}}}


DIGEST = {"digest": {"check": {"approx": {}, "order_by": [], "ties_at_cut": False}}}


class Conversation(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.driver = Driver(folder.name)
        self.addCleanup(self.end)

    def end(self) -> None:
        self.driver.process.kill()
        self.driver.process.wait()
        self.driver.process.stdin.close()
        self.driver.process.stdout.close()

    def test_a_whole_conversation(self) -> None:
        driver = self.driver
        hello = driver.ask({"hello": {"protocol": 1}})["hello"]
        self.assertEqual((hello["protocol"], hello["engine"], hello["version"]), (1, "tiny", "1.0"))
        self.assertEqual(list(hello["refuses"]), ["graph"])
        setup = {"slots": 2, "memory_bytes": 1 << 30, "scratch": driver.scratch, "tuning": {"config": "tuned"}, "spans": False}
        self.assertEqual(driver.ask({"start": setup}), "started")
        self.assertEqual(driver.load(), "loaded")
        self.assertEqual(driver.ask({"arm": {"faults": {"faults": [], "seed": 0}}}), "armed")
        ran = driver.ask(run("select count(*) as n from t"))["ran"]
        self.assertEqual(ran["rows"], 1)
        result = driver.ask(DIGEST)["digested"]["result"]
        self.assertEqual(Path(result).read_bytes()[:4], b"PAR1")
        self.assertEqual(driver.ask(DIGEST)["failed"]["kind"], "protocol", "an answer is digested once")
        driver.ask(run("select 5 as n"))
        self.assertTrue(Path(result).exists(), "removing it is the harness's work, and must not fall into a run")
        self.assertEqual(driver.ask("discard"), "discarded")
        self.assertEqual(driver.ask("stop"), "stopped")
        self.assertEqual(driver.process.wait(5), 0)

    def test_where_slots_were_is_told_with_the_digest_and_only_if_asked_for(self) -> None:
        self.driver.start(spans=True)
        self.assertNotIn("spans", self.driver.ask(run("select 5 as n"))["ran"], "reading a trace is not the run's time")
        spans = self.driver.ask(DIGEST)["digested"]["spans"]
        self.assertEqual((spans["version"], list(spans["by_kind_ns"]), spans["notes"]), (1, ["compute"], ["1 task"]))
        self.end()
        self.driver = Driver(self.driver.scratch)
        self.driver.start()
        self.driver.ask(run("select 5 as n"))
        self.assertNotIn("spans", self.driver.ask(DIGEST)["digested"])

    def test_failures_have_kinds_and_end_nothing(self) -> None:
        self.driver.start()
        self.driver.load()
        for sql, kind in [("select count(*) as n from u", "program"), ("select a, b", "unsupported")]:
            self.assertEqual(self.driver.ask(run(sql))["failed"]["kind"], kind)
        self.assertEqual(self.driver.ask({"hurry": {}})["failed"]["kind"], "protocol")
        self.assertEqual(self.driver.ask({"load": {"datasets": [], "more": 1}})["failed"]["kind"], "protocol")
        self.assertEqual(self.driver.ask(run("select count(*) as n from t"))["ran"]["rows"], 1)

    def test_nothing_is_done_before_the_start(self) -> None:
        self.assertEqual(self.driver.ask(run("select 1 as n"))["failed"]["kind"], "protocol")
        self.assertEqual(self.driver.ask({"hello": {"protocol": 2}})["failed"]["kind"], "protocol")
        self.assertEqual(self.driver.start(cluster="elsewhere")["failed"]["kind"], "unsupported")

    def test_a_run_is_cancelled_while_it_goes_on(self) -> None:
        self.driver.start()
        number = self.driver.send(run("select sleep as n"))
        time.sleep(0.1)
        self.driver.send({"cancel": {"run": number}})
        reply = self.driver.hear()
        self.assertEqual((reply["id"], reply["body"]["failed"]["kind"]), (number, "cancelled"))
        self.assertEqual(self.driver.ask(run("select 3 as n"))["ran"]["rows"], 1)

    def test_what_libraries_print_is_no_reply(self) -> None:
        self.driver.start()
        self.assertEqual(self.driver.ask(run("select print as n"))["ran"]["rows"], 1)

    def test_garbage_ends_it(self) -> None:
        self.driver.start()
        self.driver.process.stdin.write(b'{"id":1,"id":2,"body":"stop"}\n')
        self.driver.process.stdin.flush()
        self.assertEqual(self.driver.process.stdout.read(), b"")
        self.assertEqual(self.driver.process.wait(5), 2)

    def test_the_end_of_the_input_ends_it_and_its_daemons_even_in_a_run_that_hangs(self) -> None:
        self.driver.start()
        self.driver.ask(run("select daemon as n"))
        below = processes_below(self.driver.process.pid)
        self.assertEqual(len(below), 1, "a detached process stays in the driver's tree")
        self.driver.send(run("select hang as n"))
        time.sleep(0.2)
        self.driver.process.stdin.close()
        self.driver.process.wait(15)
        self.assertFalse(Path(f"/proc/{below[0]}").exists())
        self.driver.process.stdin = open(os.devnull, "wb")


def setting(key: str, value: str) -> str:
    return f'[[setting]]\nkey = "{key}"\nvalue = "{value}"\nreason = "r"\nsource = "s"\n'


def processes_below(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Files(unittest.TestCase):
    def test_settings_are_filled_in_and_left_out_without_a_limit(self) -> None:
        places = {"slots": 4, "memory_bytes": 1 << 30, "memory_mib": 1024, "scratch": "/s"}
        self.assertEqual(fill("{memory_mib*0.6}m", places), "614m")
        self.assertEqual(fill("{scratch}/x", places), "/s/x")
        self.assertIsNone(fill("{memory_mib}m", {**places, "memory_mib": None}))
        self.assertIs(fill(True, places), True)

    def test_a_setting_without_a_reason_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "default.toml"
            path.write_text('[[setting]]\nkey = "a"\nvalue = 1\nsource = "s"\n')
            self.assertRaisesRegex(DriverError, "every setting has key, reason, source, value", read_settings, Path(folder), "default", {})
            path.write_text('[[setting]]\nkey = "a"\nvalue = "{slots}"\nreason = "r"\nsource = "s"\n')
            self.assertEqual(read_settings(Path(folder), "default", {"slots": 3}), {"a": "3"})
            self.assertRaisesRegex(DriverError, "cannot read the settings", read_settings, Path(folder), "tuned", {})

    def test_a_trial_and_an_advice_are_what_comes_with_a_change(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "default.toml").write_text(setting("a", "1") + setting("b", "{slots}"))
            (folder / "tuned.toml").write_text('[[trial]]\nset = { b = "{slots*3}", c = true }\nresult = "less"\nkept = false\n')
            (folder / "advice.toml").write_text('[[advice]]\nname = "no-a"\nset = { a = 0 }\nreason = "r"\nsource = "s"\n')
            read = lambda name: read_settings(folder, name, {"slots": 2})  # noqa: E731
            self.assertEqual(read("default"), {"a": "1", "b": "2"})
            self.assertEqual(read("tuned"), {})
            self.assertEqual(read("trial-1"), {"a": "1", "b": "6", "c": True})
            self.assertEqual(read("no-a"), {"a": 0, "b": "2"})
            for wrong in ("trial-2", "../no-a", "advice"):
                self.assertRaisesRegex(ProgramError, "default, tuned, trial-1, no-a, and not", read, wrong)
            (folder / "advice.toml").write_text('[[advice]]\nname = "trial-1"\nset = { a = 0 }\nreason = "r"\nsource = "s"\n')
            self.assertRaisesRegex(DriverError, "two configurations `trial-1`", read, "default")

    def test_an_override_answers_its_own_question_only(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "overrides" / "q.sql"
            path.parent.mkdir()
            path.write_text(f"-- why: spelled differently\n-- original: {fingerprint('select  1')}\nselect one\n")
            self.assertEqual(override_of(Path(folder), "q", "select\n1")[1], "spelled differently")
            self.assertIsNone(override_of(Path(folder), "q", "select 2"))
            self.assertIsNone(override_of(Path(folder), "../q", "select 1"))
            path.write_text("select one\n")
            self.assertRaises(DriverError, override_of, Path(folder), "q", "select 1")

    def test_steps_are_understood_or_refused(self) -> None:
        join = {"join": {"table": "u", "on": [["a", "b"]], "how": "left", "steps": [{"limit": 3}]}}
        self.assertEqual(parse_steps([{"scan": "t"}, join]), [Scan("t"), Join("u", (("a", "b"),), "left", (Limit(3),))])
        for wrong in [[], [{"limit": 1}], [{"scan": "t"}, {"scan": "u"}], [{"scan": "t"}, {"limit": True}], [{"scan": "t"}, {"fold": 1}]]:
            self.assertRaises(ProtocolError, parse_steps, wrong)


class Starting(unittest.TestCase):
    def parse(self, **more) -> Setup:
        return Setup.parse({"slots": 4, "scratch": "/s", "tuning": {}, "spans": False} | more)

    def test_a_cluster_that_is_attached_to_has_the_slots_of_all_its_machines(self) -> None:
        attached = self.parse(cluster={"attached": {"address": "tcp://h:1", "nodes": 3}})
        self.assertEqual((attached.attach, attached.nodes), ("tcp://h:1", 3))
        self.assertEqual((self.parse().attach, self.parse().nodes), (None, 1))
        self.assertRaises(ProtocolError, self.parse, cluster={"attached": {"address": "tcp://h:1"}})
        self.assertRaises(ProtocolError, self.parse, cluster={"attached": {"address": "tcp://h:1", "nodes": 1, "more": 1}})
        engine = Engine()
        engine.setup = attached
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "default.toml").write_text(setting("a", "{slots*2}"))
            engine.folder = lambda: Path(folder)
            self.assertEqual(engine.settings(), {"a": "24"})


class Results(unittest.TestCase):
    def kind(self, error: Exception) -> str:
        class Full(Engine):
            name = "full"

            def write_result(self, path: Path) -> None:
                raise error

        server = _Server(Full(), io.BytesIO())
        server.started = server.held = True
        server.engine.setup = Starting().parse()
        return server.answer(1, "digest", {"check": {}})["failed"]["kind"]

    def test_an_answer_is_not_lost_because_its_trace_cannot_be_read(self) -> None:
        class Forgetful(Engine):
            name = "forgetful"
            tells: object = None

            def write_result(self, path: Path) -> None:
                path.write_text("rows")

            def discard(self) -> None:
                pass

            def spans(self, window) -> object:
                if self.tells:
                    raise self.tells
                return None

        with tempfile.TemporaryDirectory() as folder:
            server = _Server(Forgetful(), io.BytesIO())
            server.started = server.held = True
            server.engine.setup = Starting().parse(scratch=folder, spans=True)
            self.assertEqual(set(server.answer(1, "digest", {"check": {}})["digested"]), {"result", "check_ns"})
            server.held, server.engine.tells = True, KeyError("startTime")
            spans = server.answer(1, "digest", {"check": {}})["digested"]["spans"]
            self.assertEqual(spans["by_kind_ns"], {})
            self.assertEqual(spans["notes"], ["the trace of forgetful cannot be read: KeyError: 'startTime'"])

    def test_only_a_place_without_room_is_the_harness_s_fault(self) -> None:
        self.assertEqual(self.kind(OSError(errno.ENOSPC, "full")), "harness")
        self.assertEqual(self.kind(PermissionError(errno.EACCES, "no")), "harness")
        self.assertEqual(self.kind(ConnectionResetError(errno.ECONNRESET, "the virtual machine is gone")), "failed")
        self.assertEqual(self.kind(FileNotFoundError(errno.ENOENT, "a shuffle file is gone")), "failed")


class Casualties(unittest.TestCase):
    def message(self, error: Exception, lost: str | None) -> str:
        class Bereft(Engine):
            name = "bereft"

            def discard(self) -> None:
                raise error

            def casualty(self) -> str | None:
                return lost

        server = _Server(Bereft(), io.BytesIO())
        server.started = server.held = True
        return server.answer(1, "discard", None)["failed"]["message"]

    def test_a_process_that_was_lost_is_named_before_the_connection_that_broke(self) -> None:
        broken = ConnectionRefusedError("refused")
        self.assertEqual(self.message(broken, "the JVM was killed by signal 9"), "the JVM was killed by signal 9: ConnectionRefusedError: refused")
        self.assertEqual(self.message(broken, None), "ConnectionRefusedError: refused")

    def test_an_error_of_a_known_kind_says_itself_what_happened(self) -> None:
        self.assertEqual(self.message(ProgramError("no column x"), "the JVM exited with code 1"), "no column x")


class Expressions(unittest.TestCase):
    def test_operators_bind_as_in_sql(self) -> None:
        v = Column("v")
        self.assertEqual(parse("v + 2 * 3 AS w"), Named(Binary("+", v, Binary("*", Literal(2), Literal(3))), "w"))
        self.assertEqual(parse("NOT v = 1 OR v < -2.5"), parse("(not (v = 1)) or (v < -2.5)"))
        self.assertEqual(parse("v between 1 and 2 and v is not null"), parse("(v >= 1 and v <= 2) and (v is not null)"))
        self.assertEqual(parse("a - b - c"), parse("(a - b) - c"))
        self.assertEqual(parse("\"V\"").name, "V")
        self.assertEqual(parse("V").name, "v")

    def test_windows_have_sql_s_own_place_for_nulls(self) -> None:
        window = parse("rank() OVER (PARTITION BY a, b ORDER BY v DESC, w) AS place").expr
        order = (Order(Column("v"), True, True), Order(Column("w"), False, False))
        self.assertEqual(window, Call("rank", (), False, Over((Column("a"), Column("b")), order)))

    def test_aggregates_are_found_inside(self) -> None:
        self.assertEqual([call.name for call in aggregates_of(parse("max(a) - coalesce(min(b + 1), 0)").expr)], ["max", "min"])
        self.assertEqual(aggregates_of(parse("sum(a) over ()").expr), [])

    def test_what_is_not_understood_says_where(self) -> None:
        for text in ["", "a +", "(a", "a b", "f(a", "a is 3", "'x", "case end", "a not 3", "a ; b"]:
            self.assertRaisesRegex(ProgramError, "at character", parse, text)

    def test_every_expression_of_the_suite_is_understood(self) -> None:
        family = tomllib.loads((HERE.parents[2] / "workloads/suite/families/groupby/family.toml").read_text())
        texts: list[str] = []
        for workload in family["workload"]:
            for step in parse_steps(workload["steps"]):
                for name in ("text", "columns", "by", "agg"):
                    found = getattr(step, name, ())
                    texts.extend([found] if isinstance(found, str) else found)
        self.assertGreater(len(texts), 60)
        for text in texts:
            parse(text)


class Ports(unittest.TestCase):
    def test_whoever_listens_on_a_port_is_named(self) -> None:
        port = free_port()
        self.assertIsNone(holder_of(port))
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):
            with self.subTest(host), socket.socket(family) as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind((host, port))
                server.listen()
                self.assertRegex(holder_of(port), rf"^\S+ \(process {os.getpid()}\)$")
        self.assertIsNone(holder_of(port), "free again")

    def test_a_connection_that_was_just_closed_is_in_nobody_s_way(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as client:
                accepted, _ = server.accept()
                # Whoever closes first keeps the pair of ports for a while.
                accepted.close()
                client.recv(1)
        self.assertIsNone(holder_of(port))


if __name__ == "__main__":
    unittest.main()
