#!/usr/bin/env bash
# Judges a change: builds the commit before and the one after it, measures both on this machine in turns, and compares.
#
#   ci/gate.sh BASE_COMMIT [NEW_COMMIT]
#
# SUITE (smoke), TRIALS (24), ROUNDS (6), BUDGET (5%), ALLOW (a file, see docs/gate.md), ENGINES, WORKLOADS and WORK (gate-work) are taken
# from the environment. A round is one run of each build; TRIALS are divided among the rounds, since the run is the unit: many short
# rounds say more than few long ones, and fewer than three rule nothing out. With BASE_BINARY and NEW_BINARY nothing is built. Verdicts
# lie in WORK/verdict.{md,json,xml,sarif}. Exit codes are those of `bench compare`: 0 fine, 1 regression, 2 error or suspect machine,
# 3 inconclusive. ACCEPT_INCONCLUSIVE=1 turns 3 into 0.
set -euo pipefail

suite="${SUITE:-smoke}" trials="${TRIALS:-24}" rounds="${ROUNDS:-6}" work="${WORK:-gate-work}"
mkdir -p "$work"
work="$(cd "$work" && pwd)"
export BENCH_DATA="${BENCH_DATA:-$work/data}"

build() { # COMMIT NAME
    local tree="$work/source-$2" program="$work/target/release/bench"
    # Both commits are built in one folder: what the other one left there must not pass for this one's.
    rm -rf "$tree" "$program" "$work/bench-$2"
    git worktree prune
    git worktree add --detach --force "$tree" "$1" >&2 &&
        (cd "$tree" && CARGO_TARGET_DIR="$work/target" cargo build --release) >&2 &&
        cp "$program" "$work/bench-$2" || {
        echo "$1 ($2) cannot be built: nothing is judged" >&2
        exit 2
    }
    git worktree remove --force "$tree"
}

if [[ -n "${BASE_BINARY:-}" && -n "${NEW_BINARY:-}" ]]; then
    base="$BASE_BINARY" new="$NEW_BINARY"
elif [[ $# -ge 1 ]]; then
    cd "$(git rev-parse --show-toplevel)"
    base="$work/bench-base" new="$work/bench-new"
    build "$1" base
    build "${2:-HEAD}" new
else
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi

runs="$work/runs"
rm -rf "$runs"
mkdir -p "$runs"
options=(run --suite "$suite" --trials "$(((trials + rounds - 1) / rounds))" --quiet)
[[ -z "${ENGINES:-}" ]] || options+=(--engines "$ENGINES")
[[ -z "${WORKLOADS:-}" ]] || options+=(--workloads "$WORKLOADS")

# A trial that fails ends a run with 2; whether that is new is for the comparison to say. A run that did not come to its end says nothing.
measure() { # PROGRAM NAME ROUND
    local code=0 folder="$runs/$2-$3"
    "$1" "${options[@]}" --seed "$3" --out "$folder" >"$runs/$2-$3.log" 2>&1 || code=$?
    if [[ $code -ne 0 && $code -ne 2 ]] || ! grep -q '"finished_at"' "$folder/run.json" 2>/dev/null; then
        cat "$runs/$2-$3.log" >&2
        echo "round $3 of $2 was not finished (exit code $code): nothing is judged" >&2
        exit 2
    fi
}
for ((round = 1; round <= rounds; round++)); do
    if ((round % 2)); then
        measure "$base" base "$round"
        measure "$new" new "$round"
    else
        measure "$new" new "$round"
        measure "$base" base "$round"
    fi
done

more=()
for ((round = 2; round <= rounds; round++)); do
    more+=(--more-base "$runs/base-$round" --more-new "$runs/new-$round")
done
[[ -z "${ALLOW:-}" ]] || more+=(--allow "$ALLOW")
[[ -z "${BUDGET:-}" ]] || more+=(--budget "$BUDGET")
format=table
[[ -z "${GITHUB_ACTIONS:-}" ]] || format=github
code=0
"$new" compare "$runs/base-1" "$runs/new-1" "${more[@]}" --format "$format" --write "md=$work/verdict.md" \
    --write "json=$work/verdict.json" --write "junit=$work/verdict.xml" --write "sarif=$work/verdict.sarif" || code=$?
[[ $code -ne 3 || -z "${ACCEPT_INCONCLUSIVE:-}" ]] || code=0
exit "$code"
