// What every Node rival is given: `node rival.js PORT UPSTREAM UPSTREAM`, and the affinity that all sides have.

const [port, ...upstreams] = process.argv.slice(2);

export const listenAt = { port: Number(port), host: "127.0.0.1" };

/** Paths of Unix sockets, or `host:port`. */
export const addresses = upstreams.map((upstream) =>
  upstream.startsWith("/")
    ? { socketPath: upstream, origin: "http://localhost" }
    : { socketPath: null, origin: `http://${upstream}`, host: upstream.split(":")[0], port: Number(upstream.split(":")[1]) },
);

/** One of `among` by the session cookie, by the first where there is none. */
export function byCookie(among, cookie) {
  const at = cookie === undefined ? -1 : cookie.indexOf("sid=");
  if (at < 0) return among[0];
  let hash = 0;
  for (let index = at + 4; index < cookie.length && cookie[index] !== ";"; index += 1) hash = (hash * 31 + cookie.charCodeAt(index)) | 0;
  return among[(hash >>> 0) % among.length];
}

export function ready() {
  process.stdout.write("ready\n");
}
