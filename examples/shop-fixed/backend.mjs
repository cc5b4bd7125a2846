// SPDX-License-Identifier: MIT
// shop-fixed/backend.mjs - the API at port 9000; it asks the worker, at port 9100
import http from "node:http";

async function answer(request, response) {
	response.setHeader("Content-Type", "application/json");
	try {
		const worker = await fetch("http://localhost:9100/");
		response.writeHead(worker.status).end(JSON.stringify({ backend: process.cwd(), ...(await worker.json()) }));
	} catch (error) {
		response.writeHead(503).end(JSON.stringify({ backend: process.cwd(), error: `worker: ${error.cause?.code}` }));
	}
}

http.createServer(answer).listen(9000);
