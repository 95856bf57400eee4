/** Whom `--user` names. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findUser } from "../../src/init/rights.ts";

test("rights: a user is found by name or number, with its group and home; one without an account needs a number", {
  skip: process.getuid?.() === 0 ? false : "only root may become others",
}, () => {
  const directory = mkdtempSync(join(tmpdir(), "coppice-passwd-"));
  const passwd = join(directory, "passwd");
  writeFileSync(passwd, "root:x:0:0:root:/root:/bin/sh\nshop:x:1001:1002:The shop:/srv/shop:/bin/false\n");
  const shop = { uid: 1001, gid: 1002, environment: { HOME: "/srv/shop", USER: "shop", LOGNAME: "shop" } };
  assert.deepEqual(findUser("shop", passwd), shop);
  assert.deepEqual(findUser("1001", passwd), shop);
  assert.deepEqual(findUser("shop:33", passwd), { ...shop, gid: 33 });
  assert.deepEqual(findUser("54321", passwd), { uid: 54_321, gid: 54_321, environment: { HOME: "/", USER: "54321", LOGNAME: "54321" } });
  assert.throws(() => findUser("nobody-here", passwd), /has no user "nobody-here"/);
  assert.throws(() => findUser("shop:staff", passwd), /expected NAME or UID/);
  rmSync(directory, { recursive: true });
});
