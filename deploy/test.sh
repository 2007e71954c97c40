#!/bin/sh
# Installs what the tests need and runs format, lint, spelling and type checks, then pytest with the arguments given here.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=deploy/machine.sh
. "$root/deploy/machine.sh"
cd "$root"

ensure_package requirements-test.lock
types_log=$step_log.types
"$venv/bin/mypy" >"$types_log" 2>&1 & # takes half a minute of one core, in parallel with the steps below
types=$!
trap 'kill "$types" 2>/dev/null; rm -f "$step_log" "$types_log"' EXIT
missing=""
for package in shellcheck prometheus docker-compose chromium runsc; do # each is also the name of its command
    command -v "$package" >/dev/null || missing="$missing $package"
done
# shellcheck disable=SC2086 # it is a list of words
[ -z "$missing" ] || install_packages $missing || say "packages: skipping the tests that need$missing"
if ensure_engine; then
    ensure_images
else
    say "engine: none; the tests that need one are skipped (in CI they fail)"
fi

say "ruff format"
"$venv/bin/ruff" format --check --quiet . || fail "files are not formatted" "$venv/bin/ruff format ."
say "ruff check"
"$venv/bin/ruff" check --quiet . || fail "ruff found errors" "see above; $venv/bin/ruff check --fix . fixes some"
say "codespell"
"$venv/bin/codespell" --quiet-level 2 ./*.md deploy images loadtest sandbox tests || fail "words are misspelled" "see above"
say "mypy"
wait "$types" || {
    cat "$types_log" >&2
    fail "mypy found errors" "see above"
}
say "pytest"
rm -f "$step_log" "$types_log"
# Distribute test files over three processes, because many tests wait. A test that fails is run once more,
# because a busy machine can break a bound on time; the summary lists each test that was run again (R).
[ "$#" -gt 0 ] || set -- -n 3 --dist loadfile --no-loadscope-reorder --reruns 1 -raR --durations=25
exec "$venv/bin/python" -m pytest "$@"
