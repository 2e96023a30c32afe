"""Which versions of the C library a shared library asks for, and which of its functions ask.

A 64-bit shared library names, in its section `.gnu.version_r`, each version that it needs of another library; the loader refuses the
library if one is missing, unless the need has the flag `VER_FLG_WEAK`. Each symbol names its version by index. A function that is
*weak* may be missing: the program asks whether it is there before it calls it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\x7fELF"
VER_FLG_WEAK = 2
"""The flag of a need without which the library can do."""
ELF64_LITTLE_SHARED_X86_64 = (b"\x7fELF\x02\x01", 3, 62)
STB_WEAK, SHN_UNDEF = 2, 0
DYNSYM, VERNEED, VERSYM = 11, 0x6FFFFFFE, 0x6FFFFFFF
HIDDEN = 0x8000
"""The bit of a symbol's version index that is no part of the index."""


class Refused(Exception):
    """The file is not what this was made for."""


@dataclass(frozen=True)
class Need:
    """A version that is needed of another library."""

    version: str
    flags: int
    flags_at: int
    """Where in the file the two bytes of the flags are."""
    index: int
    """What symbols call it."""


@dataclass(frozen=True)
class User:
    """A symbol of a version."""

    name: str
    is_optional: bool
    """Whether it may be missing: it is looked for elsewhere, and weak."""


class Library:
    """A shared library for x86-64, as bytes."""

    def __init__(self, data: bytes) -> None:
        start, kind, machine = ELF64_LITTLE_SHARED_X86_64
        if data[: len(start)] != start or struct.unpack_from("<HH", data, 16) != (kind, machine):
            raise Refused("it is no shared library for x86-64")
        self.data = data
        (first,) = struct.unpack_from("<Q", data, 40)
        size, count = struct.unpack_from("<HH", data, 58)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", data, first + i * size) for i in range(count)]

    def needs(self) -> list[Need]:
        """Every version that is needed, of any library."""
        return [need for section in self._of_kind(VERNEED) for need in self._needs_of(section)]

    def _needs_of(self, section: tuple[int, ...]) -> Iterator[Need]:
        file = section[4]
        while True:
            _, entries, _, first, step = struct.unpack_from("<HHIII", self.data, file)
            at = file + first
            for _ in range(entries):
                _, flags, index, name, after = struct.unpack_from("<IHHII", self.data, at)
                yield Need(self._text(section, name), flags, at + 4, index)
                at += after
            if not step:
                return
            file += step

    def users(self, need: Need) -> list[User]:
        """The symbols that ask for a version."""
        (symbols,), (versions,) = self._of_kind(DYNSYM), self._of_kind(VERSYM)
        indices = struct.unpack_from(f"<{versions[5] // 2}H", self.data, versions[4])
        found = []
        for at, index in enumerate(indices):
            if index & ~HIDDEN == need.index:
                name, info, _, section = struct.unpack_from("<IBBH", self.data, symbols[4] + 24 * at)
                is_optional = info >> 4 == STB_WEAK and section == SHN_UNDEF
                found.append(User(self._text(symbols, name), is_optional))
        return found

    def _of_kind(self, kind: int) -> list[tuple[int, ...]]:
        return [section for section in self.sections if section[1] == kind]

    def _text(self, section: tuple[int, ...], at: int) -> str:
        """A name in the strings that belong to a section."""
        begin = self.sections[section[6]][4] + at
        return self.data[begin : self.data.index(0, begin)].decode("ascii")
