// SPDX-License-Identifier: MIT
// shop-fixed/worker.mjs - counts visits in Redis, at port 6379, for whoever asks port 9100
import http from "node:http";
import net from "node:net";
import { text } from "node:stream/consumers";

async function count() {
	const socket = net.connect(6379, "localhost");
	socket.write("INCR visits\r\nCONFIG GET dir\r\nQUIT\r\n");
	const lines = (await text(socket)).split("\r\n"); // :7 *2 $3 dir $14 /home/ann/shop +OK
	return { worker: process.cwd(), redis: lines[5], visits: Number(lines[0].slice(1)) };
}

async function answer(request, response) {
	try {
		response.end(JSON.stringify(await count()));
	} catch (error) {
		response.writeHead(503).end(JSON.stringify({ worker: process.cwd(), error: `Redis: ${error.code}` }));
	}
}

http.createServer(answer).listen(9100);
