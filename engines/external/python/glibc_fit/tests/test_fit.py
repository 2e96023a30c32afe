"""Wheels are fitted to an older glibc if that is all they lack, and else refused. Needs the standard library only."""

from __future__ import annotations

import base64
import hashlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

FIT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(FIT))

from fit import fit, requirement  # noqa: E402
from versions import DYNSYM, VERNEED, VERSYM, Library, Refused  # noqa: E402

STRTAB, WEAK, STRONG = 3, 2, 1
NAME = "some-1.0-cp310-abi3-manylinux_2_39_x86_64.whl"
INFO = "some-1.0.dist-info"


def library(symbols: list[tuple[str, str, int]], needed: list[str] = (), flags: int = 0, machine: int = 62) -> bytes:
    """A shared library without code: `symbols` with the version they need and how firmly, `needed` versions without users."""
    versions = list(dict.fromkeys([version for _, version, _ in symbols] + list(needed)))
    strings = b"\0libc.so.6\0"
    at: dict[str, int] = {}
    for text in versions + [name for name, _, _ in symbols]:
        at[text] = len(strings)
        strings += text.encode() + b"\0"
    dynsym = bytes(24) + b"".join(struct.pack("<IBBHQQ", at[name], bind << 4 | 2, 0, 0, 0, 0) for name, _, bind in symbols)
    versym = struct.pack(f"<{len(symbols) + 1}H", 0, *(versions.index(version) + 2 for _, version, _ in symbols))
    entries = [struct.pack("<IHHII", 0, flags, i + 2, at[v], 0 if v == versions[-1] else 16) for i, v in enumerate(versions)]
    verneed = struct.pack("<HHIII", 1, len(versions), 1, 16, 0) + b"".join(entries)
    parts = [(STRTAB, 0, strings), (DYNSYM, 1, dynsym), (VERSYM, 2, versym), (VERNEED, 1, verneed)]
    body, sections = b"", bytes(64)
    for kind, link, data in parts:
        sections += struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, 64 + len(body), len(data), link, 0, 8, 0)
        body += data
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HHIQQQ", 3, machine, 1, 0, 0, 64 + len(body))
    return head + struct.pack("<IHHHHHH", 0, 64, 0, 0, 64, len(parts) + 1, 0) + body + sections


GOOD = library([("write", "GLIBC_2.2.5", STRONG), ("pidfd_spawnp", "GLIBC_2.39", WEAK), ("unwind", "GCC_3.0", STRONG)])


