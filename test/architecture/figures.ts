import type { SourceFile } from "./source-tree.js";

/** The import of one folder's file by another folder, within a package. */
export interface FolderImport {
  readonly from: string;
  readonly to: string;
  readonly imports: number;
}

/** Counts the imports between folders of one package. */
export function countFolderImports(files: readonly SourceFile[]): FolderImport[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const counts = new Map<string, FolderImport>();
  for (const file of files) {
    for (const path of file.imports) {
      const target = byPath.get(path);
      if (target === undefined || target.package !== file.package || target.folder === file.folder) continue;
      const [from, to] = [`${file.package}/src/${file.folder}`, `${file.package}/src/${target.folder}`];
      const key = `${from} ${to}`;
      counts.set(key, { from, to, imports: (counts.get(key)?.imports ?? 0) + 1 });
    }
  }
  return [...counts.values()];
}

/** Returns the pairs of folders that import each other. */
export function findMutualFolders(files: readonly SourceFile[]): string[] {
  const found = countFolderImports(files);
  const pairs = found.filter(({ from, to }) => from < to && found.some((back) => back.from === to && back.to === from));
  return pairs.map(({ from, to }) => `${from} and ${to}`);
}

/**
 * Returns circles of imports, each as the files that hold each other (Tarjan, "Depth-first search and linear graph
 * algorithms", 1972).
 */
export function findCircles(files: readonly SourceFile[]): string[][] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const enter = (path: string): number => {
    const index = order.size;
    order.set(path, index);
    stack.push(path);
    let lowest = index;
    for (const next of byPath.get(path)?.imports ?? []) {
      if (!byPath.has(next)) continue;
      if (!order.has(next)) lowest = Math.min(lowest, enter(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, order.get(next) ?? lowest);
    }
    low.set(path, lowest);
    if (lowest === index) {
      const circle = stack.splice(stack.lastIndexOf(path));
      if (circle.length > 1) circles.push(circle);
    }
    return lowest;
  };
  for (const { path } of files) if (!order.has(path)) enter(path);
  return circles;
}

/** Returns how many files each folder holds, those of its folders not counted, the widest first. */
export function countFilesByFolder(files: readonly SourceFile[]): [folder: string, files: number][] {
  const counts = new Map<string, number>();
  for (const { package: name, folder } of files) {
    const path = folder === "" ? `${name}/src` : `${name}/src/${folder}`;
    counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}
