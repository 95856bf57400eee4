/**
 * Modules of the application, seen as they load: those in `node_modules`, CommonJS, required or imported (Node 18 to
 * 26 compile both through `Module.prototype._compile`). What is bundled, and what exists as an ES module only,
 * is not seen.
 */
import Module from "node:module";

type Compile = (this: { exports: unknown }, content: string, filename: string, ...rest: unknown[]) => unknown;
type Callable = (...args: unknown[]) => unknown;

/** `look`: by the file's path after its last `node_modules/`; what is returned takes the exports' place. */
export function watchModules(look: Readonly<Record<string, (exported: unknown) => unknown>>): void {
  const prototype = Module.prototype as unknown as { _compile: Compile }; // not in Node's type declarations
  const compile = prototype._compile;
  const mark = "/node_modules/";
  prototype._compile = function (content, filename, ...rest) {
    const result = Reflect.apply(compile, this, [content, filename, ...rest]) as unknown; // as Node's own
    const at = filename.lastIndexOf(mark);
    const found = at < 0 ? undefined : look[filename.slice(at + mark.length)];
    if (found !== undefined) quietly(() => Object.assign(this, { exports: found(this.exports) }));
    return result;
  };
}

export interface Watching {
  readonly called?: (args: readonly unknown[]) => void;
  readonly returned?: () => void;
  readonly constructed?: (made: object) => void;
}

/** The same function or class; calls of it are looked at, before they run and after, and what it constructs, after. */
export function watched(exported: unknown, { called, returned, constructed }: Watching): unknown {
  if (typeof exported !== "function") return exported;
  const proxy = new Proxy(exported as Callable, {
    // typeof says so
    apply(target, self, args) {
      if (called !== undefined) quietly(() => called(args));
      try {
        return Reflect.apply(target, self, args);
      } finally {
        if (returned !== undefined) quietly(returned);
      }
    },
    construct(target, args, newTarget) {
      const made = Reflect.construct(target, args, newTarget) as object; // a constructor's
      if (constructed !== undefined) quietly(() => constructed(made));
      return made;
    },
  });
  // `exports.default = exports`, and the same under further names.
  for (const [name, value] of Object.entries(exported)) if (value === exported) Reflect.set(exported, name, proxy);
  return proxy;
}

/** Looking must not break the application. */
function quietly(look: () => void): void {
  try {
    look();
  } catch {
    // It was not what it seemed to be.
  }
}
