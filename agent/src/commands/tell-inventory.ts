import { z } from "zod";
import { defineCommand } from "./command-definition.js";

/** Finds out anew what the host is made of; it is told as ever, once it is known. */
export const tellInventoryCommand = defineCommand("tell_inventory", z.strictObject({}), ({ takeInventory }) => async () => {
  takeInventory();
  return {};
});
