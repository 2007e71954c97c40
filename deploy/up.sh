#!/bin/sh
# Goes from a bare machine to a running service: installs what is missing, builds the images, starts everything, runs
# the demo and keeps the service running. `up.sh stop` stops what it started. A second run takes seconds and changes
# nothing.
#
# SANDBOX_ENGINE=local works without Docker. All other SANDBOX_ settings are passed on.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=deploy/machine.sh
. "$root/deploy/machine.sh"
url=http://${SANDBOX_HOST:-127.0.0.1}:${SANDBOX_PORT:-8080}

warn_of_missing_isolation() {
    cat >&2 <<'MESSAGE'
!!!
!!! No Docker engine: programs run under the LOCAL engine, with fewer isolation layers.
!!!   missing: the container's own memory, process and CPU limits (a monitor outside enforces limits instead)
!!!   missing: the container's read-only image (programs use this machine's python3, gcc and node, and see its files)
!!!   as far as this kernel allows: user, pid, mount and network namespaces, seccomp, rlimits
!!! Only run programs that you trust accordingly. `sandbox doctor` lists the layers here and how to get the rest.
!!!
MESSAGE
}

choose_engine() {
    if [ "${SANDBOX_ENGINE:-docker}" = local ]; then
        say "engine: local, as set by SANDBOX_ENGINE"
    elif ! ensure_engine; then
        SANDBOX_ENGINE=local
    fi
    export SANDBOX_ENGINE="${SANDBOX_ENGINE:-docker}"
    if [ "$SANDBOX_ENGINE" = docker ]; then ensure_images; else warn_of_missing_isolation; fi
}

service_answers() {
    "$venv/bin/python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/health/live", timeout=5)' "$url" 2>/dev/null
}

start_service() {
    if service_answers; then
        say "service: already running at $url"
        return 0
    fi
    say "service: starting at $url"
    "$venv/bin/sandbox" up --detach || fail "the service did not start" "see above; .venv/bin/sandbox doctor says what is missing"
}

up() {
    ensure_package requirements.lock
    choose_engine
    start_service
    say "demo: a queue of real programs"
    "$venv/bin/sandbox" demo || fail "the demo got wrong verdicts" ".venv/bin/sandbox doctor"
    cat <<NEXT

The service runs at $url (its API: $url/docs). Next:

    curl -s $url/execute -H 'Content-Type: application/json' -d '{"language": "python", "code": "print(6 * 7)"}'
    $venv/bin/sandbox doctor
    sh $root/deploy/up.sh stop
NEXT
}

stop() {
    if [ -x "$venv/bin/sandbox" ]; then
        say "service: stopping"
        "$venv/bin/sandbox" down || fail "the service did not stop" "see above"
    fi
    stop_engine
    say "stopped"
}

case "${1:-up}" in
up) up ;;
stop) stop ;;
*) fail "unknown command: $1" "sh deploy/up.sh [stop]" ;;
esac
