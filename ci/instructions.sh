#!/usr/bin/env bash
# Gates this project itself: counts the instructions that the styles' machines take for fixed seeds in virtual time, and compares
# with ci/instructions.txt. Nothing is timed, so a busy or shared machine gives the same count to a few in a hundred thousand.
#
#   ci/instructions.sh [--store]      # --store writes the counts that were found; commit them with the change that explains them
#
# Counts the built program $BENCH, by default that of the release build. Exit codes: 0 fine, 1 a count grew beyond its limit,
# 2 nothing could be counted. Without valgrind it says so and ends with 0 only if ALLOW_MISSING=1 is set.
set -euo pipefail
cd "$(dirname "$0")/.."

bench="${BENCH:-${CARGO_TARGET_DIR:-target}/release/bench}"
stored=ci/instructions.txt
# Another compiler or another processor's way to copy memory moves counts by less.
limit_percent=5

if ! command -v valgrind >/dev/null; then
    echo "NOT CHECKED here: instruction counts (valgrind is not installed)" >&2
    [[ -n "${ALLOW_MISSING:-}" ]] && exit 0 || exit 2
fi
if [[ ! -x "$bench" ]]; then
    echo "there is no program $bench; cargo build --release makes it" >&2
    exit 2
fi

count() { # ARGUMENTS
    local said
    said="$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" $1 --quiet 2>&1)" || {
        printf 'bench %s failed under valgrind:\n%s\n' "$1" "$said" >&2
        return 2
    }
    sed -n 's/.*I *refs: *//p' <<<"$said" | tr -d ','
}

failed=0 found=()
while read -r before arguments; do
    [[ -z "$before" || "$before" == \#* ]] && continue
    now="$(count "$arguments")" || exit 2
    [[ -n "$now" ]] || { echo "valgrind counted nothing for: bench $arguments" >&2; exit 2; }
    found+=("$now $arguments")
    if [[ "$before" == 0 && "${1:-}" != --store ]]; then
        echo "no count is stored for: bench $arguments; ci/instructions.sh --store does that" >&2
        exit 2
    fi
    change="$(awk -v a="$before" -v b="$now" 'BEGIN { printf "%+.2f", (a > 0 ? 100 * (b / a - 1) : 0) }')"
    verdict=ok
    if awk -v c="$change" -v l="$limit_percent" 'BEGIN { exit !(c > l) }'; then
        verdict="MORE than $limit_percent % above the stored count" failed=1
    elif awk -v c="$change" -v l="$limit_percent" 'BEGIN { exit !(c < -l) }'; then
        verdict="ok, and so much less that --store should keep it"
    fi
    printf '%14d instructions  %7s %%  bench %s: %s\n' "$now" "$change" "$arguments" "$verdict"
done <"$stored"

if [[ ${#found[@]} -eq 0 ]]; then
    echo "$stored names no command, so nothing is gated; add a line such as: 0 sim --style actor --seeds 1..200 --nodes 3" >&2
    exit 2
fi
if [[ "${1:-}" == --store ]]; then
    { sed -n '/^#/p' "$stored"; printf '%s\n' "${found[@]}"; } >"$stored.draft"
    mv "$stored.draft" "$stored"
    echo "stored in $stored"
    exit 0
fi
exit "$failed"
