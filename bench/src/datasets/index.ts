import { environments } from "../environments/registry.js";

/** The datasets' front door. Importing it loads no tensor library. */
export { createDataset, type Dataset, type DatasetOptions, type Quality, qualities } from "./dataset.js";
export { encodeNpz } from "./npz.js";
export { encodeParquet } from "./parquet.js";

/** Every environment that data can be made of. */
export const environmentNames: readonly string[] = environments.map(({ id }) => id);
