"""Which texts the programs answer. `python3 -m texts FOLDER` prints the fingerprints of the files in a folder."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from bench_driver.overrides import fingerprint

_SHARE = re.compile(r"(ps_availqty\)\s*\*\s*)(?:[0-9.]+|\$\{fraction\})")
"""The parameter of query 11: the one that depends on the scale."""

TEXTS = {
    "tpch-q01": "a01b463337976b9c",
    "tpch-q02": "135eeb14620f643e",
    "tpch-q03": "dd378bc8ec2bbb13",
    "tpch-q04": "98b0a4a8b94dae18",
    "tpch-q05": "58faa11ded9d5e60",
    "tpch-q06": "722c4c912c818adc",
    "tpch-q07": "7a8a3d475cf7a901",
    "tpch-q08": "ceb2c6d5d340944a",
    "tpch-q09": "b89a1eadbf0981be",
    "tpch-q10": "babaf0e5259f0a80",
    "tpch-q11": "9a866d73bd7c8520",
    "tpch-q12": "76cd913a2d0eb60c",
    "tpch-q13": "371cf2ad80c08c2e",
    "tpch-q14": "0e3a31b54e796e5d",
    "tpch-q15": "84e9cb8c345b9978",
    "tpch-q16": "3e45b9eaf6eda4c7",
    "tpch-q17": "0b61173cd0a22981",
    "tpch-q18": "938020b530635f50",
    "tpch-q19": "820f5bbfbfd5aefa",
    "tpch-q20": "05c04a61dbba6095",
    "tpch-q21": "d4642ef1bcf8dced",
    "tpch-q22": "0cb66469228c7556",
}


def text_of(sql: str) -> str:
    """The fingerprint of a text without its parameter."""
    return fingerprint(_SHARE.sub(r"\g<1>?", sql))


if __name__ == "__main__":
    for path in sorted(Path(sys.argv[1]).glob("*.sql")):
        print(path.stem, text_of(path.read_text()))
