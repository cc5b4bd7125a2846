// SPDX-License-Identifier: MIT
// servers/work/server.js - the server of work/README as Node programs are written
// BUSY: how many times as long /busy is, otherwise once.
const http = require("http");

const number = (name) => Number(process.env[name]) || 0;
const STEPS = (number("BUSY") || 1) * 1000000;
let draining = false;

function burn() {
	let value = 1;
	for (let i = 0; i < STEPS; i++)
		value = (Math.imul(value, 1664525) + 1013904223) | 0;
	return value;
}

const server = http.createServer((request, response) => {
	const answer = JSON.stringify({
		server: "node",
		pid: process.pid,
		worker: number("BERTH_WORKER"),
		instance: number("BERTH_INSTANCE"),
		port: request.socket.localPort,
		say: process.argv[2] || "",
	});
	if (request.url === "/busy")
		burn();
	response.setHeader("Content-Type", "application/json");
	if (draining)
		response.setHeader("Connection", "close");
	setTimeout(() => response.end(answer), request.url === "/slow" ? 300 : 0);
});

process.on("SIGTERM", () => {
	draining = true;
	server.close(() => process.exit(0));
});
setTimeout(() => server.listen(number("PORT") || 5000, () => console.log("listening")), number("START_DELAY_MS"));
