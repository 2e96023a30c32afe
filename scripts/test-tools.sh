#!/usr/bin/env bash
# What the tests need beside Rust and a C compiler: an ssh server, for nodes on other machines (harness/bench/tests/hosts.rs).
# Installs it where that is possible without asking anybody: as root, with apt-get. It never fails: what cannot be
# tested is said here, and reported as ignored by the tests.
set -uo pipefail

not_tested() {
    echo "NOT TESTED here: nodes on other machines (--cluster HOSTS.toml): $1" >&2
    exit 0
}

[[ -x /usr/sbin/sshd ]] && exit 0
[[ "$(id -u)" == 0 ]] || not_tested "there is no ssh server, and only root could install openssh-server"
command -v apt-get >/dev/null || not_tested "there is no ssh server; install openssh-server"

# The tests start servers of their own, in namespaces of their own: the system's must not begin to listen.
policy=/usr/sbin/policy-rc.d
if [[ ! -e "$policy" ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
log="$(mktemp)"
if ! { apt-get update && apt-get install --yes --no-install-recommends openssh-server openssh-client iproute2; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    not_tested "openssh-server could not be installed (above)"
fi
rm -f "$log"
echo "installed openssh-server for the tests; the system's own server was not started"
