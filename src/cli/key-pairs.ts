/** `--tls-cert` and `--tls-key`: each certificate with its key, looked at here, so that what is wrong is said at once. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { KeyPairFiles } from "../model/birth.ts";
import { CoppiceError, messageOf } from "../model/errors.ts";
import { typedDirectory } from "./release.ts";

/** @throws CoppiceError COPPICE_ARGUMENT that names the file. */
export function keyPairsOf(certs: readonly string[], keys: readonly string[]): KeyPairFiles[] {
  if (certs.length !== keys.length)
    throw new CoppiceError(
      "COPPICE_ARGUMENT",
      `${certs.length} --tls-cert and ${keys.length} --tls-key: each certificate needs its key, in the same order`,
    );
  return certs.map((cert, at) => {
    const pair = { cert: resolve(typedDirectory(), cert), key: resolve(typedDirectory(), keys[at] ?? "") };
    const certificate = read(pair.cert, "--tls-cert", (pem) => new X509Certificate(pem));
    const key = read(pair.key, "--tls-key", (pem) => createPrivateKey(pem));
    if (!certificate.checkPrivateKey(key)) throw new CoppiceError("COPPICE_ARGUMENT", `${pair.key} is not the key of ${pair.cert}`);
    return pair;
  });
}

function read<T>(path: string, option: string, parse: (pem: Buffer) => T): T {
  let pem: Buffer | null = null;
  try {
    pem = readFileSync(path);
    return parse(pem);
  } catch (cause) {
    const message = messageOf(cause);
    throw new CoppiceError("COPPICE_ARGUMENT", `${option} ${path}: ${pem === null ? message : whyNotParsed(pem, option, message)}`, {
      cause,
    });
  }
}

/** OpenSSL's own words are for those who know it. */
function whyNotParsed(pem: Buffer, option: string, message: string): string {
  if (pem.includes("ENCRYPTED"))
    return "it is encrypted, and nobody is there to type its passphrase; openssl pkey -in IT -out ANOTHER writes it without one";
  return `it holds no ${option === "--tls-cert" ? "certificate" : "private key"} in PEM (${message})`;
}
