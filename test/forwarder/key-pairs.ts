/** Certificates for tests, made by openssl where the test runs. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { KeyPairFiles } from "../../src/model/birth.ts";

/** A certificate that signs itself, for one name; PEM files in `directory`. */
export function makeKeyPair(directory: string, name: string, as = name): KeyPairFiles {
  const pair = { cert: join(directory, `${as}.cert.pem`), key: join(directory, `${as}.key.pem`) };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", pair.key];
  const certificate = ["-x509", "-days", "2", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-out", pair.cert];
  execFileSync("openssl", ["req", ...certificate, ...key], { stdio: "ignore" });
  return pair;
}
