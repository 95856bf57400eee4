/**
 * Coppice as process 1 of a container. The kernel hands every orphan to process 1, which must wait for it or it
 * stays as a zombie; Node waits only for the children that it started itself. So where this process is the first,
 * it becomes a shell (the same process, another program) that starts Coppice as its child, waits for whatever
 * ends, passes signals on, and ends with Coppice's exit code.
 */
import { accessSync, constants } from "node:fs";

const shell = "/bin/sh";

/**
 * `wait` in any POSIX shell takes in the orphans too. A signal interrupts it: its result counts only once the
 * child is gone, and is asked for again if a signal's came last (127: the shell has told it already).
 */
const script = `
child=; told=
tell() { told=$1; [ -z "$child" ] || kill -"$1" "$child" 2>/dev/null; }
trap 'tell TERM' TERM
trap 'tell INT' INT
trap 'tell HUP' HUP
"$@" &
child=$!
[ -z "$told" ] || kill -"$told" "$child"
while :; do
  wait "$child"; code=$?
  kill -0 "$child" 2>/dev/null || break
done
if [ "$code" -gt 128 ]; then
  wait "$child" 2>/dev/null; again=$?
  [ "$again" -eq 127 ] || code=$again
fi
exit "$code"
`;

/** Does not return where there is a shell to become; else says what that means, and returns. */
export function becomeReaper(): void {
  if (process.argv[2] === "start")
    process.stderr.write(
      "coppice: start is process 1, which ends when the nodes serve, and with it the container and all that is in it: coppice run stays in the foreground\n",
    );
  if (process.env["LISTEN_PID"] === "1") {
    process.stderr.write(
      "coppice: this is process 1, with sockets of its supervisor's, which a shell in between could not pass on: orphans stay as zombies.\n",
    );
    return; // Node closes what it was given when another program takes its place
  }
  try {
    accessSync(shell, constants.X_OK);
  } catch {
    process.stderr.write(
      `coppice: this is process 1 and there is no ${shell} to wait for orphans: they stay as zombies. Use an init, as docker run --init does.\n`,
    );
    return;
  }
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(shell, ["sh", "-c", script, "coppice", ...again], process.env);
}
