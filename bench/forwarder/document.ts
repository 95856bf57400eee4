/** docs/forwarder-benchmark.md: what run.ts measured, and how to read it. */
import type { Measured } from "./measure.ts";
import { scenarios } from "./scenarios.ts";
import { tableOf } from "./table.ts";

const how = `The proxy has one core to itself; load generator and backend (C, on epoll, \`bench/forwarder/*.c\`) share the other. All sides have the same
features: affinity by the session cookie over two upstreams, the client's address forwarded, keep-alive connections to the upstreams. Coppice
alone also holds answers up to 64 KiB until they are whole and saves request bodies, so that a node's death costs no request; nobody else offers
that to be switched on. Each has had three seconds of its load before it is measured: Node compiles as it runs, and in its first second at 15,000
requests a second one in a hundred waits some 20 ms. The proxies are measured in turn, forwards and backwards; ratios are medians of the rounds' own
ratios, since the machine's speed changes from minute to minute: trust ratios and CPU a request, not absolute rates. Where a proxy's CPU a request
leaves its core idle, the load generator was the limit, and the ratio of CPU says more than that of requests.
The open loops are measured twice: as they come, and with load, backend and the proxies' own threads at real-time priority, so that whatever else
the machine does holds up none of them (the rest of a Node process, its helper threads, has no such priority).

Node cannot splice; HAProxy told to splice has a line of its own beside the others. TLS stands on Node's own module, which costs what its
table says.`;

/** `before`: the page as it was; what was not measured anew keeps its place. */
export function page(heading: string, measured: readonly Measured[], before: string): string {
  const found = new Map(measured.map((one) => [one.scenario.name, `${tableOf(one)}\n`]));
  const kept = new Map(
    before.split("\n## ").map((part): [string, string] => [part.split("\n", 1)[0] ?? "", part.slice(part.indexOf("\n") + 2)]),
  );
  const sections = scenarios.flatMap(({ name, title }) => {
    const table = found.get(name) ?? kept.get(title);
    return table === undefined ? [] : [`## ${title}\n\n${table.trimEnd()}\n`];
  });
  return [
    "# The forwarder, measured against others",
    "",
    "Written by `node bench/forwarder/run.ts --write`; do not edit.",
    "",
    how,
    "",
    heading,
    "",
    ...sections,
  ].join("\n");
}
