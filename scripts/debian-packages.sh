#!/usr/bin/env bash
# Debian packages that tests use beside npm's: each only where its command is missing. With `bench`, those of
# bench/forwarder too. Needs root.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need python3 python3-minimal
need openssl openssl
need curl curl
need h2load nghttp2-client
need ab apache2-utils
need hey hey
need wrk wrk
need chromium chromium
if [ "${1:-}" = bench ]; then
  need cc gcc
  need gunicorn gunicorn
  need haproxy haproxy
  need nginx nginx
  need redis-server redis-server
  need taskset util-linux
fi
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
