#!/usr/bin/env bash
# A real S3 server for test/storage/real-s3.test.ts: the Versity S3 gateway over a temporary folder. It decides conditional puts under a lock.
#   eval "$(test/storage/real-s3.sh start)"   installs it when absent (needs Go; a minute or two, once), starts it on 127.0.0.1, prints what to export
#   test/storage/real-s3.sh stop              stops it and removes its folder
#   test/storage/real-s3.sh run FOLDER PORT   is the server, over a folder that stays, until it is killed
set -euo pipefail

version=v1.8.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tailwater/versitygw-$version"

install() {
  [ -x "$cache/versitygw" ] && return
  command -v go >/dev/null || { echo 'real-s3: Go is not installed, and it is needed to install versitygw' >&2; exit 1; }
  echo "real-s3: installing versitygw $version" >&2
  GOBIN="$cache" CGO_ENABLED=0 go install "github.com/versity/versitygw/cmd/versitygw@$version" >&2
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

is_up() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

serve() {
  exec "$cache/versitygw" --quiet --access tailwater --secret tailwater-secret --port "127.0.0.1:$2" posix "$1"
}

start() {
  install
  local folder port pid
  folder=$(mktemp -d)
  port=$(free_port)
  mkdir "$folder/objects"
  # Not --sidecar: it keeps checksums in files of their own, so that a read during a replacement gets one version's bytes and another's
  # checksum. The temporary folder must therefore take extended attributes (TMPDIR names another one).
  serve "$folder/objects" "$port" >"$folder/server.log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 100); do
    if is_up "$port"; then
      echo "export TEST_S3_ENDPOINT=http://127.0.0.1:$port TEST_S3_BUCKET=tailwater-test"
      echo "export TEST_S3_ACCESS_KEY=tailwater TEST_S3_SECRET=tailwater-secret"
      echo "export TEST_S3_PID=$pid TEST_S3_FOLDER=$folder"
      return
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  cat "$folder/server.log" >&2
  kill "$pid" 2>/dev/null || true
  rm -rf "$folder"
  exit 1
}

stop() {
  [ -n "${TEST_S3_PID:-}" ] || return 0
  kill "$TEST_S3_PID" 2>/dev/null || true
  for _ in $(seq 50); do
    kill -0 "$TEST_S3_PID" 2>/dev/null || break
    sleep 0.1
  done
  rm -rf "$TEST_S3_FOLDER"
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  run) install; serve "$2" "$3" ;;
  *) echo "usage: $0 start | stop | run FOLDER PORT" >&2; exit 2 ;;
esac
