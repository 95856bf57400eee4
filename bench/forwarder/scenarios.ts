/** What is measured: a load each, and who is put under it. */
import { type Contender, coppice, haproxy, haproxySpliced, nginx, nodeProxies, noProxy } from "./contenders.ts";

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Arguments of load.c; where a generator of Debian's does it instead, its command line without the address. */
  readonly load: readonly string[];
  readonly by: "load" | "wrk" | "h2load";
  readonly upstreams: "unix" | "tcp";
  readonly proxies: readonly Contender[];
  /** What the table's first column is: requests a second, or latencies at a given rate. */
  readonly shows: "rate" | "latency";
  /** Load, backend and the proxies' own threads go before everything on the machine (as root): what it does else is left out. */
  readonly undisturbed: boolean;
}

const three = [haproxy, coppice, nginx];
const all = [...three, ...nodeProxies];
const cookie = "Cookie: sid=s%3Ac1.Qm9b";

function scenario(
  name: string,
  title: string,
  load: readonly string[],
  proxies: readonly Contender[],
  more: Partial<Pick<Scenario, "by" | "upstreams" | "shows" | "undisturbed">> = {},
): Scenario {
  return { name, title, load, proxies, by: "load", upstreams: "unix", shows: "rate", undisturbed: false, ...more };
}

export const scenarios: readonly Scenario[] = [
  scenario("small", "200-byte answers, 64 keep-alive connections, Unix sockets to the upstreams", ["--path", "/200"], [...all, noProxy]),
  scenario("small-tcp", "200-byte answers, TCP to the upstreams", ["--path", "/200"], three, { upstreams: "tcp" }),
  scenario("64k", "64 KiB answers, 64 connections", ["--path", "/65536"], all),
  scenario("1m", "1 MiB answers, 32 connections", ["--path", "/1048576", "--connections", "32"], all),
  scenario("1m-tcp", "1 MiB answers, TCP to the upstreams", ["--path", "/1048576", "--connections", "32"], [...three, haproxySpliced], {
    upstreams: "tcp",
  }),
  scenario("post", "POSTs of 1 KiB, 64 connections", ["--path", "/200", "--body", "1024"], three),
  scenario("upload", "POSTs of 256 KiB, 32 connections", ["--path", "/200", "--body", "262144", "--connections", "32"], three),
  scenario("new", "A new connection for each request, 64 at once", ["--path", "/200", "--new"], three),
  scenario("idle", "200-byte answers, 64 connections, beside 1,000 idle ones", ["--path", "/200", "--idle", "1000"], three),
  ...[5_000, 15_000].flatMap((rate) =>
    [false, true].map((undisturbed) =>
      scenario(
        `open-${rate}${undisturbed ? "-first" : ""}`,
        `Open loop, ${rate.toLocaleString("en")} requests a second${undisturbed ? ", at real-time priority" : ""}`,
        ["--path", "/200", "--rate", String(rate)],
        three,
        { shows: "latency", undisturbed },
      ),
    ),
  ),
  scenario("tls", "TLS 1.3 towards clients, 200-byte answers, 64 connections", ["-t1", "-c64", "-H", cookie], three, {
    by: "wrk",
  }),
  scenario("h2", "HTTP/2 over TLS, 200-byte answers, 16 connections of 8 streams", ["-c16", "-m8", "-H", cookie], three, {
    by: "h2load",
  }),
];
