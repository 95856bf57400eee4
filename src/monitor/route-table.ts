/** The route table that follows from the state; a new revision whenever it says something else. */
import type { RouteTable } from "../model/routes.ts";
import type { Draft } from "./draft.ts";

export function publishRoutes(draft: Draft): void {
  const { state } = draft;
  const learned = state.learnedCookies;
  const table: Omit<RouteTable, "revision"> = {
    listeners: state.listeners.map(({ id, at }) => ({ id, at })),
    upstreams: state.instances.flatMap((record) =>
      record.availability === "none"
        ? []
        : [
            {
              id: record.id,
              availability: record.availability,
              sockets: record.sockets,
              availableSinceMs: record.availableSinceMs,
              probed: record.probed,
              slowStart: record.slowStart,
            },
          ],
    ),
    affinityCookies: [...learned, ...draft.settings.affinityCookies.filter((name) => !learned.includes(name))],
  };
  const { revision, ...before } = state.routes;
  // Same keys in the same order, as both were made here.
  if (JSON.stringify(before) !== JSON.stringify(table)) {
    state.routes = { ...table, revision: revision + 1 };
    draft.effect({ kind: "send-routes", table: state.routes });
  } else if (draft.retry) draft.effect({ kind: "send-routes", table: state.routes });
}
