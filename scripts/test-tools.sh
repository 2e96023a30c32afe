#!/usr/bin/env bash
# What the tests need beside Rust and a C compiler: an ssh server, for nodes on other machines (harness/bench/tests/hosts.rs), a browser,
# for the HTML report (reports/tests/browser), and valgrind, which counts instructions (ci/instructions.sh). Installs them where
# that is possible without asking anybody: as root, with apt-get. It never fails: what cannot be tested is said here, and reported as
# ignored by the tests.
set -uo pipefail

policy=/usr/sbin/policy-rc.d
made_policy=""
log="$(mktemp)"
trap 'rm -f "$log"; [[ -z "$made_policy" ]] || rm -f "$policy"' EXIT

# install WHAT PACKAGE...: WHAT is what cannot be tested without them.
install() {
    local what="$1"
    shift
    if [[ "$(id -u)" != 0 ]]; then
        echo "NOT TESTED here: $what: only root could install $*" >&2
        return
    fi
    if ! command -v apt-get >/dev/null; then
        echo "NOT TESTED here: $what: install $*" >&2
        return
    fi
    # The tests start servers of their own, in namespaces of their own: the system's must not begin to listen.
    if [[ ! -e "$policy" ]]; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    if { apt-get update && apt-get install --yes --no-install-recommends "$@"; } >"$log" 2>&1; then
        echo "installed $* for the tests; no server of the system's own was started"
    else
        tail -n 5 "$log" >&2
        echo "NOT TESTED here: $what: $* could not be installed (above)" >&2
    fi
}

[[ -x /usr/sbin/sshd ]] ||
    install "nodes on other machines (--cluster HOSTS.toml)" openssh-server openssh-client iproute2

browser=""
for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && browser="$name"
done
command -v valgrind >/dev/null || install "instruction counts" valgrind

[[ -n "$browser" ]] || install "the HTML report in a browser" chromium
exit 0
