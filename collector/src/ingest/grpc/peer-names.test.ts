import type { Certificate } from "node:tls";
import { expect, it } from "vitest";
import { readPeerNames } from "./peer-names.js";

const subject = (CN: string): Certificate => ({ CN, C: "", ST: "", L: "", O: "", OU: "" });

it.each([
  ["the common name where there is nothing else", "h1", undefined, ["h1"]],
  ["the common name beside addresses", "h1", "IP Address:127.0.0.1, email:a@b", ["h1"]],
  [
    "the DNS and URI names, then not the common name",
    "other",
    "DNS:h1, IP Address:10.0.0.1, URI:urn:host:h2",
    ["h1", "urn:host:h2"],
  ],
  ["no name that is hidden in another", "", 'URI:"http://a/, DNS:admin", DNS:h1', ["http://a/, DNS:admin", "h1"]],
  ["nothing of nothing", "", "", [""]],
])("gives %s", (_, CN, subjectaltname, names) => {
  expect(readPeerNames({ subject: subject(CN), subjectaltname })).toEqual(names);
});
