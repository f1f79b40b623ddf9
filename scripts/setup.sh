#!/usr/bin/env bash
# Installs what a Debian machine lacks for the build, and checks the rest. Quick when nothing is missing.
#
#   scripts/setup.sh          what `make run` needs
#   scripts/setup.sh --tests  what `make test` needs as well
set -euo pipefail

readonly RUST_NEEDED="1.95"
readonly PYTHON_NEEDED="3.9"

packages=()
faults=()

have() { command -v "$1" >/dev/null 2>&1; }
# True when version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# protoc finds the standard messages (google/protobuf/empty.proto) beside itself; Debian packs them apart.
have protoc || packages+=(protobuf-compiler)
standard_messages="$(dirname "$(command -v protoc || echo /usr/bin/protoc)")/../include/google/protobuf/empty.proto"
[ -f "$standard_messages" ] || packages+=(libprotobuf-dev)
{ have cc || have gcc; } || packages+=(gcc libc6-dev)
have c++ || packages+=(g++)
have cmake || packages+=(cmake)
have make || packages+=(make)
have git || packages+=(git)
if have python3; then
    found="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    at_least "$found" "$PYTHON_NEEDED" || faults+=("Python $found is too old; $PYTHON_NEEDED or later is needed")
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
    python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
else
    packages+=(python3 python3-venv python3-pip)
fi

if have rustc && have cargo; then
    found="$(rustc --version | cut -d ' ' -f 2)"
    at_least "$found" "$RUST_NEEDED" || faults+=("Rust $found is too old; run: rustup update stable")
    have clippy-driver || faults+=("clippy is missing; run: rustup component add clippy")
    if [ "${1:-}" = "--tests" ]; then
        have rustfmt || faults+=("rustfmt is missing; run: rustup component add rustfmt")
    fi
else
    faults+=("Rust is missing; get $RUST_NEEDED or later from https://rustup.rs")
fi

if [ "${1:-}" = "--tests" ]; then
    # A test runs README's commands, and they call curl.
    have curl || packages+=(curl)
    # The texts of the tests come by npm.
    have npm || packages+=(npm)
fi

if [ "${#packages[@]}" -gt 0 ]; then
    if ! have apt-get; then
        faults+=("these Debian packages, or what your system calls them, are missing: ${packages[*]}")
    elif [ "$(id -u)" -eq 0 ]; then
        echo "setup: installing ${packages[*]} (about 1 minute)"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq || echo "setup: apt-get update failed; trying with the lists that are here" >&2
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null \
            || faults+=("apt-get could not install: ${packages[*]}")
    else
        faults+=("run: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}")
    fi
fi

if [ "${#faults[@]}" -gt 0 ]; then
    printf 'setup: %s\n' "${faults[@]}" >&2
    exit 1
fi
echo "setup: all that the build needs is here ($(rustc --version | cut -d ' ' -f 1,2), $(protoc --version))"
