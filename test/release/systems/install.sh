#!/bin/sh
# Installs the programs of Debian with which `bun run test:release` runs the executables of other systems. As root.
set -e
cd "$(dirname "$0")/../../.."

apt-get update -qq
apt-get install -y -qq --no-install-recommends gcc git man-db lintian systemd-container \
  qemu-user-static libc6-arm64-cross libgcc-s1-arm64-cross libstdc++6-arm64-cross gcc-aarch64-linux-gnu libc6-dev \
  musl wine64 gcc-mingw-w64-x86-64-win32

# musl for arm64, without making arm64 an architecture of this machine.
work=$(mktemp -d)
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" dist
arm64="-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists=$work/lists -o Dir::Cache=$work/cache"
# shellcheck disable=SC2086
(cd "$work" && chmod 755 . && apt-get -qq $arm64 update && apt-get -qq $arm64 download musl)
rm -rf dist/musl-arm64
dpkg-deb -x "$work"/musl_*_arm64.deb dist/musl-arm64
rm -r "$work"
