#!/usr/bin/env bash
# Builds TensorFlow.js for Node.js out of what the registries of npm and PyPI have, where its own installer's download
# is blocked: build-tfjs-node.sh FOLDER [tfjs-node|tfjs-node-gpu]
#
#   npm    @tensorflow/tfjs-node, whose installer is not run
#   PyPI   libtensorflow and its headers, out of the wheel of TensorFlow for Python
#   here   the binding between the two, by npm's node-gyp, a C++ compiler and the headers of this Node.js
#
# Fleetmark finds it in .runtimes of its repository, or in the folder that FLEETMARK_RUNTIMES names. Linux on x64.
set -euo pipefail
folder=${1:?names the folder to build into}
package=${2:-tfjs-node}
version=4.22.0
tensorflow=2.15.1
case $package in
  tfjs-node) wheel=tensorflow-cpu ;;
  tfjs-node-gpu) wheel=tensorflow ;;
  *) echo "there are tfjs-node and tfjs-node-gpu, not $package" >&2; exit 2 ;;
esac

stamp="$package $version, $wheel $tensorflow, Node.js $(node -p process.versions.modules)"
if [ "$(cat "$folder/$package.built" 2>/dev/null)" = "$stamp" ]; then
  echo "$folder has it: $stamp"
  exit 0
fi
if [ "$(uname -s) $(uname -m)" != "Linux x86_64" ]; then
  echo "this is for Linux on x64, and here is $(uname -s) on $(uname -m)" >&2
  exit 3
fi
for need in npm python3 make g++; do
  command -v "$need" >/dev/null || { echo "needs $need: install it, such as by apt-get install ${need/npm/npm}" >&2; exit 3; }
done
node_headers=$(dirname "$(dirname "$(realpath "$(command -v node)")")")
if [ ! -e "$node_headers/include/node/node_api.h" ]; then
  echo "needs the headers of this Node.js at $node_headers/include/node, which its own archives bring along" >&2
  exit 3
fi

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d "$folder/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "1/4 npm: @tensorflow/$package $version" >&2
[ -e "$folder/package.json" ] || echo '{"private":true}' >"$folder/package.json"
npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error --save-exact "@tensorflow/$package@$version"
echo "2/4 PyPI: $wheel $tensorflow, some hundred MB" >&2
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 --implementation cp \
  --abi cp311 --platform manylinux_2_17_x86_64 --dest "$work" "$wheel==$tensorflow"
echo "3/4 unpacking" >&2
python3 -m zipfile -e "$work"/*.whl "$work/wheel"
module=$folder/node_modules/@tensorflow/$package
rm -rf "$module/deps"
mkdir -p "$module/deps/lib"
mv "$work/wheel/tensorflow/include" "$module/deps/include"
mv "$work"/wheel/tensorflow/libtensorflow_{cc,framework}.so.2 "$module/deps/lib/"
ln -s libtensorflow_cc.so.2 "$module/deps/lib/libtensorflow.so"
ln -s libtensorflow_framework.so.2 "$module/deps/lib/libtensorflow_framework.so"
echo "4/4 compiling the binding" >&2
gyp=$(npm root --global)/npm/node_modules/node-gyp/bin/node-gyp.js
(cd "$module" && node "$gyp" rebuild --silent --nodedir="$node_headers" --module_name=tfjs_binding \
  --module_path="$module/lib/napi-v8" --napi_build_version=8) >"$folder/build.log" 2>&1 || {
  tail -20 "$folder/build.log" >&2
  echo "the binding does not compile: $folder/build.log has all of it" >&2
  exit 3
}
echo "$stamp" >"$folder/$package.built"
echo "built: $stamp"
