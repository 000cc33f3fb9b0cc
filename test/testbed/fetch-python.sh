#!/usr/bin/env bash
# fetch-python.sh FOLDER REQUIREMENTS makes a virtual environment of Python with these packages, unless it is there as
# they say. What can't be had is said and left out: the tests that need it are then skipped.
set -uo pipefail
folder=$1 requirements=$2
if cmp -s "$requirements" "$folder/requirements.txt" && [ -x "$folder/bin/python" ]; then exit 0; fi
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
  echo "no python3 with venv here: tests that need it are skipped" >&2
  exit 0
fi
rm -rf "$folder"
if python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"; then
  cp "$requirements" "$folder/requirements.txt"
  echo "installed $(tr '\n' ' ' <"$requirements")into $folder"
else
  rm -rf "$folder"
  echo "could not install $(tr '\n' ' ' <"$requirements"): tests that need it are skipped" >&2
fi
