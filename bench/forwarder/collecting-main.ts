/**
 * The forwarder's program, that collects its garbage and says what is left when it gets SIGUSR2: what stays is what grows,
 * resident memory is also what V8 and the C library keep for later.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void; // what --expose-gc puts there

process.on("SIGUSR2", () => {
  collect();
  process.send?.(process.memoryUsage());
});
await import(new URL("../../dist/forwarder/main.js", import.meta.url).href);
