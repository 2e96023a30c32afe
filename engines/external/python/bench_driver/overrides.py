"""Documented differences of a product's SQL dialect: `overrides/WORKLOAD.sql` beside its driver.

The file begins with comments, of which these two are required:

    -- why: this dialect spells intervals differently
    -- original: 0123456789abcdef

`original` is `fingerprint` of the text that is replaced (`python3 -m bench_driver.overrides FILE.sql` prints it), so that an
override never answers another question: for any other text of that name it is not used.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

from .failures import DriverError

_HEADER = re.compile(r"^-- (why|original): (.+)$", re.MULTILINE)


def fingerprint(sql: str) -> str:
    """What identifies a query's text, white space aside."""
    return hashlib.sha256(" ".join(sql.split()).encode()).hexdigest()[:16]


def override_of(folder: Path, workload: str, sql: str) -> tuple[str, str] | None:
    """The text to run instead of `sql`, and why, if there is one."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", workload):
        return None
    path = folder / "overrides" / f"{workload}.sql"
    if not path.is_file():
        return None
    text = path.read_text()
    header = dict(_HEADER.findall(text))
    if set(header) != {"why", "original"}:
        raise DriverError(f"{path} must begin with `-- why: ...` and `-- original: ...`")
    return (text, header["why"].strip()) if header["original"].strip() == fingerprint(sql) else None


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(fingerprint(Path(name).read_text()), name)
