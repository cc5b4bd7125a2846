// SPDX-License-Identifier: MIT
// bench/late.mjs - the same as late.c in JavaScript, with the way it finds a port as an argument
//
// usage: node late.mjs HOW SOCKET MILLISECONDS NODE_MODULES
//
// HOW is a package of npm, used as its README shows, or "PORT" for the number in the environment.
// Everything is loaded first; then it says "ready" on SOCKET, and starts when it hears "go", so that
// all programs pick at the same moment.

import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const [how, path, ms, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const load = async (name) => import(pathToFileURL(require.resolve(name)));
const FIRST = 5000;
const LAST = 5999;

const ways = {
	"get-port": async () => {
		const { default: getPort, portNumbers } = await load("get-port");
		return () => getPort({ port: portNumbers(FIRST, LAST) });
	},
	portfinder: async () => {
		const { default: portfinder } = await load("portfinder");
		return () => portfinder.getPortPromise({ port: FIRST, stopPort: LAST });
	},
	"detect-port": async () => {
		const { detect } = await load("detect-port");
		return () => detect(FIRST);
	},
	"get-port-please": async () => {
		const { getPort } = await load("get-port-please");
		return () => getPort({ port: FIRST, portRange: [FIRST, LAST] });
	},
	PORT: async () => () => Number(process.env.PORT),
};

const pick = await ways[how]();
const report = connect(path);
report.write(`${process.pid} ready\n`);
await once(report, "data");

const port = await pick();
await sleep(Number(ms));
const server = createServer((client) => client.end(`${process.pid}\n`));
server.on("error", (error) => {
	report.end(`${process.pid} failed: ${error.code}\n`);
});
server.listen(port, () => report.write(`${process.pid} ${port}\n`));
report.on("close", () => process.exit());
report.resume();
