/**
 * Init's own processes end with it, and by it where they hang: it asks them now and then, and who turns its loop answers.
 *
 * At init's death they end at once. Not by Node's exit: that waits for V8's helper threads, and one that wants a
 * collection waits for the main thread (seen once in some thousands of exits, Node 24.21). A forwarder that hung there would keep
 * the public socket. What is to be kept is in files already.
 */
import type { AreYouThere, Here, Welcome } from "../model/birth.ts";

export function endWithInit(): void {
  const end = () => process.kill(process.pid, "SIGKILL");
  process.on("disconnect", end);
  process.on("message", (message) => {
    const told = message as AreYouThere | Pick<Welcome, "kind" | "initPid">; // init's own channel: one of what it sends
    if (told.kind === "are-you-there") process.send?.({ kind: "here" } satisfies Here);
    // The channel's end is heard after what was said before it: by then the next init may have the directory.
    if (told.kind === "welcome" && process.ppid !== told.initPid) end();
  });
}
