/** https in front of an unmodified server: it sees the scheme, its secure cookies work, over both versions of HTTP. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeKeyPair } from "../forwarder/key-pairs.ts";
import { TestCluster } from "./cluster.ts";

const plainApp = fileURLToPath(new URL("./fixtures/plain-app.mjs", import.meta.url));
const secureApp = fileURLToPath(new URL("./fixtures/secure-app.cjs", import.meta.url));

interface Visit {
  readonly secure: boolean;
  readonly protocol: string;
  readonly ip: string;
  readonly visits: number;
}

test("an unmodified Express app behind --tls-cert: secure cookies, req.secure and HTTP/2; sessions outlive a regeneration", {
  timeout: 180_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-tls-"));
  const { cert, key } = makeKeyPair(directory, "localhost");
  const cluster = await TestCluster.start({ script: secureApp, args: ["--tls-cert", cert, "--tls-key", key] });
  const session = connect(`https://127.0.0.1:${cluster.port}`, { rejectUnauthorized: false });
  const visit = async (cookie: string): Promise<Visit & { cookie: string }> => {
    const stream = session.request({ ":path": "/", ...(cookie === "" ? {} : { cookie }) }).setEncoding("utf8");
    let body = "";
    stream.on("data", (text: string) => {
      body += text;
    });
    const [headers] = (await once(stream, "response")) as [Record<string, string[]>];
    if (!stream.closed) await once(stream, "close");
    return { ...(JSON.parse(body) as Visit), cookie: headers["set-cookie"]?.[0] ?? "" };
  };
  const first = await visit("");
  assert.deepEqual([first.secure, first.protocol, first.ip], [true, "https", "::ffff:127.0.0.1"]);
  assert.match(first.cookie, /Secure/, "express-session gives a secure cookie only where it sees TLS");
  const cookie = first.cookie.split(";")[0] ?? "";
  assert.equal((await visit(cookie)).visits, 2);
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout);
  assert.equal((await visit(cookie)).visits, 3, "on the same HTTP/2 session");
  session.close();
  assert.match(cluster.output, /listening on https:/);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("h2load over two forwarders while every node is regenerated: no request fails", { timeout: 300_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-tls-"));
  const { cert, key } = makeKeyPair(directory, "localhost");
  const args = ["--tls-cert", cert, "--tls-key", key, "--forwarders", "2"];
  const cluster = await TestCluster.start({ script: plainApp, args, settings: { minReadyMs: 200 } });
  const load = promisify(execFile)("h2load", ["-D", "12", "-c", "8", "-m", "8", `https://127.0.0.1:${cluster.port}/`]);
  const outcome = await cluster.command("regenerate", "--all", "--wait", "--name", "t");
  assert.equal(outcome.code, 0, outcome.stdout);
  const { stdout } = await load;
  const counts = /requests: .*/.exec(stdout)?.[0] ?? "";
  t.diagnostic(counts);
  assert.match(counts, / 0 failed, 0 errored, 0 timeout/);
  assert.match(stdout, /status codes: \d{3,} 2xx, 0 3xx, 0 4xx, 0 5xx/);
  assert.deepEqual(await cluster.stop(), { code: 0, left: [] });
  rmSync(directory, { recursive: true });
});

test("--tls-cert without its key, with another's, or with what is none: said at once", { timeout: 180_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-tls-"));
  const shop = makeKeyPair(directory, "shop.example");
  const news = makeKeyPair(directory, "news.example");
  const locked = join(directory, "locked.pem");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  writeFileSync(locked, privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "word" }));
  for (const [args, wanted] of [
    [["--tls-cert", shop.cert], /each certificate needs its key/],
    [["--tls-cert", shop.cert, "--tls-key", news.key], /news\.example\.key\.pem is not the key of .*shop\.example\.cert\.pem/],
    [["--tls-cert", shop.key, "--tls-key", shop.key], /--tls-cert .*shop\.example\.key\.pem: it holds no certificate in PEM/],
    [["--tls-cert", shop.cert, "--tls-key", shop.cert], /--tls-key .*shop\.example\.cert\.pem: it holds no private key in PEM/],
    [["--tls-cert", shop.cert, "--tls-key", locked], /--tls-key .*locked\.pem: it is encrypted, .* openssl pkey/],
    [["--tls-cert", shop.cert, "--tls-key", "absent.pem"], /--tls-key .*absent\.pem: ENOENT/],
  ] as const) {
    const cluster = await TestCluster.startOnly({ script: secureApp, args });
    assert.notEqual(await cluster.exited, 0);
    assert.match(cluster.output, wanted);
    rmSync(cluster.home, { recursive: true });
  }
  rmSync(directory, { recursive: true });
});
