/** What is known of GPUs at work. Importing it loads no tensor library. */
export { describeUse } from "./card-watch.js";
export { askNvidiaCards, type CardsTold, createSmiRunner, type RunSmi } from "./nvidia-cards.js";
export { slowingReasons } from "./nvidia-fields.js";
export { type Card, isLost, type MigSlice, type NvidiaLog, parseNvidiaLog } from "./nvidia-log.js";
