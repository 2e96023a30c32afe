"""Makes a wheel load with an older glibc than its file name asks for, where all that it lacks there is optional.

    fit.py WHEEL FOLDER --published 2.39 --fitted 2.34

Rust's standard library looks for newer functions of glibc, such as `pidfd_spawnp` of 2.39, and does without them where they are missing: they are
weak symbols. Linkers nevertheless note their version as needed without fail, so that an older glibc refuses the whole library before
it has run. This sets the flag of that one need that says so (`VER_FLG_WEAK`), gives the wheel the name that is true of it then, and brings
its RECORD up to date. Not a byte of code or data changes.

Everything else is refused: a function that must be there, another version that is too new or unknown, needs that carry a flag already,
none or several to mark, and wheels that are signed. The same wheel always gives the same bytes: nothing is compressed and nothing has a date.

Printed is the line for `fitted.txt` beside the product's requirements; whoever installs the result holds it against that hash.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import struct
import sys
import zipfile
from pathlib import Path

from versions import MAGIC, VER_FLG_WEAK, Library, Need, Refused

MACHINE = "x86_64"
Version = tuple[int, ...]


def fit(wheel: Path, folder: Path, published: str, fitted: str) -> Path:
    """Writes the fitted wheel into `folder`. Raises `Refused` for any other wheel than this was made for."""
    asked, named = platform(published), platform(fitted)
    if not wheel.name.endswith(f"-{asked}.whl"):
        raise Refused(f"{wheel.name} is not for {asked}")
    with zipfile.ZipFile(wheel) as source:
        items = [item for item in source.infolist() if not item.is_dir()]
        names = [item.filename for item in items]
        record = expect_one([n for n in names if n.endswith(".dist-info/RECORD")], "files called RECORD")
        if len(set(names)) != len(names) or any(n.startswith(record + ".") for n in names):
            raise Refused("it holds a file twice, or a signature")
        contents = {item.filename: source.read(item) for item in items if item.filename != record}
    mark(contents, number(published), number(fitted))
    about = record.removesuffix("RECORD") + "WHEEL"
    contents[about] = renamed(contents.get(about, b""), asked, named)
    contents[record] = recorded(contents, record)
    target = folder / wheel.name.replace(asked, named)
    modes = {item.filename: item.external_attr >> 16 & 0o777 for item in items}
    with zipfile.ZipFile(target, "w") as fitted_wheel:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, (0o100000 | modes[name]) << 16
            fitted_wheel.writestr(entry, data)
    return target


def platform(glibc: str) -> str:
    """How file names of wheels call the systems with that glibc or a newer one."""
    return f"manylinux_{glibc.replace('.', '_')}_{MACHINE}"


def number(glibc: str) -> Version:
    return tuple(int(part) for part in glibc.split("."))


def mark(contents: dict[str, bytes], published: Version, fitted: Version) -> None:
    """Marks the one need of the version `published` as optional."""
    needs = []
    for name in [name for name, data in contents.items() if data[:4] == MAGIC]:
        try:
            library = Library(contents[name])
            found = [need for need in library.needs() if too_new(need, published, fitted)]
            for need in found:
                must = [user.name for user in library.users(need) if not user.is_optional]
                if must or not library.users(need):
                    raise Refused(f"{need.version} is needed by more than optional functions: {', '.join(must) or 'all of it'}")
            needs.extend((name, need) for need in found)
        except Refused as refused:
            raise Refused(f"{name}: {refused}") from None
        except (struct.error, ValueError, IndexError) as error:
            raise Refused(f"{name}: it cannot be read: {error}") from error
    name, need = expect_one(needs, f"needs of glibc {'.'.join(map(str, published))}")
    data = bytearray(contents[name])
    struct.pack_into("<H", data, need.flags_at, VER_FLG_WEAK)
    contents[name] = bytes(data)


def too_new(need: Need, published: Version, fitted: Version) -> bool:
    """Whether it is the need that is to be marked; any other has to be one that can be met."""
    if need.flags:
        raise Refused(f"the need of {need.version} has flags: {need.flags}")
    if re.fullmatch(r"GCC_\d+(\.\d+)*", need.version):
        return False
    glibc = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)+)", need.version)
    if glibc is None:
        raise Refused(f"it needs {need.version}, of which nothing is known")
    if number(glibc[1]) == published:
        return True
    if number(glibc[1])[:2] > fitted:
        raise Refused(f"it needs {need.version} too")
    return False


def renamed(about: bytes, asked: str, named: str) -> bytes:
    """The file WHEEL with the name of the other platform in its one tag."""
    tags = re.findall(rb"(?m)^Tag: .*$", about)
    if len(tags) != 1 or not tags[0].endswith(f"-{asked}".encode()):
        raise Refused(f"its file WHEEL does not say that it is for {asked} alone")
    return about.replace(asked.encode(), named.encode())


def recorded(contents: dict[str, bytes], record: str) -> bytes:
    """The file RECORD: every file with its hash and length, itself without."""
    lines = []
    for name, data in contents.items():
        if "," in name or '"' in name:
            raise Refused(f"a file is called {name}")
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return ("".join(lines) + f"{record},,\n").encode()


def expect_one(found: list, what: str):
    if len(found) != 1:
        raise Refused(f"it has {len(found)} {what}, not one")
    return found[0]


def requirement(wheel: Path) -> str:
    """The line that asks for exactly these bytes."""
    package, version = wheel.name.split("-")[:2]
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{package}=={version} --hash=sha256:{digest}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a wheel load with an older glibc, if all that it lacks there is optional.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--published", required=True, help="the version of glibc in its file name")
    parser.add_argument("--fitted", required=True, help="the version that is enough without what is optional")
    given = parser.parse_args()
    try:
        print(requirement(fit(given.wheel, given.folder, given.published, given.fitted)))
    except (Refused, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"{given.wheel}: {error}")


if __name__ == "__main__":
    main()
