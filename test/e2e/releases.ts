/** Releases behind a link, as deploy tools lay them out. */
import { mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const expressApp = fileURLToPath(new URL("./fixtures/express-app.cjs", import.meta.url));

/** A directory of releases with a `current` link; `code` runs before the application. */
export class Releases {
  readonly directory = mkdtempSync(join(tmpdir(), "coppice-releases-"));
  readonly script = join(this.directory, "current", "server.cjs");

  add(name: string, code = ""): void {
    mkdirSync(join(this.directory, name));
    writeFileSync(
      join(this.directory, name, "server.cjs"),
      `process.env.APP_RELEASE = "${name}";\n${code}\nrequire(${JSON.stringify(expressApp)});\n`,
    );
  }

  point(name: string): void {
    symlinkSync(name, join(this.directory, "next"));
    renameSync(join(this.directory, "next"), join(this.directory, "current"));
  }
}
