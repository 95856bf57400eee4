/** Authentication of a connection (NTLM, Negotiate): who said on it who he is has it for himself, as without a forwarder between. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Stage, withStage } from "./stage.ts";

/** A client with one connection. */
class Client {
  readonly socket: Socket;
  readonly #stage: Stage;
  #heard = "";

  constructor(stage: Stage) {
    this.#stage = stage;
    this.socket = connect({ port: stage.port, host: "127.0.0.1" });
    this.socket.on("error", () => {}); // the forwarder is killed in the end
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.#heard += text;
    });
  }

  async ask(authorization = ""): Promise<string> {
    this.#heard = "";
    this.socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${authorization === "" ? "" : `Authorization: ${authorization}\r\n`}\r\n`);
    await this.#stage.until(() => /\r\n\r\n.+\n$/s.test(this.#heard));
    return this.#heard.split("\r\n\r\n")[1]?.trim() ?? "";
  }
}

withStage("a connection on which a client has said who it is serves that client alone, and goes with it", {}, async (stage) => {
  const names = new Map<Socket, string>();
  let open = 0;
  for (const id of ["web-1.1", "web-2.1"]) {
    const server = await stage.instance(id, (incoming, response) => {
      const [scheme, name] = (incoming.headers.authorization ?? "").split(" ");
      if (name !== undefined && scheme !== "Basic") names.set(incoming.socket, name);
      response.end(`${id} ${names.get(incoming.socket) ?? "nobody"}\n`);
    });
    server.on("connection", (socket) => {
      open += 1;
      socket.on("close", () => {
        open -= 1;
      });
    });
  }
  await stage.route({ "web-1.1": "available", "web-2.1": "available" });
  const ann = new Client(stage);
  const ben = new Client(stage);
  const first = await ann.ask("NTLM ann");
  const second = await ben.ask("negotiate ben");
  for (let count = 0; count < 10; count += 1) {
    assert.equal(await ann.ask(), first);
    assert.equal(await ben.ask(), second);
    assert.match(await new Client(stage).ask(), / nobody$/);
  }
  assert.match(first, / ann$/);
  assert.match(second, / ben$/);

  // Its node is drained: it begins anew on another.
  const [node = "", other = ""] = first.startsWith("web-1.1") ? ["web-1.1", "web-2.1"] : ["web-2.1", "web-1.1"];
  await stage.route({ [node]: "cordoned" });
  assert.equal(await ann.ask(), `${other} nobody`);
  assert.equal(await ann.ask("NTLM ann"), `${other} ann`);
  assert.equal(await ann.ask(), `${other} ann`);
  await stage.route({ [node]: "available" });
  const before = open;
  ann.socket.destroy();
  await stage.until(() => open < before);
  // Any client may share what says of each request alone whose it is.
  const basic = new Client(stage);
  await basic.ask("Basic x");
  const shared = open;
  basic.socket.destroy();
  await once(basic.socket, "close");
  assert.match(await ben.ask(), / ben$/);
  assert.equal(open, shared);
});

withStage("a connection that rests for its client alone ends with its node, which may wait for that in order to end", {}, async (stage) => {
  const server = await stage.instance("web-1.1", (_, response) => response.end("web-1.1\n"));
  const connections: Socket[] = [];
  server.on("connection", (socket) => connections.push(socket));
  await stage.instance("web-2.1", (_, response) => response.end("web-2.1\n"));
  await stage.route({ "web-1.1": "available" });
  const ann = new Client(stage);
  assert.equal(await ann.ask("NTLM ann"), "web-1.1");
  await stage.route({ "web-1.1": "removed", "web-2.1": "available" });
  await stage.until(() => connections.length === 1 && connections[0]?.destroyed === true, 10_000);
  assert.equal(await ann.ask(), "web-2.1");
});

withStage("a client that is known at a node waits there for room, and is known still", { nodeRequestsMax: 1 }, async (stage) => {
  const names = new Map<Socket, string>();
  const held: (() => void)[] = [];
  for (const id of ["web-1.1", "web-2.1"])
    await stage.instance(id, ({ headers, socket, url }, response) => {
      const [, name] = (headers.authorization ?? "").split(" ");
      if (name !== undefined) names.set(socket, name);
      const answer = () => response.end(`${id} ${names.get(socket) ?? "nobody"}\n`);
      if (url === "/held") held.push(answer);
      else answer();
    });
  await stage.route({ "web-1.1": "available" });
  const ann = new Client(stage);
  assert.equal(await ann.ask("NTLM ann"), "web-1.1 ann");
  const other = connect({ port: stage.port, host: "127.0.0.1" }).resume();
  other.write("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
  await stage.until(() => held.length === 1);
  await stage.route({ "web-2.1": "available" });
  const answer = ann.ask();
  await stage.until(() => stage.heard.findLast((message) => message.kind === "traffic")?.parked === 1, 10_000);
  held[0]?.();
  assert.equal(await answer, "web-1.1 ann");
  other.destroy();
});
