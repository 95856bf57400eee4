// The last step of a build: the probe's output is CommonJS inside an ES-module package, so its folder says so.
import { mkdirSync, writeFileSync } from "node:fs";

const directory = new URL("../dist/probe/", import.meta.url);
mkdirSync(directory, { recursive: true });
writeFileSync(new URL("package.json", directory), '{ "type": "commonjs" }\n');
