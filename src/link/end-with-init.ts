/**
 * Init's death ends its own processes at once. Not by Node's exit: that waits for V8's helper threads, and one that wants a
 * collection waits for the main thread (seen once in some thousands of exits, Node 24.21). A forwarder that hung there would keep
 * the public socket. What is to be kept is in files already.
 */
export function endWithInit(): void {
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
}
