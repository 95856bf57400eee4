/**
 * The demo's customers: each keeps one session over one keep-alive connection, browses, fills a cart and
 * checks out, and knows exactly what its cart must hold. What a customer would notice is counted: an
 * answer that is not right, not there, or later than five seconds; a cart that lost or doubled an article.
 */
import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

const products = ["oak", "hazel", "chestnut", "ash", "billhook", "gloves"];
const answerMsMax = 5_000;
const thinkMs = 40;
const cartMax = 12;

/** What all customers together noticed. */
export class Notebook {
  requests = 0;
  sessions = 0;
  lost = 0;
  stale = 0;
  readonly failures: string[] = [];
  latenciesMs: number[] = [];
  all: number[] = [];

  failed(what: string): void {
    this.failures.push(`${new Date().toISOString()} ${what}`);
  }

  took(ms: number): void {
    this.latenciesMs.push(ms);
    this.all.push(ms);
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

export class Shopper {
  readonly #port: number;
  readonly #notebook: Notebook;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #cookie: string | null = null;
  #cart: string[] = [];
  #orders = 0;
  #turn: number;

  constructor(port: number, notebook: Notebook, index: number) {
    this.#port = port;
    this.#notebook = notebook;
    this.#turn = index;
  }

  async shop(goesOn: () => boolean): Promise<void> {
    await this.#expect("POST", "/login", { name: `customer ${this.#turn}` }, 200);
    this.#notebook.sessions += 1;
    while (goesOn()) {
      await this.#next();
      await pause(thinkMs);
    }
    await this.#readCart();
    this.#agent.destroy();
  }

  async #next(): Promise<void> {
    this.#turn += 1;
    const product = products[this.#turn % products.length] ?? "oak";
    if (this.#cart.length >= cartMax) await this.#checkout();
    else if (this.#turn % 5 === 0) await this.#add(product);
    else if (this.#turn % 5 === 1) await this.#readCart();
    else await this.#expect("GET", `/products/${product}`, null, 200, /<h1>/);
  }

  async #add(product: string): Promise<void> {
    const answer = await this.#expect("POST", "/cart", { id: product }, 201);
    if (answer === null) return;
    this.#cart.push(product);
    this.#compare(answer, { count: this.#cart.length }, "the count of articles");
  }

  async #checkout(): Promise<void> {
    const answer = await this.#expect("POST", "/checkout", {}, 201);
    if (answer === null) return;
    this.#cart = [];
    this.#orders += 1;
    this.#compare(answer, { orders: this.#orders }, "the count of orders");
  }

  async #readCart(): Promise<void> {
    const answer = await this.#expect("GET", "/cart", null, 200);
    if (answer === null) return;
    const { items } = JSON.parse(answer.text) as { items: string[] };
    if (items.join() === this.#cart.join()) return;
    if (items.length === 0) this.#notebook.lost += 1;
    else this.#notebook.stale += 1;
    this.#notebook.failed(`a cart held ${items.length} articles, expected ${this.#cart.length}`);
  }

  #compare({ text }: Answer, expected: object, what: string): void {
    if (text === JSON.stringify(expected)) return;
    this.#notebook.lost += 1;
    this.#notebook.failed(`${what} was wrong: ${text}, expected ${JSON.stringify(expected)}`);
  }

  /** Null if the answer was not as expected; that is noted already. */
  async #expect(method: string, path: string, body: object | null, status: number, text = /./): Promise<Answer | null> {
    const startedMs = performance.now();
    this.#notebook.requests += 1;
    try {
      const answer = await this.#send(method, path, body);
      const ms = performance.now() - startedMs;
      this.#notebook.took(ms);
      if (answer.status === status && text.test(answer.text) && ms <= answerMsMax) return answer;
      this.#notebook.failed(`${method} ${path}: status ${answer.status} after ${Math.round(ms)} ms: ${answer.text.slice(0, 100)}`);
    } catch (error) {
      this.#notebook.failed(`${method} ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return null;
  }

  #send(method: string, path: string, body: object | null): Promise<Answer> {
    const payload = body === null ? null : JSON.stringify(body);
    const headers = {
      accept: path.startsWith("/products") ? "text/html" : "application/json",
      ...(this.#cookie === null ? {} : { cookie: this.#cookie }),
      ...(payload === null ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
    };
    return new Promise((resolve, reject) => {
      const call = request({ host: "127.0.0.1", port: this.#port, method, path, headers, agent: this.#agent }, (answer) => {
        this.#cookie ??= answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? null;
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("error", reject);
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      call.on("error", reject);
      call.end(payload ?? undefined);
    });
  }
}

/** The q-quantile, by the nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
