import type { Command } from "commander";
import { defineAlertList } from "./list.js";
import { defineSilence, defineSilenceList, defineUnsilence } from "./silence.js";
import { defineAlertTest } from "./test.js";

export function defineAlert(alert: Command): void {
  defineAlertList(alert.command("list").description("show what fires, and what waits to fire"));
  defineSilence(alert.command("silence <matchers...>").description("hear nothing of the alerts that match, for a while"));
  defineSilenceList(alert.command("silences").description("show what is silenced, by whom, until when and why"));
  defineUnsilence(alert.command("unsilence <id>").description("end a silence"));
  defineAlertTest(alert.command("test").description("send a message by every way, and show which of them took it"));
}
