#!/bin/sh
# How fast TPC-H tables are made here and by tpchgen-cli, the command line tool of the generator library that both use.
#
#     scripts/compare-generation.sh [SCALE [THREADS [FOLDER]]]       default: 1, all cores, a temporary folder
#
# Both write Snappy-compressed Parquet to the same disk with the same number of threads, in turn (A B B A A B) after one untimed
# round. What is left as a difference: `bench` also checksums every byte, syncs every file, writes statistics per page and
# cuts tables into parts of its own. Needs `bench` (on the PATH, or named by BENCH) and `tpchgen-cli` (on the PATH, or
# named by TPCHGEN; `pip install tpchgen-cli==4.0.0` has it ready to run).
set -eu

scale=${1:-1}
threads=${2:-$(nproc)}
folder=${3:-}
bench=${BENCH:-bench}
tpchgen=${TPCHGEN:-tpchgen-cli}

for program in "$bench" "$tpchgen"; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not there; see the head of $0" >&2
        exit 2
    fi
done
if [ -z "$folder" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

# Prints the seconds that a command took.
seconds() {
    started=$(date +%s.%N)
    "$@" >/dev/null 2>&1 || { echo "failed: $*" >&2; exit 1; }
    ended=$(date +%s.%N)
    echo "$started $ended" | awk '{ printf "%.2f", $2 - $1 }'
}

ours() {
    rm -rf "$folder/bench"
    seconds "$bench" data make --tables tpch --scale "$scale" --threads "$threads" --data "$folder/bench"
}

theirs() {
    rm -rf "$folder/tpchgen"
    seconds "$tpchgen" parquet --scale-factor "$scale" --compression SNAPPY --num-threads "$threads" \
        --output-dir "$folder/tpchgen"
}

ours >/dev/null
theirs >/dev/null
echo "scale $scale, $threads threads, $folder"
echo "round  bench (s)  tpchgen-cli (s)"
for round in 1 2 3; do
    if [ $((round % 2)) -eq 1 ]; then a=$(ours); b=$(theirs); else b=$(theirs); a=$(ours); fi
    printf '%5s  %9s  %15s\n' "$round" "$a" "$b"
done
printf 'bytes  %9s  %15s\n' "$(du -sb "$folder/bench" | cut -f1)" "$(du -sb "$folder/tpchgen" | cut -f1)"
