import { writeFileSync } from "node:fs";
import { plants } from "#bench/environments/registry.js";
import { drawEpisode } from "./draw-episode.js";

/** Writes docs/images/episode-….svg of each environment: `make episodes`. */
for (const plant of plants) {
  const name = plant.id
    .replace(/-v\d+$/, "")
    .replace(/(?<=.)(?=[A-Z][a-z])/g, "-")
    .toLowerCase();
  writeFileSync(`docs/images/episode-${name}.svg`, drawEpisode(plant, 1));
}