class Fitting(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "fitted").mkdir()

    def wheel(self, *libraries: bytes, name: str = NAME, tag: str = NAME[9:-4], date: int = 2020, more: dict = {}) -> Path:
        files = {"some/__init__.py": b"import os\n", f"{INFO}/WHEEL": f"Wheel-Version: 1.0\nTag: {tag}\n".encode()}
        files |= {f"some/_{i}.so": data for i, data in enumerate(libraries)} | more | {f"{INFO}/RECORD": b"what it was\n"}
        path = self.folder / name
        with zipfile.ZipFile(path, "w") as wheel:
            for file, data in files.items():
                item = zipfile.ZipInfo(file, (date, 1, 2, 3, 4, 6))
                item.external_attr = (0o755 if file.endswith(".so") else 0o644) << 16
                item.compress_type = zipfile.ZIP_DEFLATED if date == 2020 else zipfile.ZIP_STORED
                wheel.writestr(item, data)
        return path

    def fit(self, wheel: Path) -> Path:
        return fit(wheel, self.folder / "fitted", "2.39", "2.34")

    def refused(self, words: str, *libraries: bytes, **how) -> None:
        with self.assertRaisesRegex(Refused, words):
            self.fit(self.wheel(*libraries, **how))
        self.assertEqual(list((self.folder / "fitted").iterdir()), [], "nothing is left of what was refused")

    def test_one_flag_is_set_and_nothing_else_of_a_library_changes(self) -> None:
        with zipfile.ZipFile(self.fit(self.wheel(GOOD, library([("f", "GLIBC_2.34", STRONG)])))) as fitted:
            found = fitted.read("some/_0.so")
            self.assertEqual([n.flags for n in Library(found).needs()], [0, 2, 0])
            changed = [i for i in range(len(GOOD)) if GOOD[i] != found[i]]
            self.assertEqual((len(found), len(changed)), (len(GOOD), 1))
            self.assertEqual(fitted.read("some/_1.so"), library([("f", "GLIBC_2.34", STRONG)]))
            self.assertEqual(fitted.getinfo("some/_0.so").external_attr >> 16, 0o100755)

    def test_it_is_called_what_it_then_is(self) -> None:
        path = self.fit(self.wheel(GOOD))
        self.assertEqual(path.name, "some-1.0-cp310-abi3-manylinux_2_34_x86_64.whl")
        with zipfile.ZipFile(path) as fitted:
            about = fitted.read(f"{INFO}/WHEEL").decode()
        self.assertEqual(about, "Wheel-Version: 1.0\nTag: cp310-abi3-manylinux_2_34_x86_64\n")

    def test_record_holds_every_file_with_the_hash_that_it_has_now(self) -> None:
        with zipfile.ZipFile(self.fit(self.wheel(GOOD))) as fitted:
            lines = [line.split(",") for line in fitted.read(f"{INFO}/RECORD").decode().splitlines()]
            self.assertEqual([line[0] for line in lines], fitted.namelist())
            for name, digest, size in lines[:-1]:
                data = fitted.read(name)
                found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
                self.assertEqual((digest, size), (f"sha256={found}", str(len(data))), name)
            self.assertEqual(lines[-1], [f"{INFO}/RECORD", "", ""])

    def test_equal_files_give_equal_bytes_whenever_and_however_they_were_packed(self) -> None:
        one = requirement(self.fit(self.wheel(GOOD)))
        self.assertEqual(one, requirement(self.fit(self.wheel(GOOD, date=2024))))
        self.assertRegex(one, r"^some==1\.0 --hash=sha256:[0-9a-f]{64}$")
        self.assertNotEqual(one, requirement(self.fit(self.wheel(GOOD, more={"some/more.py": b""}))))

    def test_a_function_that_must_be_there_is_refused(self) -> None:
        must = library([("pidfd_spawnp", "GLIBC_2.39", WEAK), ("strlcpy", "GLIBC_2.39", STRONG)])
        self.refused("_1.so: GLIBC_2.39 is needed by more than optional functions: strlcpy", GOOD, must)
        self.refused("by more than optional functions: all of it", library([], needed=["GLIBC_2.39"]))

    def test_another_version_that_is_too_new_or_unknown_is_refused(self) -> None:
        also = lambda version: library([("pidfd_spawnp", "GLIBC_2.39", WEAK), ("f", version, WEAK)])
        self.refused("it needs GLIBC_2.38 too", also("GLIBC_2.38"))
        self.refused("it needs GLIBC_2.35.1 too", also("GLIBC_2.35.1"))
        for version in ("GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR", "GLIBCXX_3.4", "GLIBC_2"):
            self.refused(f"it needs {version}, of which nothing is known", also(version))

    def test_flags_that_are_set_already_are_refused(self) -> None:
        self.refused("the need of GLIBC_2.39 has flags: 2", library([("f", "GLIBC_2.39", WEAK)], flags=2))

    def test_one_need_is_to_be_marked_and_not_none_or_two(self) -> None:
        self.refused("0 needs of glibc 2.39", library([("f", "GLIBC_2.34", STRONG)]))
        self.refused("0 needs of glibc 2.39")
        self.refused("2 needs of glibc 2.39", GOOD, GOOD)

    def test_what_is_no_such_wheel_is_refused(self) -> None:
        self.refused("is no shared library for x86-64", library([("f", "GLIBC_2.39", WEAK)], machine=183))
        self.refused("_0.so: it cannot be read", GOOD[:200])
        self.refused("is not for manylinux_2_39_x86_64", GOOD, name=NAME.replace("2_39", "2_38"))
        self.refused("does not say that it is for manylinux_2_39_x86_64 alone", GOOD, tag="cp310-abi3-linux_x86_64")
        self.refused("or a signature", GOOD, more={f"{INFO}/RECORD.jws": b""})

    def test_the_program_says_what_it_made_or_why_not(self) -> None:
        def ran(wheel: Path) -> subprocess.CompletedProcess:
            words = [str(wheel), str(self.folder / "fitted"), "--published", "2.39", "--fitted", "2.34"]
            return subprocess.run([sys.executable, str(FIT / "fit.py"), *words], capture_output=True, text=True, check=False)

        made = ran(self.wheel(GOOD))
        (path,) = (self.folder / "fitted").iterdir()
        self.assertEqual((made.returncode, made.stdout), (0, requirement(path) + "\n"))
        refused = ran(self.wheel(library([("f", "GLIBC_2.39", STRONG)])))
        self.assertEqual(refused.returncode, 1)
        self.assertIn("needed by more than optional functions: f", refused.stderr)


if __name__ == "__main__":
    unittest.main()
