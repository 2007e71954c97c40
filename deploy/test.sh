#!/bin/sh
# Installs what the tests need and runs all of them: format, lint, types, then pytest with the arguments given here.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=deploy/machine.sh
. "$root/deploy/machine.sh"
cd "$root"

ensure_package requirements-test.lock
command -v shellcheck >/dev/null || install_packages shellcheck || say "packages: no shellcheck, its test is skipped"
command -v prometheus >/dev/null || install_packages prometheus || say "packages: no prometheus, its test is skipped"
command -v docker-compose >/dev/null || install_packages docker-compose || say "packages: no docker-compose, its test is skipped"
command -v chromium >/dev/null || install_packages chromium || say "packages: no chromium, the web page's tests are skipped"
if ensure_engine; then
    ensure_images
else
    say "engine: none, so the tests that need one are skipped (in CI they fail)"
fi

say "ruff format"
"$venv/bin/ruff" format --check --quiet . || fail "files are not formatted" "$venv/bin/ruff format ."
say "ruff check"
"$venv/bin/ruff" check --quiet . || fail "ruff found faults" "see above; $venv/bin/ruff check --fix . mends some"
say "mypy"
"$venv/bin/mypy" || fail "the types do not fit" "see above"
say "pytest"
rm -f "$step_log"
exec "$venv/bin/python" -m pytest "$@"
