#!/usr/bin/env bash
# fetch-servers.sh FOLDER PACKAGE:PROGRAM… unpacks Debian packages whose programs are neither on the path nor in the folder,
# or whose file, where it is a path, is not in the folder.
# What can't be had is said and left out: the tests that need it are then skipped.
set -uo pipefail
folder=$1
shift
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
updated=no
for entry in "$@"; do
  package=${entry%%:*} program=${entry##*:}
  if [[ $program == */* ]] && [ -e "$folder/$program" ]; then continue; fi
  if command -v "$program" >/dev/null || [ -x "$folder/usr/bin/$program" ] || [ -x "$folder/usr/sbin/$program" ]; then continue; fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    echo "no $program here, and no apt-get: tests that need it are skipped" >&2
    continue
  fi
  if [ $updated = no ]; then
    apt-get update -qq >/dev/null 2>&1 || echo "apt-get update failed; trying with the lists that are there" >&2
    updated=yes
  fi
  work=$(mktemp -d)
  if (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$package" >/dev/null 2>&1 && dpkg -x ./*.deb "$folder"); then
    echo "unpacked $package"
  else
    echo "could not fetch $package: tests that need $program are skipped" >&2
  fi
  rm -rf "$work"
done
