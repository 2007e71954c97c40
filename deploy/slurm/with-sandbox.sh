#!/bin/sh
# Start the service on this node, run a command with SANDBOX_URL set, and stop the service when the command ends:
#
#     #SBATCH --cpus-per-task=16
#     srun sh deploy/slurm/with-sandbox.sh python train.py
#
# SANDBOX_IMAGE is the Apptainer image (default: sandbox.sif). Every node of a job step runs a service of its own. Half of
# the step's CPUs become slots; SANDBOX_SLOTS changes that.
set -eu

[ "$#" -gt 0 ] || {
    echo "usage: with-sandbox.sh COMMAND [ARGUMENT ...]" >&2
    exit 2
}
image=${SANDBOX_IMAGE:-sandbox.sif}
cpus=${SLURM_CPUS_PER_TASK:-$(nproc)}
job=${SLURM_JOB_ID:-$$}-${SLURM_PROCID:-0}
# On the node's own disk: the sockets and the append-only file of Redis do not belong on a shared file system.
SANDBOX_HOME=${SANDBOX_HOME:-${SLURM_TMPDIR:-${TMPDIR:-/tmp}}/sandbox-$job}
SANDBOX_SLOTS=${SANDBOX_SLOTS:-$(((cpus + 1) / 2))}
SANDBOX_PORT=${SANDBOX_PORT:-$((20000 + (${SLURM_JOB_ID:-$$} * 8 + ${SLURM_LOCALID:-0}) % 10000))}
SANDBOX_URL=http://127.0.0.1:$SANDBOX_PORT
SANDBOX_ENGINE=local
export SANDBOX_HOME SANDBOX_SLOTS SANDBOX_PORT SANDBOX_URL SANDBOX_ENGINE

made=
[ -d "$SANDBOX_HOME" ] || made=yes
mkdir -p "$SANDBOX_HOME"
log=$SANDBOX_HOME/service.log
apptainer run --bind "$SANDBOX_HOME" "$image" up >"$log" 2>&1 &
service=$!

stop() {
    kill "$service" 2>/dev/null || true
    wait "$service" 2>/dev/null || true
    [ -z "$made" ] || rm -rf "$SANDBOX_HOME"
}
trap stop EXIT
trap 'exit 143' TERM INT

waited=0
until curl --silent --fail --noproxy '*' --output /dev/null "$SANDBOX_URL/health/ready"; do
    if [ "$waited" -ge "${SANDBOX_START_S:-180}" ] || ! kill -0 "$service" 2>/dev/null; then
        echo "with-sandbox.sh: the service is not ready; the end of its log:" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
    sleep 1
    waited=$((waited + 1))
done
"$@"
