import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Describe, describeUnless } from "./needs.js";
import { repositoryRoot } from "./repository-root.js";

/** The Python with the packages that tests use, which `make python` installs. */
export const python = join(repositoryRoot, ".python/bin/python");

/** Groups tests that need JAX in Python. */
export const describeWithJax: Describe = describeUnless(
  existsSync(python) ? undefined : "no JAX in .python; `make python` installs it",
);
