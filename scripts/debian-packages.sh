#!/usr/bin/env bash
# Debian packages that tests use beside npm's: each only where its command is missing. Needs root.
set -euo pipefail

missing=()
command -v python3 >/dev/null || missing+=(python3-minimal)
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
