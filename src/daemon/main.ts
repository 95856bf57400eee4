/** The monitor's process: welcomed by init, it ends with init's channel. */
import { endWithInit } from "../link/end-with-init.ts";
import type { FromInit } from "../model/birth.ts";
import { Daemon } from "./daemon.ts";

let daemon: Daemon | null = null;

process.title = "coppice monitor";
process.on("disconnect", () => daemon?.initDied());
endWithInit();
process.on("SIGTERM", () => process.exit(0));
process.on("message", (message) => {
  const told = message as FromInit; // init's own channel
  if (told.kind === "welcome") {
    daemon = new Daemon(told);
    daemon.start().catch((error: unknown) => {
      process.stderr.write(`the monitor cannot start: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    });
  } else daemon?.heardInit(told);
});
