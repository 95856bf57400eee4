/**
 * Who is compared: each with the same features where it has them (affinity by the session cookie, the
 * client's address forwarded, keep-alive to both upstreams), on the proxy's core alone.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { LoneForwarder, type LoneForwarderOptions, listener } from "../../test/forwarder/lone-forwarder.ts";
import { freePort, here, listens, type Pinned, pinned, pinnedOf } from "./machine.ts";

export interface Site {
  readonly directory: string;
  readonly proxyCore: number;
  /** Paths of Unix sockets, or `127.0.0.1:port`. */
  readonly upstreams: readonly string[];
  /** PEM with certificate and key, for those scenarios; null else. */
  readonly pem: string | null;
}

export interface Running extends Pinned {
  readonly port: number;
}

export interface Contender {
  readonly name: string;
  readonly start: (site: Site) => Promise<Running>;
}

function coppiceNamed(name: string, more: Pick<LoneForwarderOptions, "main" | "nodeOptions"> = {}): Contender {
  return {
    name,
    start: async ({ directory, proxyCore, upstreams, pem }) => {
      const port = await freePort();
      const tls = pem === null ? [] : [{ cert: pem, key: pem }];
      const own = mkdtempSync(join(directory, "f-"));
      const forwarder = await LoneForwarder.start({ directory: own, port, core: proxyCore, tls, ...more });
      await forwarder.route(
        upstreams.map((socket, index) => ({ id: `web-${index + 1}.1`, availability: "available", sockets: { [listener]: socket } })),
      );
      return { ...pinnedOf(forwarder.process), port, stop: () => forwarder.kill() };
    },
  };
}

export const coppice = coppiceNamed("Coppice");
/** One that says what is left of its memory after a collection; see collecting-main.ts. */
export const coppiceCollecting = coppiceNamed("Coppice", { main: join(here, "collecting-main.ts") });
/** Another build of it, to be measured beside this one: its directory `dist`, and options for its Node. */
export function coppiceOf(dist: string, nodeOptions: readonly string[]): Contender {
  return coppiceNamed(["Coppice,", basename(dist), ...nodeOptions].join(" "), {
    main: join(dist, "forwarder/main.js"),
    ...(nodeOptions.length === 0 ? {} : { nodeOptions }),
  });
}

function haproxyConfig(port: number, { upstreams, pem }: Site, tuned: boolean): string {
  const servers = upstreams.map((upstream, index) => `  server s${index} ${upstream.startsWith("/") ? `unix@${upstream}` : upstream}`);
  return [
    "global",
    "  nbthread 1",
    ...(tuned ? ["  maxconn 2000", "  tune.bufsize 65536"] : ["  maxconn 8000"]),
    "defaults",
    "  mode http",
    "  timeout connect 5s",
    "  timeout client 60s",
    "  timeout server 60s",
    ...(tuned ? ["  option splice-response"] : []),
    "frontend public",
    `  bind 127.0.0.1:${port}${pem === null ? "" : ` ssl crt ${pem} alpn h2,http/1.1`}`,
    "  default_backend nodes",
    "backend nodes",
    "  option forwardfor",
    "  balance hash req.cook(sid)",
    "  hash-type consistent",
    ...servers,
    "",
  ].join("\n");
}

function haproxyNamed(name: string, tuned: boolean): Contender {
  return {
    name,
    start: async (site) => {
      const port = await freePort();
      const file = join(site.directory, `haproxy-${tuned}.cfg`);
      writeFileSync(file, haproxyConfig(port, site, tuned));
      const own = await pinned(site.proxyCore, "haproxy", ["-db", "-f", file], false);
      await listens(port);
      return { ...own, port };
    },
  };
}

export const haproxy = haproxyNamed("HAProxy", false);
/** Its own way past copying large bodies, for those scenarios. */
export const haproxySpliced = haproxyNamed("HAProxy, splicing, 64 KiB buffers", true);

export const nginx: Contender = {
  name: "nginx",
  start: async ({ directory, proxyCore, upstreams, pem }) => {
    const port = await freePort();
    const home = join(directory, "nginx");
    mkdirSync(home);
    const file = join(home, "nginx.conf");
    const servers = upstreams.map((upstream) => `    server ${upstream.startsWith("/") ? `unix:${upstream}` : upstream};`);
    const tls = pem === null ? "" : ` ssl http2; ssl_certificate ${pem}; ssl_certificate_key ${pem}`;
    writeFileSync(
      file,
      `daemon off; master_process off; worker_processes 1; pid ${home}/pid; error_log stderr crit;
events { worker_connections 20000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; client_max_body_size 0;
  client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
  upstream nodes {
    hash $cookie_sid consistent;
${servers.join("\n")}
    keepalive 128; keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port}${tls};
    location / { proxy_pass http://nodes; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr; }
  }
}
`,
    );
    const own = await pinned(proxyCore, "nginx", ["-p", home, "-c", file], false);
    await listens(port);
    return { ...own, port };
  },
};

function nodeRival(name: string, file: string): Contender {
  return {
    name,
    start: async ({ proxyCore, upstreams }) => {
      const port = await freePort();
      const program = join(here, "rivals", file);
      const own = await pinned(proxyCore, process.execPath, [program, String(port), ...upstreams], true);
      return { ...own, port };
    },
  };
}

export const nodeProxies: readonly Contender[] = [
  nodeRival("undici dispatch behind node:http", "undici.js"),
  nodeRival("node:http with agents", "node-http.js"),
  nodeRival("fast-proxy (undici)", "fast-proxy.js"),
  nodeRival("@fastify/http-proxy", "fastify-http-proxy.js"),
  nodeRival("http-proxy", "http-proxy.js"),
];

export const noProxy = nodeRival("no proxy: node:cluster, 2 workers on this core", "cluster.js");
