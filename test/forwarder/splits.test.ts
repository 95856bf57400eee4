/** Messages cut at every byte, through a real forwarder: they come late there, or they end there. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Stage, withStage } from "./stage.ts";

const posted =
  "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\n";
const put = "PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
const get = "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const answers = [
  "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\n",
];
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** The second part is written once the first was taken. */
function writeCut(socket: Socket, text: string, at: number): void {
  socket.setNoDelay(true);
  socket.write(Buffer.from(text.slice(0, at), "latin1"), () => setImmediate(() => socket.write(Buffer.from(text.slice(at), "latin1"))));
}

/** All that it says until it ends. */
async function heardBy(socket: Socket): Promise<string> {
  let heard = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    heard += text;
  });
  await once(socket, "end");
  socket.destroy();
  return heard;
}

const to = ({ port }: Stage) => connect({ port, host: "127.0.0.1" });

withStage("requests on one connection, cut at any byte: the node gets each whole, in order", {}, async (stage) => {
  const own = / \/[abc] HTTP\/1\.1\r\nx-coppice[^\r]*\r\n/gi;
  let came = "";
  await stage.rawInstance("web-1.1", (socket) => {
    let heard = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      heard += text;
      if (!/7\r\n\r\n$|hello$|Host: x\r\n\r\n$/.test(heard)) return;
      came += heard;
      heard = "";
      socket.write(ok);
    });
  });
  await stage.route({ "web-1.1": "available" });
  const all = posted + put + get;
  const expected = (posted + put + get.replace("Connection: close\r\n", "")).replace(/ HTTP\/1\.1\r\n/g, " |");
  for (let at = 1; at < all.length; at += 1) {
    came = "";
    const socket = to(stage);
    writeCut(socket, all, at);
    const heard = await heardBy(socket);
    assert.equal(heard.match(/HTTP\/1\.1 200 OK/g)?.length, 3, `cut at ${at}: ${heard}`);
    assert.equal(
      came.replace(own, (line) => `${line.slice(0, 3)} |`),
      expected,
      `cut at ${at}`,
    );
  }
});

withStage("answers cut at any byte are passed on as they came", {}, async (stage) => {
  let [answer, cut] = ["", 0];
  await stage.rawInstance("web-1.1", (socket) => socket.on("data", () => writeCut(socket, answer, cut)));
  await stage.route({ "web-1.1": "available" });
  for (answer of answers) {
    for (cut = 1; cut < answer.length; cut += 1) {
      const socket = to(stage);
      socket.write(get);
      const final = answer.lastIndexOf("HTTP/1.1");
      const end = answer.indexOf("\r\n\r\n", final) + 2;
      assert.equal(await heardBy(socket), `${answer.slice(0, end)}connection: close\r\n${answer.slice(end)}`, `cut at ${cut}`);
    }
  }
});

withStage("a node that ends at any byte of its answer: nothing of that is seen, the client has a 502 that is whole", {}, async (stage) => {
  let [answer, length] = ["", 0];
  await stage.rawInstance("web-1.1", (socket) =>
    socket.on("data", () => {
      // What has no length is waited for some milliseconds: the forwarder finds the end there with the bytes, however busy the machine.
      stage.process.kill("SIGSTOP");
      socket.end(Buffer.from(answer.slice(0, length), "latin1"), () => stage.process.kill("SIGCONT"));
    }),
  );
  await stage.route({ "web-1.1": "available" });
  for (const one of answers) {
    answer = one.slice(one.lastIndexOf("HTTP/1.1")); // what comes before the answer is passed on at once
    for (length = 0; length < answer.length; length += 1) {
      const socket = to(stage);
      socket.write("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
      const heard = await heardBy(socket);
      assert.match(heard, /^HTTP\/1\.1 502 Bad Gateway\r\n/, `after ${length} bytes`);
      const body = heard.slice(heard.indexOf("\r\n\r\n") + 4);
      assert.match(body, /may have been executed/, `after ${length} bytes`);
      assert.equal(body.length, Number(/content-length: (\d+)/.exec(heard)?.[1]), `after ${length} bytes`);
    }
  }
});

withStage("a head that no line end will mend is refused as soon as its fault has come, cut at any byte", {}, async (stage) => {
  const began = "GET / HTTP/1.1\r\nHost: x";
  for (const fault of ["\r\n\rabc", "\r\n abc", "\rabc", "\0abc", "\r\n:abc"]) {
    for (let at = 1; at < began.length + fault.length; at += 1) {
      const socket = to(stage);
      writeCut(socket, began + fault, at);
      assert.match(await heardBy(socket), /^HTTP\/1\.1 400 /, `${JSON.stringify(fault)} cut at ${at}`);
    }
  }
});
