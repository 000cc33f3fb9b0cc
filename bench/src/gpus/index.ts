/** What is known of GPUs at work. Importing it loads no tensor library. */
export { askNvidiaCards, type CardsTold, createSmiRunner, type RunSmi } from "./nvidia-cards.js";
export { type Card, isLost, type NvidiaLog, parseNvidiaLog } from "./nvidia-log.js";
