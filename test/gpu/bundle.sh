#!/bin/bash
# Packs what the GPU check needs, for a host without network, npm or Node.js: `test/gpu/bundle.sh FOLDER`.
#
#   FOLDER/gpu-check              the program to run
#   FOLDER/bin/node               this Node.js
#   FOLDER/{shared,bench,agent}   what was built
#   FOLDER/node_modules           what that needs at run time; WebGPU's binding for Linux on x64 is with it
set -euo pipefail
folder=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/test/dist" "$folder/node_modules/@fleetmark"
cp "$(node -p process.execPath)" "$folder/bin/node"
strip "$folder/bin/node" 2>/dev/null || true
cp package.json "$folder/"
for each in shared bench agent; do
  mkdir -p "$folder/$each"
  cp "$each/package.json" "$folder/$each/"
  (cd "$each" && find dist -name '*.js' -print0 | tar cf - --null -T -) | tar xf - -C "$folder/$each"
  ln -s "../../$each" "$folder/node_modules/@fleetmark/$each"
done
cp -r bench/python "$folder/bench/"
mkdir -p "$folder/bench/assembly"
cp -r bench/assembly/compiled "$folder/bench/assembly/"
mkdir -p "$folder/test/dist/gpu"
cp test/dist/gpu/*.js "$folder/test/dist/gpu/"
# Needed at run time, without TensorFlow.js: it is large, and has nothing to do with cards.
node test/gpu/list-needs.mjs | while read -r need; do
  mkdir -p "$folder/node_modules/$(dirname "$need")"
  cp -r "node_modules/$need" "$folder/node_modules/$need"
done
find "$folder/node_modules" -name '*.map' -delete
webgpu=$(mktemp -d)
trap 'rm -rf "$webgpu"' EXIT
(cd "$webgpu" && npm pack --silent webgpu@0.6.2 >/dev/null && tar xzf webgpu-*.tgz)
mkdir -p "$folder/node_modules/webgpu/dist"
cp -r "$webgpu"/package/{package.json,index.js} "$folder/node_modules/webgpu/"
cp -r "$webgpu/package/dist/linux-x64" "$folder/node_modules/webgpu/dist/"
cat >"$folder/gpu-check" <<'RUN'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/bin/node" "$here/test/dist/gpu/check.js" "$@"
RUN
chmod +x "$folder/gpu-check"
