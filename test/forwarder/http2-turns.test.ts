/** Whose data goes first where the client's window is narrow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerBody, type SharedOutput } from "../../src/forwarder/http2-answer-body.ts";
import { Http2Turns } from "../../src/forwarder/http2-turns.ts";

const frame = 16_000;

/** Several answers over one connection; says whose frames left, in order. */
class Site {
  readonly turns = new Http2Turns();
  readonly left: number[] = [];
  readonly shared: SharedOutput;

  constructor() {
    const { turns, left } = this;
    const output = { room: frame, data: (stream: number) => left.push(stream), headers: () => {} };
    this.shared = {
      output: output as unknown as SharedOutput["output"], // all that an answer's body asks of it
      sendWindowBytes: 0,
      get othersWait() {
        return turns.someWait;
      },
      dataLeft: () => {},
      waits: (body) => turns.waits(body),
    };
  }

  body(stream: number, windowBytes = 1_000_000): AnswerBody {
    return new AnswerBody(stream, windowBytes, this.shared, () => {});
  }
}

const bytes = Buffer.alloc(frame);

test("turns: who comes anew waits behind those who wait for the connection's window, and takes nothing of it before them", () => {
  const site = new Site();
  const [first, second, third] = [site.body(1), site.body(3), site.body(5)];
  first.write(bytes, 0, frame, true);
  second.write(bytes, 0, frame, true);
  for (let round = 0; round < 4; round += 1) {
    site.shared.sendWindowBytes += frame;
    third.write(bytes, 0, frame, true); // its server is quick, and is read before the turn comes
    site.turns.send();
  }
  assert.deepEqual(site.left, [1, 3, 5, 5]);
});

test("turns: who waits for its own window alone holds nobody up", () => {
  const site = new Site();
  site.shared.sendWindowBytes = 10 * frame;
  const [unread, other] = [site.body(1, 0), site.body(3)];
  unread.write(bytes, 0, frame, true);
  other.write(bytes, 0, frame, true);
  assert.deepEqual(site.left, [3], "at once, not in the turn's end");
  unread.widen(frame);
  site.turns.send();
  assert.deepEqual(site.left, [3, 1]);
});
