#!/usr/bin/env bash
# All that CI runs, in order, with a closing line that counts. A failed step does not keep the later tests from running,
# but nothing runs after a failed build.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

scripts/need.sh rust python go terraform || exit 1

# Of a full disk, a linker says no more than "Bus error".
free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1000000) }')
if [ ! -d target/debug ] && [ "${free:-20}" -lt 20 ]; then
  printf 'warning: %s GB are free here, and a first run takes up to 20 with the caches of Go and Cargo\n' "$free"
fi

build=.build/test
rm -rf "$build" && mkdir -p "$build"

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
  # Ignored tests stand in cargo's count. A test that cannot run where it is (no recordings beside the checkout) says
  # `skipped: WHAT: WHY` and passes.
  local ignored told
  ignored=$(cat "$build"/*.log | sed -nE 's/^test (.+) \.\.\. ignored(, )?/\1: /p')
  told=$(cat "$build"/*.log | sed -n 's/^.*skipped: //p' | sort -u)
  if [ -n "$ignored$told" ]; then
    printf '\n── skipped, and why\n'
    printf '%s\n' "$ignored" "$told" | sed '/^$/d; s/^/skipped: /'
  fi
  told=$(printf '%s' "$told" | grep -c '')
  passed=$((passed - told)) skipped=$((skipped + told))
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

# clippy's compiler builds as well as it checks: one build serves both, where `make lint` would check all crates of others once more.
# Cargo prints the warnings of what it does not build again.
# shellcheck disable=SC2317 # `step` calls it
clippy() {
  local said
  said=$(make build 2>&1) || { printf '%s\n' "$said"; return 1; }
  ! grep -B 40 -E '^warning: .* generated [0-9]+ warning' <<<"$said"
}
# Of the toolchain that cargo takes here; `rustc` on the path may be another.
rustc=$(rustup which rustc 2>/dev/null || command -v rustc)
RUSTC_WORKSPACE_WRAPPER=$("$rustc" --print sysroot)/bin/clippy-driver
[ -x "$RUSTC_WORKSPACE_WRAPPER" ] || { echo 'clippy is not installed: rustup component add clippy' >&2; exit 1; }
export RUSTC_WORKSPACE_WRAPPER

step 'formatting' make fmt-check
# Beside cargo, which does not keep both cores busy all the time.
(
  set -e
  nice make tools
  # What the images of the Docker tests take longest to build.
  if command -v dockerd >/dev/null; then nice acceptance-tests/engine/versitygw.sh .build/docker-images; fi
) >"$build/tools.out" 2>&1 &
tools=$!
step 'build' make build || { wait $tools; finish; }
printf '\n── Go tools\n'
wait $tools || broken+=('Go tools')
cat "$build/tools.out"
[ ${#broken[@]} -eq 0 ] || finish
step 'provider documentation' make docs-check
step 'clippy' clippy
step 'tflint and shellcheck' make lint-terraform lint-shell
step 'unit tests' make unit
step 'flux tree' make flux
step 'cloud lives' make cloud-lives
step 'docker lives' make docker-lives
step 'acceptance tests' make acceptance
finish
