/** Clients that people use, unchanged: each sends its own way, and every answer is a good one. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { has } from "./commands.ts";
import { Stage } from "./stage.ts";

const run = promisify(execFile);

interface Client {
  readonly command: string;
  readonly args: readonly string[];
  /** What it prints where all went well. */
  readonly says: readonly RegExp[];
  readonly saysNot?: RegExp;
}

/** Node's own two clients, with bodies of known and unknown length, on kept connections. */
const nodeClients = `
const url = process.argv[1];
const fetched = async (body) => (await (await fetch(url, { method: "POST", body, duplex: "half" })).text()).length;
const http = require("node:http");
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const requested = (end) => new Promise((resolve, reject) => end(http.request(url, { method: "POST", agent }, (answer) => {
  let length = 0;
  answer.on("data", (data) => { length += data.length; }).on("end", () => resolve(length));
}).on("error", reject)));
(async () => {
  const all = Array.from({ length: 100 }, () => [
    fetched("a body"), fetched(new Blob(["a", "body"]).stream()),
    requested((request) => request.end("a body")), requested((request) => { request.write("a "); request.end("body"); }),
  ]);
  const lengths = await Promise.all(all.flat());
  console.log(lengths.filter((length) => length === 2000).length + " answers");
  agent.destroy();
})();`;

const clients: readonly Client[] = [
  { command: "node", args: ["--eval", nodeClients], says: [/^400 answers$/m] },
  { command: "ab", args: ["-q", "-n", "500", "-c", "8"], says: [/Complete requests: +500/, /Failed requests: +0/], saysNot: /Non-2xx/ },
  {
    command: "ab",
    args: ["-q", "-k", "-n", "500", "-c", "8"],
    says: [/Keep-Alive requests: +500/, /Failed requests: +0/],
    saysNot: /Non-2xx/,
  },
  { command: "hey", args: ["-n", "496", "-c", "8"], says: [/\[200\]\t496 responses/], saysNot: /Error distribution/ },
  {
    command: "hey",
    args: ["-n", "496", "-c", "8", "-m", "POST", "-d", "a body"],
    says: [/\[200\]\t496 responses/],
    saysNot: /Error distribution/,
  },
  { command: "wrk", args: ["-t", "1", "-c", "8", "-d", "1s"], says: [/requests in/], saysNot: /Socket errors|Non-2xx/ },
  { command: "h2load", args: ["--h1", "-n", "500", "-c", "8"], says: [/500 succeeded, 0 failed, 0 errored/] },
  { command: "curl", args: ["-sf", "-m", "5", "-T", "package.json", "-w", "%{http_code}"], says: [/200$/] },
  { command: "curl", args: ["-sf", "-m", "5", "--http1.0", "-w", "%{http_code}"], says: [/200$/] },
  {
    command: "curl",
    args: ["-sf", "-m", "5", "--compressed", "-H", "Expect: 100-continue", "-d", "@package.json", "-w", "%{http_code}"],
    says: [/200$/],
  },
];

for (const { command, args, says, saysNot } of clients) {
  test(`${[command, ...args.filter((arg) => arg !== nodeClients)].join(" ")} works through it`, {
    timeout: 180_000,
    skip: has(command) ? false : `there is no ${command} here`,
  }, async () => {
    const stage = await Stage.open();
    try {
      for (const id of ["web-1.1", "web-2.1"])
        await stage.instance(id, (incoming, response) => {
          incoming.resume();
          incoming.on("end", () => response.end("x".repeat(2_000)));
        });
      await stage.route({ "web-1.1": "available", "web-2.1": "available" });
      const { stdout } = await run(command, [...args, `http://127.0.0.1:${stage.port}/`], { maxBuffer: 1 << 24 });
      for (const pattern of says) assert.match(stdout, pattern);
      if (saysNot !== undefined) assert.doesNotMatch(stdout, saysNot);
    } finally {
      await stage.close();
    }
  });
}
