/** Commands that tests use where they are installed. */
import { execFileSync } from "node:child_process";

export function has(command: string): boolean {
  try {
    return execFileSync("sh", ["-c", `command -v ${command}`]).length > 0;
  } catch {
    return false;
  }
}
