#!/usr/bin/env bash
# All that CI runs, in order, with a closing line that counts. A failed step does not keep the later tests from running,
# but nothing runs after a failed build.
set -uo pipefail
cd "$(dirname "$0")/.."

scripts/need.sh rust python go terraform || exit 1

build=.build/test
rm -rf "$build" && mkdir -p "$build"
# Tests that cannot run where they are (no recordings, no container engine) say so in this file, a line each.
export INFERADB_SKIPPED_TESTS="$PWD/$build/skipped"
: >"$INFERADB_SKIPPED_TESTS"

broken=()
step() {
  local name=$1 started=$SECONDS
  printf '\n── %s\n' "$name"
  shift
  if "$@" 2>&1 | tee "$build/${name// /-}.log"; then
    printf '── %s: ok, %d s\n' "$name" $((SECONDS - started))
  else
    printf '── %s: FAILED, %d s\n' "$name" $((SECONDS - started))
    broken+=("$name")
    return 1
  fi
}

finish() {
  local passed failed skipped
  # Every test program of cargo's closes with one such line.
  read -r passed failed skipped < <(cat "$build"/*.log | awk '
    /^test result: / { for (i = 1; i < NF; i++) {
      if ($(i+1) == "passed;") passed += $i; if ($(i+1) == "failed;") failed += $i; if ($(i+1) == "ignored;") skipped += $i } }
    END { print passed + 0, failed + 0, skipped + 0 }')
  local told
  told=$(wc -l <"$INFERADB_SKIPPED_TESTS")
  passed=$((passed - told)) skipped=$((skipped + told))
  if [ "$told" -gt 0 ]; then
    printf '\nskipped:\n'
    sed 's/^/  /' "$INFERADB_SKIPPED_TESTS"
  fi
  printf '\n%d s in all\n' "$SECONDS"
  # A step that failed without a failed test (formatting, clippy, a program that did not build) counts as one.
  local step
  for step in ${broken[@]+"${broken[@]}"}; do
    grep -qs '^test result: FAILED' "$build/${step// /-}.log" || failed=$((failed + 1))
    printf 'failed step: %s\n' "$step"
  done
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ] && [ ${#broken[@]} -eq 0 ]
  exit
}

step 'formatting' make fmt-check
# Beside cargo, which does not keep both cores busy all the time.
nice make tofu >"$build/tools.out" 2>&1 &
tools=$!
step 'build' make build || { wait $tools; finish; }
printf '\n── OpenTofu\n'
wait $tools || broken+=('OpenTofu')
cat "$build/tools.out"
[ ${#broken[@]} -eq 0 ] || finish
step 'clippy' make lint
step 'unit tests' make unit
step 'acceptance tests' make acceptance
finish
