/** Who reads the README for the first time, each with a framework of their own. */
import type { Beginner } from "./transcript.ts";

export const beginners: readonly Beginner[] = [
  { name: "Express 5", files: ["express.cjs"], packages: ["express", "express-session"], load: "sessions" },
  { name: "Express 4", files: ["express4.cjs", "express.cjs"], packages: ["express4", "express-session"], load: "sessions" },
  { name: "Fastify 5", files: ["fastify.mjs"], packages: ["fastify", "@fastify/cookie", "@fastify/session"], load: "sessions" },
  { name: "Koa 3", files: ["koa.cjs"], packages: ["koa"], load: "requests" },
  { name: "Hono 4", files: ["hono.mjs"], packages: ["hono", "@hono/node-server"], load: "requests" },
  {
    name: "Nest 12",
    files: ["nest/main.ts", "nest/tsconfig.json"],
    packages: [
      "@nestjs/common",
      "@nestjs/core",
      "@nestjs/platform-express",
      "reflect-metadata",
      "rxjs",
      "express-session",
      "typescript",
      "@types/node",
    ],
    load: "sessions",
    build: ["tsc", "-p", "."],
    start: "npx coppice start dist/main.js -n 3",
  },
  {
    name: "Next 16",
    files: ["next/app"],
    packages: ["next", "react", "react-dom"],
    load: "requests",
    build: ["next", "build"],
    start: "npx coppice start -n 3 -- next start -p PORT",
  },
  { name: "a chat on ws", files: ["ws.mjs"], packages: ["ws"], load: "chat" },
  { name: "Python", files: ["app.py"], packages: [], load: "requests", start: "npx coppice start -n 3 --port PORT -- python3 app.py" },
];
