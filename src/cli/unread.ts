/** Standard output that takes no more. */

/** `| head` reads a part, and goes: nothing is wrong, but there is nobody to tell more. A full disk is said. */
export function endUnread(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  process.stderr.write(`coppice: standard output cannot be written: ${error.message}\n`);
  process.exit(1);
}
