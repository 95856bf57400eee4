/**
 * A chunked body as a client of HTTP/1.0 gets it: what is in the chunks, up to the end of its connection. The data is
 * moved together where it was read; sizes, extensions and trailers go.
 */
import type { BodyParts } from "../wire/body.ts";

export class Unchunking implements BodyParts {
  /** Behind the last byte of data. */
  end = 0;
  #block: Buffer | null = null;

  /** What is read next lies in `block`, and its data is to lie at `at`, which is not behind it. */
  into(block: Buffer, at: number): this {
    this.#block = block;
    this.end = at;
    return this;
  }

  data(from: number, to: number): void {
    this.#block?.copyWithin(this.end, from, to);
    this.end += to - from;
  }

  trailer(): void {}
}
