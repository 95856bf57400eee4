/** What people start: each framework as its own guide starts it, and the ways to start a server that are no script. */
import type { Application } from "./trial.ts";

const express = { command: ["apps/express.cjs"], load: "sessions" } as const;

/** `nodes`: executables of other versions, by version. */
export function applications(nodes: Readonly<Record<string, string>>): Application[] {
  return [
    { ...express, name: "Express 5" },
    { ...express, name: "Express 4", command: ["apps/express4.cjs"] },
    { name: "Fastify 5", command: ["apps/fastify.mjs"], load: "sessions" },
    { name: "Koa 3", command: ["apps/koa.cjs"], load: "requests" },
    { name: "Hono 4", command: ["apps/hono.mjs"], load: "requests" },
    { name: "Nest 12", command: ["apps/nest/dist/main.js"], load: "sessions" },
    { name: "Next 16", command: ["next", "start"], directory: "apps/next", load: "requests" },
    { name: "ws 8", command: ["apps/ws.mjs"], load: "chat" },
    { name: "Socket.IO 4", command: ["apps/socket-io.mjs"], load: "socket.io", notices: ["socket-io-rooms"] },
    { name: "tsx", command: ["tsx", "apps/server.ts"], load: "requests" },
    { name: "ts-node", command: ["ts-node", "--transpile-only", "apps/server.ts"], load: "requests" },
    { name: "Fastify CLI", command: ["fastify", "start", "apps/plugin.mjs"], load: "requests" },
    { name: "a directory", command: ["."], load: "sessions" },
    { name: "npm start", command: ["npm", "start"], load: "sessions" },
    { name: "npm run", command: ["npm", "run", "serve"], load: "sessions" },
    { name: "yarn", command: ["yarn", "serve"], load: "sessions" },
    { name: "pnpm", command: ["pnpm", "run", "serve"], load: "sessions" },
    { name: "Python", command: ["python3", "apps/app.py"], portOption: true, load: "requests", notices: ["no-probe"] },
    {
      name: "gunicorn",
      command: ["gunicorn", "--chdir", "apps", "--workers", "2", "wsgi:app"],
      portOption: true,
      load: "requests",
      notices: ["no-probe"],
    },
    ...Object.entries(nodes).map(([version, path]) => ({
      ...express,
      name: `Express 5 on Node ${version}`,
      flags: ["--node", path],
    })),
  ];
}
