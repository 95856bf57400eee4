/** `node cluster.cjs APP`: two workers by node:cluster. */
const cluster = require("node:cluster");
const { resolve } = require("node:path");

cluster.setupPrimary({ exec: resolve(process.argv[2]) });
for (let worker = 0; worker < 2; worker += 1) cluster.fork();
