# shellcheck shell=sh
# Sourced by up.sh and test.sh: sets up a Python environment and a container engine on a bare Debian or Ubuntu machine.
#
# Every step first checks whether its work is done, so a second run changes nothing. The caller sets `root`, the
# checkout. Nothing is removed, and no running engine is touched. The pid of an engine that is started here is kept in
# $engine_pid_file, and `up.sh stop` stops only that engine.

: "${root:?the caller sets it}"
venv=$root/.venv
state=${SANDBOX_HOME:-/var/lib/sandbox}
engine_pid_file=$state/dockerd.pid
engine_log=$state/dockerd.log
engine_patience_s=60
step_log=$(mktemp)
trap 'rm -f "$step_log"' EXIT

say() { printf '%s\n' "==> $*"; }

fail() { # what failed, what to do
    printf '%s\n' "==> FAILED: $1" "    what to do: $2" >&2
    exit 1
}

attempt() { # a command, silent unless it fails
    "$@" >"$step_log" 2>&1 </dev/null && return 0
    tail -n 20 "$step_log" | sed 's/^/    /' >&2
    return 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

install_packages() { # package...; true if they are installed
    is_root && command -v apt-get >/dev/null || return 1
    say "packages: installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qy --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" >/dev/null 2>&1 </dev/null && return 0
    attempt apt-get update -q -o DPkg::Lock::Timeout=120 || return 1
    attempt apt-get install -qy --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
}

# Python

find_python() { # print the first Python that is new enough
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        "$candidate" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)' 2>/dev/null && return 0
    done
    return 1
}

ensure_python() {
    python=$(find_python) || {
        install_packages python3 python3-venv || install_packages python3.11 python3.11-venv || true
        python=$(find_python) || fail "Python 3.11 or newer not found" "install one, or set PYTHON=/path/to/python3"
    }
}

ensure_venv() {
    "$venv/bin/python" -c '' 2>/dev/null && return 0
    ensure_python
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        install_packages python3-venv "$(basename "$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')")-venv" ||
        fail "$python cannot create virtual environments" "apt-get install python3-venv"
    say "python: creating .venv with $python"
    attempt "$python" -m venv --clear "$venv" || fail "cannot create a virtual environment in $venv" "see above; is the disk full?"
}

locked_state() { # lock file; what an installation depends on, as one line
    (cd "$root" && printf '%s ' "$root" && cat pyproject.toml "$1" | cksum)
}

ensure_package() { # lock file: install exactly what it lists, and this checkout
    ensure_venv
    stamp=$venv/.$1
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(locked_state "$1")" ]; then
        say "python: .venv is up to date with $1"
        return 0
    fi
    say "python: installing $1 and this checkout into .venv "
    # Without uv, pip installs everything, more slowly.
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$root/requirements-uv.lock" \
        >/dev/null 2>&1 </dev/null || true
    attempt "$venv/bin/python" "$root/deploy/packages.py" --require-hashes -r "$root/$1" ||
        fail "cannot install the packages of $1" "check that pip reaches its package index, then run this again"
    attempt "$venv/bin/python" "$root/deploy/packages.py" --no-deps --editable "${root}[server]" ||
        fail "cannot install this checkout" "see above; pyproject.toml may be broken"
    locked_state "$1" >"$stamp"
}

# The container engine

engine_version() { # print the version of the engine that answers
    "$venv/bin/python" -c 'import docker; print(docker.from_env(timeout=5).version()["Version"])' 2>/dev/null
}

dockerd_runs() { grep -qsx dockerd /proc/[0-9]*/comm; }

wait_for_engine() { # pid or nothing; true if it answers, false if it dies or does not answer
    waited=0
    while [ "$waited" -lt "$engine_patience_s" ]; do
        engine_version >/dev/null && return 0
        [ -z "$1" ] || kill -0 "$1" 2>/dev/null || return 1
        sleep 1
        waited=$((waited + 1))
    done
    return 1
}

forget_dead_engine() { # a pid file survives a reboot, and another process may have its number
    for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        [ -f "$file" ] || continue
        grep -qs "^$(basename "$file" .pid)" "/proc/$(cat "$file")/comm" || rm -f "$file"
    done
}

start_dockerd() { # options...; in a new session, so that it outlives this script
    forget_dead_engine
    setsid dockerd "$@" >>"$engine_log" 2>&1 </dev/null &
    wait_for_engine "$!" || return 1
    cat /var/run/docker.pid >"$engine_pid_file"
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        say "engine: starting docker.service"
        attempt systemctl start docker && wait_for_engine ""
    elif dockerd_runs; then
        say "engine: waiting for the dockerd that is already running"
        wait_for_engine ""
    else
        say "engine: starting dockerd, log in $engine_log"
        mkdir -p "$state" && : >"$engine_log"
        # Boxes have no network, and images are built on the host's network. So if the kernel does not allow a bridge,
        # an engine without one works as well.
        start_dockerd || start_dockerd --bridge=none --iptables=false
    fi
}

ensure_engine() { # true if an engine answers; otherwise prints the reason
    if version=$(engine_version); then
        say "engine: Docker $version answers"
        return 0
    fi
    if [ -n "${DOCKER_HOST:-}" ]; then
        say "engine: nothing answers at DOCKER_HOST=$DOCKER_HOST"
        return 1
    fi
    if ! is_root; then
        say "engine: no Docker engine answers, and installing or starting one needs root"
        return 1
    fi
    if ! command -v dockerd >/dev/null && ! install_packages docker.io; then
        say "engine: cannot install docker.io"
        return 1
    fi
    if ! start_engine; then
        tail -n 5 "$engine_log" 2>/dev/null | sed 's/^/    /' >&2
        say "engine: dockerd does not start on this machine"
        return 1
    fi
    say "engine: Docker $(engine_version) started"
}

ensure_images() {
    # Without a container registry, the Debian base is built with debootstrap. With one, debootstrap is optional.
    command -v debootstrap >/dev/null || install_packages debootstrap debian-archive-keyring ||
        say "images: cannot install debootstrap; a container registry is needed"
    "$venv/bin/sandbox" images build || fail "cannot build the images" "see above, then run this again"
}

stop_engine() { # only one that was started here, and only if it runs no containers
    [ -f "$engine_pid_file" ] || return 0
    pid=$(cat "$engine_pid_file")
    if grep -qsx dockerd "/proc/$pid/comm"; then
        if [ "$("$venv/bin/python" -c 'import docker; print(len(docker.from_env(timeout=5).containers.list()))' 2>/dev/null)" != 0 ]; then
            say "engine: still running, because it has other containers"
            return 0
        fi
        say "engine: stopping the dockerd that was started here"
        kill "$pid"
        waited=0
        while [ -d "/proc/$pid" ] && [ "$waited" -lt 30 ]; do
            sleep 1
            waited=$((waited + 1))
        done
        [ ! -d "/proc/$pid" ] || fail "dockerd ($pid) does not stop" "look at $engine_log"
        umount /var/run/docker/netns/* 2>/dev/null || true
    fi
    rm -f "$engine_pid_file"
}
