#!/usr/bin/env bash
# All that only a CUDA device can show, in one call of less than ten minutes: the tests that need
# one, a training step beside the plain path and beside an earlier commit, what takes its time, the
# Triton kernel, and inference. Writes the ledger (results/) and the tables of docs/results.md.
#
#   GLANET_DATA=... benchmarks/gpu.sh [EARLIER]
#
# EARLIER is a commit, or a folder with its files where there is no git.
# PYTHON names an interpreter other than .venv/bin/python.
#
# Exit status: 0 if all was measured; 1 if something failed, or no time was left for it; 2 without a
# CUDA device.
set -uo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-.venv/bin/python}
# the last commit before the work on the training step began, with 143 images/s
EARLIER=${1:-4e7b4e9}
LIMIT=560 # seconds for everything but the tables

if ! command -v "$PYTHON" >/dev/null; then
    echo "benchmarks/gpu.sh: $PYTHON not found. Set up .venv, or set PYTHON to an interpreter" >&2
    exit 1
fi
if ! "$PYTHON" -c "import sys, torch; sys.exit(not torch.cuda.is_available())"; then
    echo "benchmarks/gpu.sh: no CUDA device, so nothing was measured" >&2
    exit 2
fi

status=0
run() {
    local left=$((LIMIT - SECONDS))
    if [ "$left" -le 10 ]; then
        echo "== no time left for: $*" >&2
        status=1
        return
    fi
    echo "== $* ($left seconds left)"
    # by SIGINT, so that a worktree of the earlier version is removed
    if ! timeout --signal=INT --kill-after=10 "$left" "$@"; then
        echo "== failed: $*" >&2
        status=1
    fi
}

earlier=(--earlier "$EARLIER")
if [ ! -d "$EARLIER" ] && ! git rev-parse --quiet --verify "$EARLIER^{commit}" >/dev/null 2>&1; then
    echo "== $EARLIER is neither a commit here nor a folder: no earlier version is measured" >&2
    earlier=()
    status=1
fi

# The first lines measure what the speed is judged by; what may be cut for lack of time is last.
# Each command writes to the ledger as soon as it can, and a failure ends that command alone.
step=(--rounds 1 --steps 40)
run "$PYTHON" -m benchmarks.train_step --presets paper "${step[@]}" "${earlier[@]}"
run "$PYTHON" -m benchmarks.train_step --presets light "${step[@]}" "${earlier[@]}"
run "$PYTHON" -m benchmarks.window_attention
image=(--presets paper light --rounds 2 --device cuda)
run "$PYTHON" -m benchmarks.inference "${image[@]}" --side 128
run "$PYTHON" -m benchmarks.inference "${image[@]}" --scale 4 --side 180 --width 320
run "$PYTHON" -m benchmarks.profile_step --presets paper "${earlier[@]}"
run "$PYTHON" -m pytest -q -m cuda tests
run "$PYTHON" -m benchmarks.profile_step --presets light "${earlier[@]}"
run "$PYTHON" -m benchmarks.train_step --presets paper --layers "${step[@]}"
"$PYTHON" -m benchmarks.readme || status=1
exit "$status"
