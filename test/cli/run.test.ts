/** What `coppice run` decides before anything starts. */
import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { coppiceHome } from "../../src/cli/home.ts";
import { environmentOfCaller } from "../../src/cli/release.ts";
import { specificationOf } from "../../src/cli/run.ts";

const script = fileURLToPath(new URL("../e2e/fixtures/plain-app.mjs", import.meta.url));
const mebibyte = 1024 * 1024;

test("run: saved bodies take a twentieth of a small memory, 256 MiB of a large one, and what is set where it is set", () => {
  const saved = (set: Record<string, string>) =>
    specificationOf(script, [], { name: "t", set, tlsCert: [], tlsKey: [], logFormat: "text" }).settings.saveBytesMax;
  assert.equal(saved({ memoryLimitBytes: String(512 * mebibyte) }), Math.floor(25.6 * mebibyte));
  assert.equal(saved({ memoryLimitBytes: String(64 * 1024 * mebibyte) }), 256 * mebibyte);
  assert.equal(saved({ memoryLimitBytes: String(512 * mebibyte), saveBytesMax: "1000000000" }), 1_000_000_000);
});

test("run: an access log in a directory that is not there is refused at once; one that is told lies where it was told from", () => {
  const accessLog = (given: string) =>
    specificationOf(script, [], { name: "t", set: {}, tlsCert: [], tlsKey: [], logFormat: "text", accessLog: given }).accessLog;
  assert.throws(() => accessLog("nowhere/access.log"), {
    code: "COPPICE_ARGUMENT",
    message: /--access-log nowhere\/access\.log: there is no directory/,
  });
  assert.throws(() => accessLog("."), { code: "COPPICE_ARGUMENT", message: "--access-log .: that is a directory; name a file" });
  assert.equal(accessLog("access.log"), resolve("access.log"));
  assert.equal(accessLog("-"), "-");
  assert.equal(accessLog("/dev/stdout"), "-");
});

test("run: a HOME that is empty or no whole path is none: each process would look for the sockets in another directory", () => {
  const { HOME, COPPICE_HOME } = process.env;
  try {
    process.env["COPPICE_HOME"] = "";
    for (const home of ["", "some/where"]) {
      process.env["HOME"] = home;
      assert.equal(coppiceHome(), join(userInfo().homedir, ".coppice"), `HOME=${home}`);
    }
    process.env["HOME"] = "/some/where";
    assert.equal(coppiceHome(), "/some/where/.coppice");
  } finally {
    Object.assign(process.env, { HOME, COPPICE_HOME });
    if (COPPICE_HOME === undefined) delete process.env["COPPICE_HOME"];
  }
});

test("reload: what a deploy set comes along, not who deploys: root's HOME is no server's of another user", () => {
  const set = { DATABASE_URL: "postgres://x", NODE_ENV: "production", XDG_CONFIG_HOME: "/etc/shop", PATH: "/usr/bin" };
  const own = {
    HOME: "/root",
    USER: "root",
    LOGNAME: "root",
    MAIL: "/var/mail/root",
    SUDO_USER: "me",
    XDG_RUNTIME_DIR: "/run/user/0",
    PWD: "/root",
  };
  assert.deepEqual(environmentOfCaller({ ...set, ...own }), set);
});

test("run: where there is no Linux it says so; start would wait for ever for a cluster that it cannot see", () => {
  const { platform } = process;
  try {
    Object.defineProperty(process, "platform", { value: "darwin" });
    const run = () => specificationOf(script, [], { name: "t", set: {}, tlsCert: [], tlsKey: [], logFormat: "text" });
    assert.throws(run, { code: "COPPICE_ARGUMENT", message: /runs servers on Linux, and this is darwin/ });
  } finally {
    Object.defineProperty(process, "platform", { value: platform });
  }
});
