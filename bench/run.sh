#!/usr/bin/env bash
# Our release binary beside nginx and HAProxy, in one run. Extra arguments go to bench.py.
#   cargo xtask bench                                   # plain, and JWT seen before + limit
#   cargo xtask bench --scenario plain --rounds 3
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
binary="${PORTCULLIS_BINARY:-$here/../target/release/portcullis}"
out="${PORTCULLIS_BENCH_OUT:-$here/../target/bench}"
mkdir -p "$out"
need=()
for p in nginx:nginx haproxy:haproxy wrk:wrk openssl:openssl taskset:util-linux; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "${p%%:*}" >/dev/null || need+=("${p##*:}")
done
if ((${#need[@]})); then
  echo "installing the peers (Debian packages): ${need[*]}"
  apt-get update -qq
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
run="$(mktemp -d "$out/run.XXXXXX")"
trap 'rm -rf "$run"' EXIT
python3 "$here/bench.py" \
  --scenario plain,sec-hs256,sec-es256 --peers nginx,haproxy --conns 64 --rounds 3 --secs 5 \
  --run-dir "$run" --out "$out/results.json" \
  --sut "portcullis=$here/gate.sh $binary {scenario} {port} {upstream} {keys}" "$@"
