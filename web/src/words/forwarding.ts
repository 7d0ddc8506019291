/** Words of a number's forwarding: where its inbound texts go. */

import { count } from "./index";

export const FORWARDING = {
  label: "Inbound texts",
  none: "Are not forwarded",
  posted: "Posted to",
  mailed: "Mailed to",
  set: "Forward…",
  setFor: (line: string) => `Forward inbound texts of ${line}`,
  change: "Change",
  changeFor: (line: string) => `Change the forwarding of ${line}`,
  title: (line: string) => `Where do texts to ${line} go?`,
  way: "They are",
  ways: { webhook: "posted to an address of your server", mail: "mailed to somebody" } as Record<"webhook" | "mail", string>,
  url: "Address of your server",
  urlHint: "Each text is a form of four fields; your server answers +OK when it has it.",
  mailTo: "Mail address",
  mailHint: "One mail for each text.",
  zone: "Time zone of the times in it",
  zoneHint: "Such as Europe/Rome. Empty = UTC.",
  keeps: (waiting: number) => (waiting ? `${count(waiting, "text")} ${waiting === 1 ? "waits and goes" : "wait and go"} the new way at once. Nothing is lost or told twice.` : "You can change this at any time. Nothing under way is lost or told twice."),
  stop: "Stop forwarding",
  stopTitle: (line: string) => `Stop forwarding ${line}?`,
  stopMore: (waiting: number) => (waiting ? `${count(waiting, "text")} that ${waiting === 1 ? "waits is" : "wait are"} told no more. ${waiting === 1 ? "It stays" : "All of them stay"} in Conversations.` : "New texts stay in Conversations and are told nowhere else by this."),
  stopped: "No longer forwarded",
  saved: "Forwarding saved",
  log: "Delivery log",
  waiting: (n: number) => `${count(n, "text")} waiting`,
  watch: {
    slow: (slow: number, tries: number) => tries === 1 ? "Slow. The one answer in the last hour took longer than 5 seconds." : `Slow. ${slow} of ${tries} answers in the last hour took longer than 5 seconds.`,
    errors: (failed: number, tries: number) => tries === 1 ? "Failing. The one try in the last hour failed. Nothing is lost while it is tried again." : `Failing. ${failed} of ${tries} tries in the last hour failed. Nothing is lost while they are tried again.`,
    missing: (missing: number) => `Missing. ${count(missing, "text")} ${missing === 1 ? "was" : "were"} given up after the last try. Replay ${missing === 1 ? "it" : "them"} from the log.`,
  },
};
